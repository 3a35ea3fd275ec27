//! The beginning of a pattern: a pattern of bounded length that matches wherever the whole one begins to match.
//!
//! A match that is longer than what can be looked at (a private key, a long JWT) is suspected by its beginning alone.
//! Must never be stricter than the whole pattern: whatever is cut away is cut away to the end.

use regex::bytes::{Regex, RegexBuilder};
use regex_syntax::hir::{Capture, Hir, HirKind, Repetition};

/// Largest compiled program of a beginning, in bytes; without one, every keyword is looked at.
const LARGEST_PROGRAM: usize = 1 << 20;

/// Reads a pattern as `regex::bytes` does without Unicode.
pub(super) fn parse(pattern: &str) -> Option<Hir> {
    regex_syntax::ParserBuilder::new()
        .utf8(false)
        .unicode(false)
        .build()
        .parse(pattern)
        .ok()
}

/// A pattern whose matches have at most `most` bytes, one of which begins wherever a match of `hir` begins.
pub(super) fn cut(hir: &Hir, most: usize) -> Hir {
    shortened(hir, most).0
}

/// Compiles a pattern; nothing if it is too large.
pub(super) fn compile(hir: &Hir) -> Option<Regex> {
    RegexBuilder::new(&without_captures(hir).to_string())
        .unicode(false)
        .size_limit(LARGEST_PROGRAM)
        .build()
        .ok()
}

/// The beginning, and whether it is all of it.
fn shortened(hir: &Hir, most: usize) -> (Hir, bool) {
    if hir
        .properties()
        .maximum_len()
        .is_some_and(|length| length <= most)
    {
        return (without_captures(hir), true);
    }
    match hir.kind() {
        HirKind::Capture(capture) => shortened(&capture.sub, most),
        HirKind::Concat(parts) => {
            let (mut kept, mut left) = (Vec::new(), most);
            for (at, part) in parts.iter().enumerate() {
                if let Some(branches) = branches(part, left) {
                    // What follows goes on behind each alternative for itself: some leave room for it, some do not.
                    let follow = |branch: &Hir| {
                        let row = std::iter::once(branch).chain(&parts[at + 1..]);
                        shortened(&Hir::concat(row.map(without_captures).collect()), left).0
                    };
                    kept.push(Hir::alternation(branches.iter().map(follow).collect()));
                    break;
                }
                let (part, whole) = shortened(part, left);
                left -= part.properties().maximum_len().unwrap_or(0).min(left);
                kept.push(part);
                if !whole {
                    break;
                }
            }
            (Hir::concat(kept), false)
        }
        HirKind::Alternation(parts) => {
            let parts = parts.iter().map(|part| shortened(part, most).0).collect();
            (Hir::alternation(parts), false)
        }
        HirKind::Repetition(repetition) => (repeated(repetition, most), false),
        HirKind::Literal(literal) => (Hir::literal(&literal.0[..most.min(literal.0.len())]), false),
        HirKind::Empty | HirKind::Look(_) | HirKind::Class(_) => (Hir::empty(), false),
    }
}

/// Most alternatives that are followed each for itself.
const MOST_BRANCHES: usize = 8;

/// The alternatives of a part that is longer than `most`; of an optional one, itself and nothing.
fn branches(part: &Hir, most: usize) -> Option<Vec<Hir>> {
    let long = part.properties().maximum_len().is_none_or(|length| length > most);
    match part.kind() {
        HirKind::Capture(capture) => branches(&capture.sub, most),
        HirKind::Alternation(parts) if long && parts.len() <= MOST_BRANCHES => Some(parts.clone()),
        HirKind::Repetition(repetition) if long && (repetition.min, repetition.max) == (0, Some(1)) => {
            Some(vec![(*repetition.sub).clone(), Hir::empty()])
        }
        _ => None,
    }
}

/// As many of the repetitions that there must be as have room.
fn repeated(repetition: &Repetition, most: usize) -> Hir {
    let one = repetition.sub.properties().maximum_len();
    let room = one.filter(|&one| one > 0).map_or(0, |one| most / one);
    match (repetition.min, u32::try_from(room).unwrap_or(u32::MAX)) {
        (0, _) => Hir::empty(),
        (_, 0) => shortened(&repetition.sub, most).0,
        (least, room) => Hir::repetition(Repetition {
            min: least.min(room),
            max: Some(least.min(room)),
            greedy: true,
            sub: repeatable(&repetition.sub),
        }),
    }
}

/// Names of groups must not come twice where beginnings are put together.
fn without_captures(hir: &Hir) -> Hir {
    match hir.kind() {
        HirKind::Capture(capture) => without_captures(&capture.sub),
        HirKind::Concat(parts) => Hir::concat(parts.iter().map(without_captures).collect()),
        HirKind::Alternation(parts) => Hir::alternation(parts.iter().map(without_captures).collect()),
        HirKind::Repetition(repetition) => Hir::repetition(Repetition {
            sub: repeatable(&repetition.sub),
            ..repetition.clone()
        }),
        HirKind::Empty | HirKind::Look(_) | HirKind::Literal(_) | HirKind::Class(_) => hir.clone(),
    }
}

/// What is repeated. As text, `(?:a{3})?` would come out of a tree as `a{3}?`, which must not match nothing; a group
/// keeps the two apart.
fn repeatable(hir: &Hir) -> Box<Hir> {
    let plain = without_captures(hir);
    Box::new(match plain.kind() {
        HirKind::Repetition(_) => Hir::capture(Capture {
            index: 1,
            name: None,
            sub: Box::new(plain),
        }),
        _ => plain,
    })
}

#[cfg(test)]
mod tests {
    use super::{compile, cut, parse};

    #[test]
    fn a_beginning_is_bounded_and_matches_where_the_whole_begins() {
        for (pattern, text) in [
            (
                "-----BEGIN (RSA )?KEY-----[\\s\\S]*?-----END",
                "-----BEGIN RSA KEY-----\nabc-----END",
            ),
            (
                "(?i:token)=(?<secret>[a-z0-9]{20,4000})!",
                "TOKEN=abcdefghij0123456789!",
            ),
            ("\\beyJ[A-Za-z0-9_-]{10,}\\.eyJ[a-z]+", "eyJabcdefghij.eyJabc"),
            ("(a|b{3,}|[0-9]{40})x", "bbbbbbbbbbbbx"),
            ("(?m:^x{2,300}y)", "\nxxy"),
            (
                r"\b(?:machine [a-z]{1,255}|default) login [a-z]+",
                "default login somebody",
            ),
            (r"x[0-9]{4}(?:[0-9]{3})?!a{3,300}", "x0123!aaa"),
            (r"^ ?(//[a-z]{3,200}:)?_auth=[a-z]{4}", "_auth=abcd"),
        ] {
            let whole = parse(pattern).unwrap();
            let from = compile(&whole).unwrap().find(text.as_bytes()).unwrap().start();
            for most in [0, 1, 5, 17, 30, 5000] {
                let begin = cut(&whole, most);
                let longest = begin.properties().maximum_len();
                assert!(
                    longest.is_some_and(|length| length <= most),
                    "{pattern} {most} {longest:?}"
                );
                let found = compile(&begin).unwrap().find_at(text.as_bytes(), from).unwrap();
                assert_eq!(found.start(), from, "{pattern} cut to {most}");
            }
        }
    }
}
