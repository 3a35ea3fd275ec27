//! One compressed stream, and how much of it is read.

use std::io::Read;

use super::{DAMAGED, Kind, Unpacking, Way};

/// So much is unpacked whatever the ratio, in bytes: a small bomb is no danger.
const HARMLESS: u64 = 32 << 20;

/// Beyond that, more than this many times its packed size is taken for a bomb. Logs reach 50.
const MOST_RATIO: u64 = 200;

/// Largest window that a stream may ask for, in bytes: what the strongest settings of xz and zstd ask for.
const WINDOW: u64 = 128 << 20;

/// The bounds of one member.
pub(super) struct Drain {
    pub(super) largest: u64,
    pub(super) left: u64,
    pub(super) packed: u64,
}

/// What was read, and why that is not all.
pub(super) struct Drained {
    pub(super) bytes: Vec<u8>,
    pub(super) why: Option<String>,
}

impl Drain {
    pub(super) fn read(&self, reader: &mut dyn Read) -> Drained {
        let mut bytes = Vec::new();
        let mut chunk = vec![0; 64 << 10];
        let why = loop {
            let read = match reader.read(&mut chunk) {
                Ok(0) => break None,
                Ok(read) => read,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(error) => break Some(format!("{DAMAGED}: {error}")),
            };
            if let Some(why) = self.too_much((bytes.len() + read) as u64) {
                break Some(why);
            }
            bytes.extend_from_slice(&chunk[..read]);
        };
        Drained { bytes, why }
    }

    fn too_much(&self, length: u64) -> Option<String> {
        if length > self.largest {
            Some(format!(
                "unpacks to more than {} bytes; raise --max-size",
                self.largest
            ))
        } else if length > HARMLESS && length / MOST_RATIO > self.packed {
            Some(format!(
                "unpacks to more than {MOST_RATIO} times its size: only the first {} MiB were scanned",
                HARMLESS >> 20
            ))
        } else if length > self.left {
            Some("the archive unpacks to more than all archives may; raise --max-size".to_owned())
        } else {
            None
        }
    }
}

impl Unpacking<'_> {
    pub(super) fn compressed(&mut self, bytes: &[u8], kind: Kind, way: &Way) {
        let window_kib = u32::try_from(WINDOW >> 10).unwrap_or(u32::MAX);
        let mut reader: Box<dyn Read + '_> = match kind {
            Kind::Bzip2 => Box::new(bzip2::read::MultiBzDecoder::new(bytes)),
            Kind::Xz => Box::new(lzma_rust2::XzReader::new_mem_limit(bytes, true, window_kib)),
            Kind::Zstd => match ruzstd::decoding::StreamingDecoder::new_with_max_window_size(bytes, WINDOW) {
                Ok(reader) => Box::new(reader),
                Err(error) => return self.taker.skip(&way.path, format!("{DAMAGED}: {error}")),
            },
            _ => Box::new(flate2::read::MultiGzDecoder::new(bytes)),
        };
        let unpacked = self.drain(&mut reader, bytes.len(), way);
        drop(reader);
        if !unpacked.is_empty() {
            self.give(&unpacked, way);
        }
    }
}
