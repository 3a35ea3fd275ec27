//! The zip family and tar.

use std::io::Cursor;

use zip::ZipArchive;
use zip::read::ZipFile;
use zip::result::ZipError;

use super::{DAMAGED, Unpacking, Way};

impl Unpacking<'_> {
    pub(super) fn zip(&mut self, bytes: &[u8], way: &Way) {
        let mut archive = match ZipArchive::new(Cursor::new(bytes)) {
            Ok(archive) => archive,
            Err(error) => {
                self.taker.skip(&way.path, format!("{DAMAGED}: {error}"));
                return self.zip_from_its_start(bytes, way);
            }
        };
        for number in 0..archive.len() {
            if !self.next_entry(way) {
                return;
            }
            let why = match archive.by_index(number) {
                Ok(file) => {
                    self.zipped(file, way);
                    continue;
                }
                Err(error) => reason(&error),
            };
            let way = match archive.by_index_raw(number) {
                Ok(file) => way.to(file.name_raw()),
                Err(_) => way.clone(),
            };
            self.taker.skip(&way.path, why);
        }
    }

    /// Without its list of members: one after the other, as far as they go.
    fn zip_from_its_start(&mut self, bytes: &[u8], way: &Way) {
        let mut rest = bytes;
        while self.next_entry(way) {
            match zip::read::read_zipfile_from_stream(&mut rest) {
                Ok(Some(file)) => self.zipped(file, way),
                Ok(None) | Err(_) => return,
            }
        }
    }

    fn zipped<R: std::io::Read>(&mut self, mut file: ZipFile<'_, R>, way: &Way) {
        if file.is_dir() {
            return;
        }
        let way = way.to(file.name_raw());
        let packed = usize::try_from(file.compressed_size()).unwrap_or(usize::MAX);
        let bytes = self.drain(&mut file, packed, &way);
        drop(file);
        self.give(&bytes, &way);
    }

    pub(super) fn tar(&mut self, bytes: &[u8], way: &Way) {
        let mut archive = tar::Archive::new(bytes);
        let entries = match archive.entries() {
            Ok(entries) => entries,
            Err(error) => return self.taker.skip(&way.path, format!("{DAMAGED}: {error}")),
        };
        for entry in entries {
            let mut entry = match entry {
                Ok(entry) => entry,
                Err(error) => {
                    return self.taker.skip(&way.path, format!("{DAMAGED}: {error}"));
                }
            };
            if !self.next_entry(way) {
                return;
            }
            let kind = entry.header().entry_type();
            if !kind.is_file() && !kind.is_gnu_sparse() && !kind.is_contiguous() {
                continue;
            }
            let way = way.to(&entry.path_bytes());
            let promised = entry.size();
            let start = usize::try_from(entry.raw_file_position()).unwrap_or(usize::MAX);
            let length = usize::try_from(promised).unwrap_or(usize::MAX);
            if kind.is_gnu_sparse() {
                let member = self.drain(&mut entry, bytes.len(), &way);
                self.give(&member, &way);
            } else if let Some(member) = start.checked_add(length).and_then(|end| bytes.get(start..end)) {
                self.give(member, &way);
            } else {
                self.taker
                    .skip(&way.path, format!("{DAMAGED}: the archive ends inside it"));
                return self.give(bytes.get(start..).unwrap_or_default(), &way);
            }
        }
    }
}

fn reason(error: &ZipError) -> String {
    match error {
        ZipError::UnsupportedArchive(why) if *why == ZipError::PASSWORD_REQUIRED => {
            "encrypted: cannot be read without its password".to_owned()
        }
        ZipError::UnsupportedArchive(why) => format!("packed in a way that is not read here: {why}"),
        _ => format!("{DAMAGED}: {error}"),
    }
}
