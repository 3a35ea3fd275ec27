//! Base64 and hexadecimal: long runs of their symbols that stand for a text, an archive, or UTF-16.
//!
//! Runs are looked for from their would-be ends, so that most of a text is never touched; the first symbols of a run
//! tell whether it may stand for anything, so that identifiers, hashes and pictures cost next to nothing. Lines that
//! follow on each other are one run, whatever they are indented by.

use std::ops::Range;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};

use super::map::Made;
use super::weave::Pieces;
use super::{is_text, is_text_so_far, wide};
use crate::source::archive;

/// Shortest run of symbols that is tried: 12 bytes of base64, 8 of hexadecimal digits.
const SHORTEST: usize = 16;

/// Symbols of the head that tell whether a run may stand for anything.
const HEAD: usize = 24;

/// Widest indentation of a continued line, in bytes.
const WIDEST_INDENT: usize = 40;

const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);

/// The symbols of both alphabets; hexadecimal digits are among them.
static SYMBOL: [bool; 256] = symbols();

const fn symbols() -> [bool; 256] {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] =
            matches!(byte as u8, b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'+' | b'/' | b'-' | b'_');
        byte += 1;
    }
    table
}

/// What runs of symbols stand for.
#[derive(Default)]
pub(super) struct Runs {
    /// Texts, by the encoding's name.
    pub(super) texts: Vec<(&'static str, Pieces)>,
    /// Archives, with the encoding's name and the place of the run.
    pub(super) packed: Vec<(&'static str, Range<usize>, Vec<u8>)>,
}

/// A run of symbols, over one line or several.
struct Run {
    symbols: Vec<u8>,
    pieces: Vec<(usize, usize)>,
    place: Range<usize>,
}

#[derive(Clone, Copy)]
enum Encoding {
    Base64,
    Hex,
}

pub(super) fn find(text: &[u8]) -> Runs {
    let mut runs = Runs::default();
    let mut start = 0;
    let mut joined = 0;
    while start + SHORTEST <= text.len() {
        let mut back = start + SHORTEST;
        while back > start && SYMBOL[usize::from(text[back - 1])] {
            back -= 1;
        }
        if back > start {
            start = back;
            continue;
        }
        let end = run_end(text, start + SHORTEST);
        let begin = start + usize::from(follows_escape(text, start));
        start = one(text, begin..end, &mut joined, &mut runs);
    }
    runs
}

fn run_end(text: &[u8], from: usize) -> usize {
    let rest = &text[from.min(text.len())..];
    from + rest
        .iter()
        .position(|byte| !SYMBOL[usize::from(*byte)])
        .unwrap_or(rest.len())
}

/// Whether the run's first letter belongs to an escape such as `\n` before it.
fn follows_escape(text: &[u8], start: usize) -> bool {
    start > 0 && text[start - 1] == b'\\' && matches!(text[start], b'n' | b'r' | b't')
}

/// Decodes the run on this line, or the lines that it begins; gives the place to go on from.
fn one(text: &[u8], line: Range<usize>, joined: &mut usize, runs: &mut Runs) -> usize {
    let single = Run::of(text, line.clone());
    if line.start >= *joined && single.is_promising() {
        let several = lines(text, &line, usize::MAX);
        if several.pieces.len() > 1 {
            // Lines that were of no use together are not put together again.
            *joined = several.place.end;
            if runs.take(&several) {
                return several.place.end;
            }
            // The last line may be a word of its own.
            let fewer = lines(text, &line, several.pieces.len() - 1);
            if fewer.pieces.len() > 1 && runs.take(&fewer) {
                return fewer.place.end;
            }
        }
    }
    if !runs.take(&single) {
        let mut subruns = Vec::new();
        for parts in [&b"-_"[..], b"+/"] {
            let pieces = text[line.clone()].split(|byte| parts.contains(byte));
            subruns.extend(pieces.map(|piece| place_of(text, piece)));
        }
        let digits = text[line.clone()].split(|byte| !byte.is_ascii_hexdigit());
        subruns.extend(digits.map(|piece| place_of(text, piece)));
        subruns.retain(|place| place.len() >= SHORTEST && *place != line);
        subruns.sort_by_key(|place| place.start);
        subruns.dedup();
        for place in subruns {
            runs.take(&Run::of(text, place));
        }
    }
    single.place.end.max(line.end)
}

/// Where a part of a text stands in it.
fn place_of(text: &[u8], part: &[u8]) -> Range<usize> {
    let start = part.as_ptr().addr() - text.as_ptr().addr();
    start..start + part.len()
}

/// The run of this line and those that follow on it: all as long as the second, the last may be shorter.
fn lines(text: &[u8], first: &Range<usize>, count: usize) -> Run {
    let mut run = Run {
        symbols: text[first.clone()].to_vec(),
        pieces: vec![(0, first.start)],
        place: first.clone(),
    };
    let mut width = None;
    while let Some(start) = next_line(text, run.place.end) {
        let end = run_end(text, start);
        let length = end - start;
        let most = width.unwrap_or(usize::MAX);
        if length == 0 || length > most || run.pieces.len() == count {
            break;
        }
        run.pieces.push((run.symbols.len(), start));
        run.symbols.extend_from_slice(&text[start..end]);
        run.place.end = end;
        if length < first.len() || length < most && width.is_some() {
            break;
        }
        width = Some(length);
    }
    run.with_padding(text)
}

/// Where the next line's text begins, if a line ends here: really, or as `\n` in a string.
fn next_line(text: &[u8], end: usize) -> Option<usize> {
    let rest = &text[end..];
    let newline = [&b"\n"[..], b"\r\n", b"\\n", b"\\r\\n"]
        .into_iter()
        .find(|newline| rest.starts_with(newline))?;
    let start = end + newline.len();
    let indented = text[start..]
        .iter()
        .take(WIDEST_INDENT)
        .take_while(|byte| matches!(byte, b' ' | b'\t'))
        .count();
    Some(start + indented)
}

impl Run {
    fn of(text: &[u8], place: Range<usize>) -> Self {
        Self {
            symbols: text[place.clone()].to_vec(),
            pieces: vec![(0, place.start)],
            place,
        }
        .with_padding(text)
    }

    fn with_padding(mut self, text: &[u8]) -> Self {
        let padding = text[self.place.end..].iter().take(2);
        self.place.end += padding.take_while(|byte| **byte == b'=').count();
        self
    }

    fn is_promising(&self) -> bool {
        [Encoding::Hex, Encoding::Base64]
            .into_iter()
            .any(|encoding| self.head(encoding))
    }

    fn head(&self, encoding: Encoding) -> bool {
        let head = &self.symbols[..self.symbols.len().min(HEAD) & !3];
        encoding.decode(head).is_some_and(|head| {
            is_text_so_far(&head) || wide_text(&head).is_some() || archive::kind(&head).is_some()
        })
    }
}

impl Encoding {
    fn name(self) -> &'static str {
        match self {
            Self::Base64 => "base64",
            Self::Hex => "hex",
        }
    }

    fn decode(self, symbols: &[u8]) -> Option<Vec<u8>> {
        match self {
            Self::Hex => {
                let digit = |byte: u8| {
                    (byte as char)
                        .to_digit(16)
                        .and_then(|digit| u8::try_from(digit).ok())
                };
                let pair = |pair: &[u8]| Some(digit(pair[0])? << 4 | digit(*pair.get(1)?)?);
                symbols.chunks(2).map(pair).collect()
            }
            Self::Base64 => {
                // One symbol too many stands for nothing.
                let whole = &symbols[..symbols.len() - usize::from(symbols.len() % 4 == 1)];
                if memchr::memchr2(b'-', b'_', whole).is_some() {
                    URL_SAFE.decode(whole).ok()
                } else {
                    STANDARD.decode(whole).ok()
                }
            }
        }
    }
}

impl Runs {
    /// Decodes the run and keeps what it stands for, if that is anything.
    fn take(&mut self, run: &Run) -> bool {
        [Encoding::Hex, Encoding::Base64]
            .into_iter()
            .any(|encoding| run.head(encoding) && self.take_as(run, encoding))
    }

    fn take_as(&mut self, run: &Run, encoding: Encoding) -> bool {
        let Some(bytes) = encoding.decode(&run.symbols) else {
            return false;
        };
        let made = |bytes: usize| Made::Symbols {
            bits: match encoding {
                Encoding::Base64 => 6,
                Encoding::Hex => 4,
            },
            bytes,
            pieces: run.pieces.clone(),
        };
        if archive::kind(&bytes).is_some() {
            self.packed.push((encoding.name(), run.place.clone(), bytes));
        } else if is_text(&bytes) {
            self.text(encoding.name(), run, &bytes, made(1));
        } else if let Some((narrow, marked)) = wide_text(&bytes) {
            let name = match encoding {
                Encoding::Base64 => "base64>utf-16",
                Encoding::Hex => "hex>utf-16",
            };
            let exact = narrow.is_ascii() && !marked;
            let made = if exact { made(2) } else { Made::AsOne };
            self.text(name, run, &narrow, made);
        } else {
            return false;
        }
        true
    }

    fn text(&mut self, name: &'static str, run: &Run, bytes: &[u8], made: Made) {
        let known = self.texts.iter().position(|(known, _)| *known == name);
        let number = known.unwrap_or_else(|| {
            self.texts.push((name, Pieces::default()));
            self.texts.len() - 1
        });
        self.texts[number].1.push(run.place.clone(), bytes, made);
    }
}

/// UTF-16 as UTF-8, and whether it had a mark.
fn wide_text(bytes: &[u8]) -> Option<(Vec<u8>, bool)> {
    let (order, mark) = wide::order(bytes)?;
    let narrow = wide::narrow(&bytes[mark..], order);
    is_text(&narrow).then_some((narrow, mark > 0))
}
