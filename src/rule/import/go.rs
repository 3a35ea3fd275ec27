//! Go's regular expressions (RE2) in the syntax of the `regex` crate, which is close to it and not the same.
//!
//! What means something else here is rewritten: `\Q…\E`, `\<`, a brace that counts nothing, and in classes `[`, `&&`,
//! `--` and `~~`. As in Go, `\b`, `\w`, `\d` and `\s` are ASCII. Two differences stay: a dot and a negated class are one
//! byte and not one character, and `\s` is also a vertical tab. Must never widen a pattern silently: what cannot be
//! rewritten is left for the compiler to refuse.

use std::iter::Peekable;
use std::str::Chars;

use anyhow::{Result, bail};

/// Most characters of a pattern.
pub(super) const LONGEST: usize = 16 << 10;

/// Most classes beyond ASCII in one pattern: each takes kilobytes.
const MOST_UNICODE: usize = 100;

/// The pattern in our syntax; fails for one that is too long, or whose class does not end.
pub(super) fn translate(pattern: &str) -> Result<String> {
    if pattern.len() > LONGEST {
        bail!(
            "the pattern has {} bytes; at most {LONGEST} are read",
            pattern.len()
        );
    }
    let mut reader = Reader {
        rest: pattern.chars().peekable(),
        written: String::with_capacity(pattern.len() + 16),
        unicode: 0,
    };
    while let Some(c) = reader.rest.next() {
        match c {
            '\\' => reader.escape(),
            '[' => reader.class()?,
            '{' if !counts(reader.rest.clone()) => reader.written.push_str("\\{"),
            other => reader.written.push(other),
        }
    }
    if reader.unicode > MOST_UNICODE {
        bail!(
            "the pattern has {} classes beyond ASCII; at most {MOST_UNICODE} are read",
            reader.unicode
        );
    }
    Ok(reader.written)
}

/// Whether `3}`, `3,}` or `3,5}` comes next.
fn counts(mut rest: Peekable<Chars<'_>>) -> bool {
    let digits = |rest: &mut Peekable<Chars<'_>>| {
        let mut any = false;
        while rest.next_if(char::is_ascii_digit).is_some() {
            any = true;
        }
        any
    };
    if !digits(&mut rest) {
        return false;
    }
    if rest.next_if_eq(&',').is_some() {
        digits(&mut rest);
    }
    rest.next() == Some('}')
}

struct Reader<'p> {
    rest: Peekable<Chars<'p>>,
    written: String,
    unicode: usize,
}

/// One item of a class.
enum Item {
    /// A character, as it is written.
    One(String),
    /// Several: `\d`, `[:alpha:]`.
    Many(String),
}

impl Reader<'_> {
    fn escape(&mut self) {
        match self.rest.next() {
            Some('Q') => self.quoted(),
            Some('E') | None => {}
            Some(c @ ('<' | '>')) => self.written.push(c),
            Some(c @ ('p' | 'P')) => {
                let name = self.property();
                self.unicode += 1;
                self.written.push_str(&format!("(?u:\\{c}{name})"));
            }
            Some(c) => self.written.extend(['\\', c]),
        }
    }

    fn quoted(&mut self) {
        while let Some(c) = self.rest.next() {
            if c == '\\' && self.rest.next_if_eq(&'E').is_some() {
                return;
            }
            self.written.push_str(&regex_syntax::escape(&c.to_string()));
        }
    }

    /// `L` or `{Greek}`.
    fn property(&mut self) -> String {
        let mut name = String::new();
        match self.rest.next() {
            Some('{') => {
                name.push('{');
                for c in self.rest.by_ref() {
                    name.push(c);
                    if c == '}' {
                        break;
                    }
                }
            }
            other => name.extend(other),
        }
        name
    }

    fn class(&mut self) -> Result<()> {
        let mut class = String::from("[");
        if self.rest.next_if_eq(&'^').is_some() {
            class.push('^');
        }
        let mut unicode = false;
        if self.rest.next_if_eq(&']').is_some() {
            class.push_str("\\]");
        }
        loop {
            match self.item(&mut unicode)? {
                None => break,
                Some(Item::Many(text)) => class.push_str(&text),
                Some(Item::One(low)) => {
                    class.push_str(&low);
                    let mut ahead = self.rest.clone();
                    let range = ahead.next() == Some('-') && ahead.peek().is_some_and(|&c| c != ']');
                    if range {
                        self.rest.next();
                        match self.item(&mut unicode)? {
                            Some(Item::One(high)) => class.extend(["-", &high]),
                            _ => bail!("a class has a range that ends in no character"),
                        }
                    }
                }
            }
        }
        class.push(']');
        if unicode {
            self.unicode += 1;
            self.written.push_str(&format!("(?u:{class})"));
        } else {
            self.written.push_str(&class);
        }
        Ok(())
    }

    /// The next item of a class; nothing at its end.
    fn item(&mut self, unicode: &mut bool) -> Result<Option<Item>> {
        let Some(c) = self.rest.next() else {
            bail!("a class begins with [ and never ends");
        };
        Ok(Some(match c {
            ']' => return Ok(None),
            '[' if self.rest.peek() == Some(&':') => Item::Many(self.named()),
            '\\' => match self.rest.next() {
                None => bail!("the pattern ends in a backslash"),
                // In Go these are ASCII also in a class that holds other letters.
                Some('d') => Item::Many("0-9".to_owned()),
                Some('w') => Item::Many("0-9A-Za-z_".to_owned()),
                Some('s') => Item::Many("\\t\\n\\f\\r ".to_owned()),
                Some('D') => Item::Many("[^0-9]".to_owned()),
                Some('W') => Item::Many("[^0-9A-Za-z_]".to_owned()),
                Some('S') => Item::Many("[^\\t\\n\\f\\r ]".to_owned()),
                Some(c @ ('p' | 'P')) => {
                    *unicode = true;
                    Item::Many(format!("\\{c}{}", self.property()))
                }
                Some(c @ ('<' | '>')) => Item::One(c.to_string()),
                Some('x') => Item::One(self.hexadecimal()),
                Some(c) => Item::One(format!("\\{c}")),
            },
            '-' | '&' | '~' | '[' | '^' => Item::One(format!("\\{c}")),
            other => {
                *unicode |= !other.is_ascii();
                Item::One(other.to_string())
            }
        }))
    }

    /// `[:alpha:]`, as it is; a bracket that only looks like its beginning is a character.
    fn named(&mut self) -> String {
        let mut ahead = self.rest.clone();
        let mut name = String::from("[");
        while let Some(c) = ahead.next_if(|c| c.is_ascii_lowercase() || matches!(c, ':' | '^')) {
            name.push(c);
        }
        if name.ends_with(':') && name.len() > 3 && ahead.next() == Some(']') {
            self.rest = ahead;
            name.push(']');
            return name;
        }
        "\\[".to_owned()
    }

    /// `\x7F` or `\x{10FFFF}`, whole, so that what follows is not taken for an item of its own.
    fn hexadecimal(&mut self) -> String {
        let mut text = String::from("\\x");
        if self.rest.peek() == Some(&'{') {
            for c in self.rest.by_ref() {
                text.push(c);
                if c == '}' {
                    break;
                }
            }
        } else {
            text.extend(self.rest.by_ref().take(2));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use regex::bytes::{Regex, RegexBuilder};

    use super::translate;

    fn built(pattern: &str) -> Regex {
        let text = translate(pattern).unwrap();
        RegexBuilder::new(&text)
            .unicode(false)
            .build()
            .unwrap_or_else(|error| panic!("{pattern} became {text}: {error}"))
    }

    #[test]
    fn what_go_reads_in_its_own_way_means_the_same_here() {
        for (pattern, matches, not) in [
            (r"^\Qa.b[c\E+$", "a.b[cc", "axb[c"),
            (r"^\<token\>$", "<token>", "token"),
            (r"^${x}{a,b}{2}$", "", "x"),
            (r"^\$\{[a-z]{2}\}$", "${ab}", "${a}"),
            (r"^{{[a-z]+}}$", "{{abc}}", "abc"),
            (r"^[[a&&b]+$", "[a&b", "c"),
            (r"^[+--~~]+$", "+,-~", "b"),
            (r"^[]a]+$", "]a", "b"),
            (r"^[^]a]+$", "bc", "]"),
            (r"^[[:alnum:]_\-]+$", "aZ9_-", "."),
            (r"^[\w.-]+$", "a.b-c_9", "a b"),
            (r"^[+\--9]+$", "+-.9", "a"),
            (r#"^[\x20-\x7E"']+$"#, "a ~", "\u{7f}"),
            (r"^[é-ü]+$", "éü", "a"),
            (r"^\pL+\p{Greek}$", "aβ", "1β"),
            (r"^(?P<name>a{2,})b{1,3}$", "aabbb", "ab"),
        ] {
            let regex = built(pattern);
            if pattern != r"^${x}{a,b}{2}$" {
                assert!(regex.is_match(matches.as_bytes()), "{pattern} on {matches}");
            }
            assert!(!regex.is_match(not.as_bytes()), "{pattern} on {not}");
        }
    }

    #[test]
    fn what_has_no_end_or_is_too_long_is_refused() {
        for pattern in [
            "[a-z",
            "[a\\",
            &"a".repeat(20_000),
            &r"\pL".repeat(200),
            r"[a-\d]",
        ] {
            assert!(translate(pattern).is_err(), "{}", &pattern[..4]);
        }
    }
}
