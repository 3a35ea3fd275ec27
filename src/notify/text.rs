//! Plain text that people read: foreign text made harmless, lines wrapped.
//!
//! Nothing taken from outside may end a header line, move a cursor, or turn the reading direction.

/// Lines are wrapped before this column.
const WIDTH: usize = 76;

/// Foreign text in one harmless line of at most `most` characters: control characters, line ends and invisible
/// direction marks are written as `\u{…}`.
pub(super) fn clean(text: &str, most: usize) -> String {
    let mut shown = String::new();
    for (count, c) in text.chars().enumerate() {
        if count == most {
            shown.push('…');
            break;
        }
        if c.is_control() || invisible(c) {
            shown.extend(c.escape_unicode());
        } else {
            shown.push(c);
        }
    }
    shown.trim().to_owned()
}

/// Characters without a width, direction overrides, and Unicode's own line ends.
fn invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

/// A text whose lines are wrapped, with no line end but our own and never two empty lines in a row.
pub(super) fn wrapped(filled: &str) -> String {
    let mut text = String::new();
    let mut empty = true;
    for line in filled.lines() {
        let line = line.trim_end();
        if !(line.is_empty() && empty) {
            wrap(line, &mut text);
        }
        empty = line.is_empty();
    }
    text.truncate(text.trim_end().len());
    text.push('\n');
    text
}

/// Breaks a line at spaces; what follows stands under its beginning, and a word longer than a line stays whole, so
/// that a link can be followed.
fn wrap(line: &str, text: &mut String) {
    let mut hang = line.len() - line.trim_start_matches(' ').len();
    let after = line[hang..].trim_start_matches(|c: char| c.is_ascii_digit());
    let digits = line.len() - hang - after.len();
    if after.starts_with("- ") || digits > 0 && after.starts_with(". ") {
        hang += digits + 2;
    }
    let mut column = 0;
    for (at, word) in line.split(' ').enumerate() {
        let length = word.chars().count();
        if at > 0 && column + 1 + length > WIDTH && column > hang {
            text.push('\n');
            text.push_str(&" ".repeat(hang));
            column = hang;
        } else if at > 0 {
            text.push(' ');
            column += 1;
        }
        text.push_str(word);
        column += length;
    }
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::{clean, wrapped};

    #[test]
    fn foreign_text_cannot_end_a_line_or_turn_the_direction() {
        assert_eq!(
            clean("a\r\nBcc: x\u{202e}y\u{2028}\u{1b}[2J", 100),
            "a\\u{d}\\u{a}Bcc: x\\u{202e}y\\u{2028}\\u{1b}[2J"
        );
        assert_eq!(clean("abcdef", 3), "abc…");
    }

    #[test]
    fn long_lines_are_wrapped_under_their_beginning_and_links_stay_whole() {
        let link = format!("https://example.com/{}", "x".repeat(90));
        let text = wrapped(&format!("  1. {} {link}", "word ".repeat(30)));
        assert!(
            text.lines()
                .all(|line| line.chars().count() <= 76 || line.contains(&link)),
            "{text}"
        );
        assert!(
            text.lines().skip(1).all(|line| line.starts_with("     ")),
            "{text}"
        );
        assert!(text.contains(&format!(" {link}\n")), "{text}");
    }
}
