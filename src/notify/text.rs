//! Plain text that people read: foreign text made harmless, templates filled, lines wrapped.
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

/// Fills `{name}` in a template, once: what a value holds is never filled again. A line with an empty value is left
/// out; a value of several lines keeps the line's indent. Then every line is wrapped.
pub(super) fn fill(template: &str, values: &[(&str, String)]) -> String {
    let mut text = String::new();
    for line in template.lines() {
        let Some(filled) = fill_line(line, values) else {
            continue;
        };
        let indent: String = line.chars().take_while(|c| *c == ' ').collect();
        for (at, part) in filled.lines().enumerate() {
            wrap(if at == 0 { "" } else { &indent }, part, &mut text);
        }
        if filled.is_empty() {
            text.push('\n');
        }
    }
    text
}

fn fill_line(line: &str, values: &[(&str, String)]) -> Option<String> {
    let mut filled = String::new();
    let mut rest = line;
    while let Some((before, after)) = rest.split_once('{') {
        filled.push_str(before);
        let (name, after) = after.split_once('}')?;
        let (_, value) = values.iter().find(|(known, _)| *known == name)?;
        if value.is_empty() {
            return None;
        }
        filled.push_str(value);
        rest = after;
    }
    filled.push_str(rest);
    Some(filled)
}

/// Breaks a line at spaces; what follows stands under its beginning, and a word longer than a line stays whole, so
/// that a link can be followed.
fn wrap(indent: &str, line: &str, text: &mut String) {
    let line = format!("{indent}{line}");
    let mut hang = line.len() - line.trim_start_matches(' ').len();
    if line[hang..].starts_with("- ") {
        hang += 2;
    }
    let mut column = 0;
    for (at, word) in line.trim_end().split(' ').enumerate() {
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
    use super::{clean, fill};

    #[test]
    fn foreign_text_cannot_end_a_line_or_turn_the_direction() {
        assert_eq!(
            clean("a\r\nBcc: x\u{202e}y\u{2028}\u{1b}[2J", 100),
            "a\\u{d}\\u{a}Bcc: x\\u{202e}y\\u{2028}\\u{1b}[2J"
        );
        assert_eq!(clean("abcdef", 3), "abc…");
    }

    #[test]
    fn a_value_is_never_filled_again_and_an_empty_one_takes_its_line_along() {
        let values = [("a", "{b} {".to_owned()), ("b", String::new())];
        assert_eq!(fill("x {a}\n- {b}\ny", &values), "x {b} {\ny\n");
    }

    #[test]
    fn long_lines_are_wrapped_under_their_beginning_and_links_stay_whole() {
        let link = format!("https://example.com/{}", "x".repeat(90));
        let text = fill(
            "  - {words} {link}",
            &[("words", "word ".repeat(30)), ("link", link.clone())],
        );
        assert!(
            text.lines()
                .all(|line| line.chars().count() <= 76 || line.contains(&link)),
            "{text}"
        );
        assert!(
            text.lines().skip(1).all(|line| line.starts_with("    ")),
            "{text}"
        );
        assert!(text.contains(&format!(" {link}\n")), "{text}");
    }
}
