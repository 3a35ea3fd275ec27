//! What a text says in another form: views of it, each with the way back to the exact bytes of the original.
//!
//! Pure and bounded. Every decoder passes over a text once behind a cheap gate; a view holds the decoded pieces with
//! their surroundings (`weave`), is looked through again only around what was decoded, and what it is made of is
//! known byte for byte (`map`). Decoded bytes that are neither text nor an archive are dropped. Must never panic or
//! loop on any bytes, and never makes more than [`Bounds`] allow.

mod concat;
mod escape;
mod map;
mod office;
mod runs;
mod stored;
mod weave;
mod web;
pub mod wide;

use std::ops::Range;

pub use stored::{is_stored, stored};

use map::Map;
use weave::{Pieces, weave};

/// How far decoding goes.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Encodings on top of each other.
    pub depth: usize,
    /// Bytes of all views of one text.
    pub bytes: usize,
}

impl Bounds {
    /// The bounds for a text of so many bytes: far above what real files need.
    pub fn for_length(length: usize) -> Self {
        Self {
            depth: 5,
            bytes: length.saturating_mul(24).saturating_add(4 << 20).min(1 << 30),
        }
    }
}

/// A decoded stretch of a text.
pub struct Decoded<'p> {
    /// The text, with its surroundings.
    pub bytes: Vec<u8>,
    /// The encodings from the outside in, such as `base64` or `percent>base64`.
    pub via: String,
    map: Map,
    parent: Option<&'p Decoded<'p>>,
}

impl Decoded<'_> {
    /// The bytes of the original that this range was made of.
    pub fn original(&self, range: &Range<usize>) -> Range<usize> {
        let own = self.map.original(range);
        self.parent.map_or(own.clone(), |parent| parent.original(&own))
    }

    /// Whether anything of this range, or next to it, was decoded here and is no copy.
    pub fn is_made(&self, range: &Range<usize>) -> bool {
        self.map.is_made(range)
    }
}

/// What decoding comes upon.
pub enum Seen<'a> {
    /// A text.
    Text(&'a Decoded<'a>),
    /// An archive, at this place of the original.
    Packed {
        /// Its bytes.
        bytes: &'a [u8],
        /// The encodings from the outside in.
        via: &'a str,
        /// Where it stands.
        place: Range<usize>,
    },
}

/// The bounds were reached; not all of the text was decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exhausted;

type Decoder = fn(&[u8]) -> Pieces;

/// Decoders that put characters in place of others; runs of symbols are beside them.
const DECODERS: [(&str, Decoder); 6] = [
    ("percent", web::percent),
    ("html", web::entities),
    ("quoted-printable", web::quoted_printable),
    ("escape", escape::find),
    ("concatenation", concat::find),
    ("office", office::find),
];

/// Shows every view of `text`, the outer ones first.
///
/// # Errors
/// [`Exhausted`] where the bounds end it early; what was seen until then is sound.
pub fn visit(text: &[u8], bounds: Bounds, see: &mut dyn FnMut(Seen<'_>)) -> Result<(), Exhausted> {
    let mut walk = Walk {
        left: bounds.bytes,
        see,
    };
    walk.level(text, None, bounds.depth)
}

/// Shows every view of what was decoded or laid open already, as [`visit`] does.
///
/// # Errors
/// As [`visit`].
pub fn visit_below(
    outer: &Decoded<'_>,
    bounds: Bounds,
    see: &mut dyn FnMut(Seen<'_>),
) -> Result<(), Exhausted> {
    let mut walk = Walk {
        left: bounds.bytes,
        see,
    };
    walk.level(&outer.bytes, Some(outer), bounds.depth)
}

struct Walk<'w> {
    left: usize,
    see: &'w mut dyn FnMut(Seen<'_>),
}

impl Walk<'_> {
    fn level(&mut self, text: &[u8], parent: Option<&Decoded<'_>>, depth: usize) -> Result<(), Exhausted> {
        if depth == 0 {
            return Ok(());
        }
        for (name, find) in DECODERS {
            self.pieces(text, parent, depth, name, find(text))?;
        }
        let runs = runs::find(text);
        for (name, pieces) in runs.texts {
            self.pieces(text, parent, depth, name, pieces)?;
        }
        for (name, place, bytes) in runs.packed {
            if parent.is_some_and(|parent| !parent.is_made(&place)) {
                continue;
            }
            self.pay(bytes.len())?;
            (self.see)(Seen::Packed {
                bytes: &bytes,
                via: &via(parent, name),
                place: parent.map_or(place.clone(), |parent| parent.original(&place)),
            });
        }
        Ok(())
    }

    fn pieces(
        &mut self,
        text: &[u8],
        parent: Option<&Decoded<'_>>,
        depth: usize,
        name: &str,
        mut pieces: Pieces,
    ) -> Result<(), Exhausted> {
        if let Some(parent) = parent {
            // What is a mere copy was decoded where it was copied from.
            pieces.retain(|place| parent.is_made(place));
        }
        if pieces.is_empty() {
            return Ok(());
        }
        for woven in weave(text, &pieces) {
            self.pay(woven.bytes.len())?;
            let decoded = Decoded {
                bytes: woven.bytes,
                via: via(parent, name),
                map: woven.map,
                parent,
            };
            (self.see)(Seen::Text(&decoded));
            self.level(&decoded.bytes, Some(&decoded), depth - 1)?;
        }
        Ok(())
    }

    fn pay(&mut self, bytes: usize) -> Result<(), Exhausted> {
        self.left = self.left.checked_sub(bytes).ok_or(Exhausted)?;
        Ok(())
    }
}

fn via(parent: Option<&Decoded<'_>>, name: &str) -> String {
    match parent {
        Some(parent) => format!("{}>{name}", parent.via),
        None => name.to_owned(),
    }
}

/// Whether decoded bytes are a text that somebody wrote.
fn is_text(bytes: &[u8]) -> bool {
    // Control characters first: what claims to be a long text and is none ends there.
    !bytes.is_empty() && !bytes.iter().any(|byte| is_control(*byte)) && std::str::from_utf8(bytes).is_ok()
}

/// The same of a head, whose last character may be cut.
fn is_text_so_far(head: &[u8]) -> bool {
    let valid = match std::str::from_utf8(head) {
        Ok(_) => !head.is_empty(),
        Err(error) => error.error_len().is_none() && error.valid_up_to() > 0,
    };
    valid && !head.iter().any(|byte| is_control(*byte))
}

fn is_control(byte: u8) -> bool {
    byte == 0x7F || (byte < b' ' && !matches!(byte, b'\t' | b'\n' | b'\r' | 0x0C | 0x1B))
}
