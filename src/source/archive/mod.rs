//! Archives and compressed files, known by their content: what is in them, however deep, one member after the other.
//!
//! A container adds `!name` to the path of what it holds (`backup.zip!inner/app.tgz!etc/app.env`); a compressor adds
//! nothing, because it holds one thing. Everything is read in memory and nothing is ever written. Must never unpack
//! more than [`Bounds`] allow, never panic on any bytes, and never stay silent about what it left out.

mod compressed;
mod containers;
mod pdf;
mod unix;

use compressed::Drain;

/// The formats that are opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Kind {
    Gzip,
    Bzip2,
    Xz,
    Zstd,
    /// Jars, wheels and office documents too.
    Zip,
    /// Images that `docker save` wrote and OCI layouts too.
    Tar,
    /// Debian packages too.
    Ar,
    Cpio,
    Rpm,
    Pdf,
}

impl Kind {
    /// As reports name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Bzip2 => "bzip2",
            Self::Xz => "xz",
            Self::Zstd => "zstd",
            Self::Zip => "zip",
            Self::Tar => "tar",
            Self::Ar => "ar",
            Self::Cpio => "cpio",
            Self::Rpm => "rpm",
            Self::Pdf => "pdf",
        }
    }
}

/// How the reason of a gap begins where the archive itself is at fault.
pub const DAMAGED: &str = "damaged or cut off";

/// Where a tar archive says what it is.
const TAR_MAGIC: usize = 257;

/// The format, by its first bytes; most bytes are told apart by the first of them.
pub fn kind(bytes: &[u8]) -> Option<Kind> {
    match bytes {
        [0x1F, 0x8B, 8, flags, ..] if *flags < 0x20 => Some(Kind::Gzip),
        [
            b'B',
            b'Z',
            b'h',
            b'1'..=b'9',
            0x31,
            0x41,
            0x59,
            0x26,
            0x53,
            0x59,
            ..,
        ] => Some(Kind::Bzip2),
        [0xFD, b'7', b'z', b'X', b'Z', 0, ..] => Some(Kind::Xz),
        [0x28, 0xB5, 0x2F, 0xFD, ..] => Some(Kind::Zstd),
        [b'P', b'K', 3, 4, ..] | [b'P', b'K', 5, 6, ..] => Some(Kind::Zip),
        [0xED, 0xAB, 0xEE, 0xDB, ..] => Some(Kind::Rpm),
        [b'%', b'P', b'D', b'F', b'-', ..] => Some(Kind::Pdf),
        _ if bytes.starts_with(b"!<arch>\n") => Some(Kind::Ar),
        _ if bytes.starts_with(b"070701") || bytes.starts_with(b"070702") => {
            let digits = bytes.get(6..110)?;
            digits.iter().all(u8::is_ascii_hexdigit).then_some(Kind::Cpio)
        }
        _ => (bytes.get(TAR_MAGIC..TAR_MAGIC + 5)? == b"ustar").then_some(Kind::Tar),
    }
}

/// How far archives are opened.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Archives inside each other.
    pub depth: usize,
    /// Members of all of them together.
    pub entries: usize,
    /// Bytes that all of them together unpack to.
    pub bytes: u64,
    /// Largest member, in bytes.
    pub largest: u64,
}

impl Bounds {
    /// The bounds where `largest` is the largest file that is read.
    pub fn for_largest(largest: u64) -> Self {
        Self {
            depth: 8,
            entries: 50_000,
            bytes: largest.saturating_mul(4),
            largest,
        }
    }
}

/// What is in an archive.
pub struct Member<'a> {
    /// Names on the way to it, each behind a `!`; empty for what a compressor held.
    pub path: &'a [u8],
    /// The formats on the way to it from the outside in: `gzip>tar`.
    pub via: &'a str,
    /// Its bytes.
    pub bytes: &'a [u8],
}

/// Takes what an `Unpacking` comes upon.
pub trait Taker {
    /// A member that is no archive itself.
    fn member(&mut self, member: Member<'_>);
    /// Something was left out: the path as of a member, and why.
    fn skip(&mut self, path: &[u8], why: String);
}

/// Opens `bytes` of this kind and hands over all that is in there.
pub fn open(bytes: &[u8], kind: Kind, bounds: Bounds, taker: &mut dyn Taker) {
    let mut unpacking = Unpacking {
        taker,
        bounds,
        depth: 0,
        full: false,
    };
    unpacking.open(bytes, kind, &Way::default());
}

/// The way to a member.
#[derive(Clone, Default)]
struct Way {
    path: Vec<u8>,
    via: String,
}

impl Way {
    fn through(&self, kind: Kind) -> Self {
        let arrow = if self.via.is_empty() { "" } else { ">" };
        Self {
            path: self.path.clone(),
            via: format!("{}{arrow}{}", self.via, kind.name()),
        }
    }

    fn to(&self, name: &[u8]) -> Self {
        Self {
            path: [&self.path, &b"!"[..], name].concat(),
            via: self.via.clone(),
        }
    }
}

/// One archive with everything in it; what is left of the bounds is shared by all.
struct Unpacking<'t> {
    taker: &'t mut dyn Taker,
    bounds: Bounds,
    depth: usize,
    full: bool,
}

impl Unpacking<'_> {
    fn open(&mut self, bytes: &[u8], kind: Kind, way: &Way) {
        if self.depth == self.bounds.depth {
            let why = format!("archives inside each other are opened {} deep", self.bounds.depth);
            return self.taker.skip(&way.path, why);
        }
        self.depth += 1;
        let inside = way.through(kind);
        match kind {
            Kind::Gzip | Kind::Bzip2 | Kind::Xz | Kind::Zstd => self.compressed(bytes, kind, &inside),
            Kind::Zip => self.zip(bytes, &inside),
            Kind::Tar => self.tar(bytes, &inside),
            Kind::Ar => self.ar(bytes, &inside),
            Kind::Cpio => self.cpio(bytes, &inside),
            Kind::Rpm => self.rpm(bytes, &inside),
            Kind::Pdf => self.pdf(bytes, &inside),
        }
        self.depth -= 1;
    }

    /// Goes on into an archive, and hands everything else over.
    fn give(&mut self, bytes: &[u8], way: &Way) {
        match kind(bytes) {
            Some(kind) => self.open(bytes, kind, way),
            None => self.taker.member(Member {
                path: &way.path,
                via: &way.via,
                bytes,
            }),
        }
    }

    /// Whether another member may be read; says once if not.
    fn next_entry(&mut self, way: &Way) -> bool {
        if self.bounds.entries > 0 {
            self.bounds.entries -= 1;
            return true;
        }
        if !self.full {
            self.full = true;
            self.taker.skip(
                &way.path,
                "holds more members than are opened; the rest was left out".to_owned(),
            );
        }
        false
    }

    /// Reads a member to its end or to the bounds; what was read before an end that is too early is given all the same.
    fn drain(&mut self, reader: &mut dyn std::io::Read, packed: usize, way: &Way) -> Vec<u8> {
        let drained = Drain {
            largest: self.bounds.largest,
            left: self.bounds.bytes,
            packed: packed as u64,
        }
        .read(reader);
        self.bounds.bytes = self.bounds.bytes.saturating_sub(drained.bytes.len() as u64);
        if let Some(why) = drained.why {
            self.taker.skip(&way.path, why);
        }
        drained.bytes
    }
}
