//! The line around a secret, for people: with the secret cut out, and whatever else on it looks like one masked.
//!
//! No byte of a secret may stand in an excerpt. What a rule found is cut out by its place; what no rule knows (a value
//! beside a word such as `password`, a password in a URL, a run of characters that looks drawn at random) is masked by its
//! look, for an excerpt is read by more people than the file.

use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

use crate::finding::Excerpt;
use crate::rule::random;

/// So many bytes of the line are looked at on each side of the secret; a minified file has lines of megabytes.
const REACH: usize = 240;

/// So many characters are shown on each side.
const SHOWN: usize = 72;

/// So many other ranges are looked at on each side: more do not fit there.
const NEIGHBOURS: usize = 2 * REACH;

/// Fewer bytes are found in half of all words.
const SHORTEST: usize = 4;

/// What stands for something masked.
const MASK: &str = "…";

/// A value behind a word that says it is a secret.
const ASSIGNED: &str = r#"(?i)((?:pass(?:word|wd|phrase)?|pwd|secret|token|api[-_]?key|auth(?:orization)?|credentials?|bearer)[A-Za-z0-9_.-]*["'\]]{0,2}\s*(?:=>|:=|=|:|\s)\s*["']?(?:(?:bearer|basic|token|digest)\s+)?)([^\s"',;&<>…]{4,})"#;

/// The password in a URL.
const IN_URL: &str = r"(://[^\s/@:]*:)([^\s/@…]+)(@)";

/// Characters that keys and digests are written in.
const RUN: &str = r"[A-Za-z0-9+/_=.~-]{12,}";

/// None of these can fail: they are constants, and a test below runs them.
fn compiled(pattern: &str) -> Option<Regex> {
    Regex::new(pattern).ok()
}

static ASSIGNED_VALUE: LazyLock<Option<Regex>> = LazyLock::new(|| compiled(ASSIGNED));
static URL_PASSWORD: LazyLock<Option<Regex>> = LazyLock::new(|| compiled(IN_URL));
static LONG_RUN: LazyLock<Option<Regex>> = LazyLock::new(|| compiled(RUN));

/// The excerpt around each of these ranges of `text`, which come sorted by their start; none shows a byte of another.
pub(super) fn around(text: &[u8], ranges: &[Range<usize>]) -> Vec<Excerpt> {
    let excerpt = |range: &Range<usize>| Excerpt {
        before: before(text, range, ranges),
        after: after(text, range, ranges),
    };
    ranges.iter().map(excerpt).collect()
}

fn before(text: &[u8], range: &Range<usize>, ranges: &[Range<usize>]) -> String {
    let from = range.start.saturating_sub(REACH);
    let line = memchr::memrchr(b'\n', &text[from..range.start]).map(|newline| from + newline + 1);
    // What is cut off in the middle may be half of a secret that nobody would know any more.
    let start = match line {
        Some(start) => start,
        None if from == 0 => 0,
        None => {
            from + text[from..range.start]
                .iter()
                .take_while(|byte| is_run(**byte))
                .count()
        }
    };
    let masked = mask(&cut_out(text, start..range.start, ranges), &text[range.clone()]);
    let masked = masked.trim_start();
    let length = masked.chars().count();
    if length <= SHOWN {
        return masked.to_owned();
    }
    let shown: String = masked.chars().skip(length - SHOWN).collect();
    format!("{MASK}{shown}")
}

fn after(text: &[u8], range: &Range<usize>, ranges: &[Range<usize>]) -> String {
    let to = (range.end + REACH).min(text.len());
    let line = memchr::memchr(b'\n', &text[range.end..to]).map(|newline| range.end + newline);
    let end = match line {
        Some(end) => end,
        None if to == text.len() => to,
        None => {
            to - text[range.end..to]
                .iter()
                .rev()
                .take_while(|byte| is_run(**byte))
                .count()
        }
    };
    let masked = mask(&cut_out(text, range.end..end, ranges), &text[range.clone()]);
    let masked = masked.trim_end();
    if masked.chars().count() <= SHOWN {
        return masked.to_owned();
    }
    let shown: String = masked.chars().take(SHOWN).collect();
    format!("{shown}{MASK}")
}

fn is_run(byte: u8) -> bool {
    !byte.is_ascii_whitespace() && !matches!(byte, b'"' | b'\'' | b',' | b';' | b'(' | b')')
}

/// The text of this part with every range that reaches into it masked.
fn cut_out(text: &[u8], part: Range<usize>, ranges: &[Range<usize>]) -> String {
    let mut shown = Vec::with_capacity(part.len());
    let mut at = part.start;
    let upper = ranges.partition_point(|range| range.start < part.end);
    let lower = upper.saturating_sub(NEIGHBOURS);
    let inside = ranges[lower..upper].iter().filter(|range| part.start < range.end);
    for range in inside {
        if range.start > at {
            shown.extend_from_slice(&text[at..range.start]);
        }
        shown.extend_from_slice(MASK.as_bytes());
        at = at.max(range.end.min(part.end));
    }
    shown.extend_from_slice(text.get(at..part.end).unwrap_or_default());
    String::from_utf8_lossy(&shown).into_owned()
}

/// Masks the secret itself, should it stand there once more, and what looks like one though no rule knows it.
fn mask(text: &str, secret: &[u8]) -> String {
    let secret = String::from_utf8_lossy(secret);
    let mut text = match secret.len() {
        0..SHORTEST => text.to_owned(),
        _ => text.replace(&*secret, MASK),
    };
    if let Some(pattern) = &*URL_PASSWORD {
        text = pattern.replace_all(&text, format!("${{1}}{MASK}$3")).into_owned();
    }
    if let Some(pattern) = &*ASSIGNED_VALUE {
        text = pattern.replace_all(&text, format!("${{1}}{MASK}")).into_owned();
    }
    if let Some(pattern) = &*LONG_RUN {
        let judged = |found: &regex::Captures<'_>| masked_run(&found[0]);
        text = pattern.replace_all(&text, judged).into_owned();
    }
    text
}

/// The run with every part of it masked that looks drawn at random.
fn masked_run(run: &str) -> String {
    let looks_random = |part: &str| part.len() >= 12 && random::is_random(part.as_bytes());
    if !run.contains(['/', '.', '=', '~']) {
        return if looks_random(run) { MASK } else { run }.to_owned();
    }
    run.split_inclusive(['/', '.', '=', '~'])
        .map(|part| if looks_random(part) { MASK } else { part })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::around;

    /// The line as it would be shown, with `<>` for the secret.
    fn shown(text: &str, secrets: &[&str]) -> Vec<String> {
        let ranges: Vec<_> = secrets
            .iter()
            .map(|secret| {
                let start = text.find(secret).unwrap();
                start..start + secret.len()
            })
            .collect();
        around(text.as_bytes(), &ranges)
            .iter()
            .map(|excerpt| format!("{}<>{}", excerpt.before, excerpt.after))
            .collect()
    }

    #[test]
    fn the_secret_is_cut_out_of_its_own_line_alone() {
        assert_eq!(
            shown("a = 1\n  key = \"SECRETSECRET\" # why\nb = 2", &["SECRETSECRET"]),
            ["key = \"<>\" # why"]
        );
        assert_eq!(shown("SECRETSECRET", &["SECRETSECRET"]), ["<>"]);
    }

    #[test]
    fn other_secrets_on_the_line_are_masked_whether_or_not_a_rule_knows_them() {
        assert_eq!(
            shown("a ONEONEONE b TWOTWOTWO c", &["ONEONEONE", "TWOTWOTWO"]),
            ["a <> b … c", "a … b <> c"]
        );
        for (line, expected) in [
            ("x SECRET password=changeit", "x <> password=…"),
            (
                "x SECRET \"db_passwd\": \"changeit\"}",
                "x <> \"db_passwd\": \"…\"}",
            ),
            ("SECRET postgres://bob:hunter2@db/x", "<> postgres://bob:…@db/x"),
            ("SECRET, and SECRET again", "<>, and … again"),
            (
                "SECRET Authorization: Bearer abcdefgh",
                "<> Authorization: Bearer …",
            ),
            (
                "import SECRET from src/cli/progress.rs",
                "import <> from src/cli/progress.rs",
            ),
        ] {
            let shown = shown(line, &["SECRET"]);
            assert_eq!(shown, [expected], "{line}");
        }
        let random = ["hT7qPz4v", "Lm2xKd9wQe5R"].concat();
        assert_eq!(shown(&format!("SECRET sum {random}"), &["SECRET"]), ["<> sum …"]);
    }

    #[test]
    fn a_line_without_end_is_cut_at_words_and_never_in_the_middle_of_one() {
        let half = "q7".repeat(300);
        let text = format!("{half} near SECRET far {half}");
        assert_eq!(shown(&text, &["SECRET"]), ["near <> far"]);
        let words = "word ".repeat(100);
        let long = &shown(&format!("{words}SECRET {words}"), &["SECRET"])[0];
        assert!(
            long.starts_with('…') && long.ends_with('…') && long.chars().count() < 160,
            "{long}"
        );
    }
}
