//! Words of office documents: an editor cuts them into runs wherever it likes; here they are put together again.

use super::map::Made;
use super::weave::Pieces;

/// What ends a run, what begins the next one, and what parts paragraphs: of Word, PowerPoint, Excel.
const RUNS: [(&[u8], &[u8], &[u8]); 3] = [
    (b"</w:t>", b"<w:t", b"</w:p>"),
    (b"</a:t>", b"<a:t", b"</a:p>"),
    (b"</t>", b"<t", b"</si>"),
];

/// Farthest that two runs of one word stand apart, in bytes: what lies between them says how they look.
const FARTHEST: usize = 4096;

pub(super) fn find(text: &[u8]) -> Pieces {
    let mut pieces = Pieces::default();
    let head = &text[..text.len().min(400)];
    if !head.trim_ascii_start().starts_with(b"<?xml") {
        return pieces;
    }
    if memchr::memmem::find(text, b"<text:span").is_some() {
        return spans(text);
    }
    let used = RUNS
        .iter()
        .find(|(end, _, _)| memchr::memmem::find(text, end).is_some());
    let Some((run_end, next, paragraph)) = used else {
        return pieces;
    };
    for start in memchr::memmem::find_iter(text, run_end) {
        let window = &text[start..text.len().min(start + FARTHEST)];
        let Some(open) = begins(window, next) else {
            continue;
        };
        let between = &window[..open];
        if memchr::memmem::find(between, paragraph).is_none()
            && let Some(close) = memchr::memchr(b'>', &window[open..])
        {
            pieces.push(start..start + open + close + 1, b"", Made::AsOne);
        }
    }
    pieces
}

/// Where the tag stands, and no longer one that begins like it.
fn begins(window: &[u8], tag: &[u8]) -> Option<usize> {
    memchr::memmem::find_iter(window, tag).find(|at| matches!(window.get(at + tag.len()), Some(b'>' | b' ')))
}

/// The tags of OpenDocument that part a paragraph's words.
fn spans(text: &[u8]) -> Pieces {
    let mut pieces = Pieces::default();
    for at in memchr::memchr_iter(b'<', text) {
        let rest = &text[at..text.len().min(at + FARTHEST)];
        if (rest.starts_with(b"<text:span") || rest.starts_with(b"</text:span"))
            && let Some(close) = memchr::memchr(b'>', rest)
        {
            pieces.push(at..at + close + 1, b"", Made::AsOne);
        }
    }
    pieces
}
