//! How often a word stands in source text: an estimate, for who writes rules.
//!
//! Counted in 9 MB of the sources of git, redis, ansible and flask: every text of two, three or four printable
//! characters, in lower case, that stands there [`LEAST`] times in a million bytes or more. Must never be asked by a
//! scan: what a text holds is told by the text.

use std::collections::HashMap;
use std::sync::LazyLock;

/// The lowest count that was kept, for every million bytes.
pub const LEAST: u32 = 50;

static COUNTS: LazyLock<HashMap<&str, u32>> = LazyLock::new(|| {
    let line = |line: &'static str| {
        let (text, count) = line.split_once(' ')?;
        Some((text, count.parse().ok()?))
    };
    include_str!("typical.txt").lines().filter_map(line).collect()
});

/// How often a word stands in a million bytes, at most; 0 if less often than [`LEAST`].
pub fn per_million(word: &str) -> u32 {
    let word = word.to_ascii_lowercase();
    let letters: Vec<(usize, char)> = word.char_indices().collect();
    let length = letters.len().clamp(2, 4);
    let pieces = letters.windows(length).map(|piece| {
        let (first, last) = (piece[0], piece[length - 1]);
        let piece = &word[first.0..last.0 + last.1.len_utf8()];
        COUNTS.get(piece).copied().unwrap_or(0)
    });
    pieces.min().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::{LEAST, per_million};

    #[test]
    fn common_words_are_known_as_common_and_prefixes_of_tokens_as_rare() {
        for word in ["key", "HTTP", "pass", "://", "if"] {
            assert!(per_million(word) >= LEAST, "{word}");
        }
        for word in ["ghp_", "xoxb-", "okta", "é"] {
            assert_eq!(per_million(word), 0, "{word}");
        }
    }
}
