//! How a value is asked for in a text of a rule file: `{name}`, or `{how:name}`. It reads the text only; what stands for a
//! name, and how it is escaped, is decided by whoever fills it in.
//!
//! | written | is |
//! |---|---|
//! | `{name}` | the value |
//! | `{basic:name}`, `{basic:"{a}:{b}"}` | its base64, or that of a text with values in it |
//! | `{sha256:name}` | the SHA-256 in lower-case hexadecimal |
//! | `{first8:name}`, `{last4:name}` | its first or last so many characters |
//! | `{user:name}`, `{password:name}` | of a value `user:password`, the one or the other |
//!
//! Braces around anything else are text: a JSON body is full of them.

use std::collections::BTreeSet;

/// What is made of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// The value itself.
    Plain,
    /// Its base64.
    Basic,
    /// Its SHA-256 in hexadecimal.
    Sha256,
    /// What stands before its first colon.
    User,
    /// What stands after its first colon.
    Password,
    /// Its first so many characters, as services show them in lists.
    First(usize),
    /// Its last so many characters.
    Last(usize),
}

impl How {
    fn named(word: &str) -> Option<Self> {
        Some(match word {
            "basic" => Self::Basic,
            "sha256" => Self::Sha256,
            "user" => Self::User,
            "password" => Self::Password,
            _ => {
                let count = |digits: &str| digits.parse().ok().filter(|count| (1..=99).contains(count));
                match (word.strip_prefix("first"), word.strip_prefix("last")) {
                    (Some(digits), _) => Self::First(count(digits)?),
                    (_, Some(digits)) => Self::Last(count(digits)?),
                    (None, None) => return None,
                }
            }
        })
    }
}

/// A stretch of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece<'t> {
    /// As it stands.
    Text(&'t str),
    /// To be filled in.
    Hole(Hole<'t>),
}

/// A place to be filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hole<'t> {
    /// As it is written, braces included.
    pub whole: &'t str,
    /// What is made of it.
    pub how: How,
    /// What it is made of.
    pub parts: Vec<Part<'t>>,
}

impl<'t> Hole<'t> {
    /// The names in it.
    pub fn names(&self) -> impl Iterator<Item = &'t str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Name(name) => Some(*name),
            Part::Text(_) => None,
        })
    }
}

/// A part of a hole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part<'t> {
    /// As it stands.
    Text(&'t str),
    /// The value of this name.
    Name(&'t str),
}

/// The pieces of a text, in order.
pub fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let (mut from, mut at) = (0, 0);
    while let Some(open) = text[at..].find('{').map(|found| at + found) {
        at = open + 1;
        if let Some(hole) = hole(&text[open..]) {
            pieces.push(Piece::Text(&text[from..open]));
            at = open + hole.whole.len();
            from = at;
            pieces.push(Piece::Hole(hole));
        }
    }
    pieces.push(Piece::Text(&text[from..]));
    pieces.retain(|piece| !matches!(piece, Piece::Text("")));
    pieces
}

/// The holes of a text.
pub fn holes(text: &str) -> Vec<Hole<'_>> {
    let hole = |piece| match piece {
        Piece::Hole(hole) => Some(hole),
        Piece::Text(_) => None,
    };
    pieces(text).into_iter().filter_map(hole).collect()
}

/// The names of all values in a text.
pub fn names(text: &str) -> BTreeSet<String> {
    let holes = holes(text);
    holes.iter().flat_map(Hole::names).map(str::to_owned).collect()
}

/// The hole that `text` begins with.
fn hole(text: &str) -> Option<Hole<'_>> {
    let inside = text.strip_prefix('{')?;
    let plain = |how, name: &mut &str| -> Option<usize> {
        let end = name.find('}')?;
        *name = &name[..end];
        let used =
            1 + if how == How::Plain {
                0
            } else {
                inside.find(':')? + 1
            } + end
                + 1;
        is_name(name).then_some(used)
    };
    let (how, mut rest) = match inside.split_once(':') {
        Some((word, rest)) if How::named(word).is_some() => (How::named(word)?, rest),
        _ => (How::Plain, inside),
    };
    if let Some(quoted) = rest.strip_prefix('"').filter(|_| how != How::Plain) {
        let end = quoted.find("\"}")?;
        let parts = parts(&quoted[..end]);
        let whole = text.len() - quoted.len() + end + 2;
        let filled = parts.iter().any(|part| matches!(part, Part::Name(_)));
        return filled.then(|| Hole {
            whole: &text[..whole],
            how,
            parts,
        });
    }
    let used = plain(how, &mut rest)?;
    Some(Hole {
        whole: &text[..used],
        how,
        parts: vec![Part::Name(rest)],
    })
}

/// What stands between the quotes of a hole.
fn parts(text: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    for piece in pieces(text) {
        match piece {
            Piece::Text(text) => parts.push(Part::Text(text)),
            Piece::Hole(hole) if hole.how == How::Plain => parts.extend(hole.parts),
            Piece::Hole(hole) => parts.push(Part::Text(hole.whole)),
        }
    }
    parts
}

fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-')
}

#[cfg(test)]
mod tests {
    use super::{How, Part, holes, names};

    #[test]
    fn json_braces_are_no_holes() {
        let written = |text| -> Vec<_> { holes(text).into_iter().map(|hole| hole.whole).collect() };
        assert_eq!(written(r#"{"a":{"token":"{secret}"},"b":{}}"#), ["{secret}"]);
        assert_eq!(written("Basic {basic:operator}"), ["{basic:operator}"]);
        assert_eq!(written("{a}{b-c}/{D}/{"), ["{a}", "{b-c}"]);
        assert_eq!(
            written("{what:a}{basic:}{basic:\"no name\"}{basic:\"{a}\""),
            ["{a}"]
        );
    }

    #[test]
    fn a_hole_may_be_made_of_several_values() {
        let text = r#"Basic {basic:"{user_id}:{secret}"} {sha256:secret}"#;
        let holes = holes(text);
        let parts = [Part::Name("user_id"), Part::Text(":"), Part::Name("secret")];
        assert_eq!(holes[0].parts, parts);
        assert_eq!((holes[0].how, holes[1].how), (How::Basic, How::Sha256));
        assert_eq!(names(text).len(), 2);
    }
}
