//! How things look on every page: what surrounds it, times, foreign text made harmless.

use jiff::{SignedDuration, Timestamp};

use super::assets::VERSION;
use super::viewer::Viewer;
use crate::finding::Severity;

/// Longest piece of foreign text on a page, in characters.
const LONGEST: usize = 400;

/// What surrounds a page.
pub(super) struct Frame {
    pub(super) title: String,
    /// Which of the sections of the navigation it is in; empty for none.
    pub(super) section: &'static str,
    pub(super) who: Option<Who>,
    /// The key that each form carries.
    pub(super) key: String,
    /// What was just done, in a sentence.
    pub(super) said: Option<&'static str>,
    pub(super) version: &'static str,
}

/// Whoever is signed in.
pub(super) struct Who {
    pub(super) name: String,
    pub(super) operator: bool,
}

impl Frame {
    pub(super) fn new(title: &str, section: &'static str, viewer: Option<&Viewer>, said: &str) -> Self {
        Self {
            title: title.to_owned(),
            section,
            who: viewer.map(|viewer| Who {
                name: viewer.name.clone(),
                operator: viewer.is_operator(),
            }),
            key: viewer.map(Viewer::form_key).unwrap_or_default(),
            said: done(said),
            version: VERSION.as_str(),
        }
    }

    /// The name of whoever is signed in.
    pub(super) fn name(&self) -> &String {
        static NOBODY: String = String::new();
        self.who.as_ref().map_or(&NOBODY, |who| &who.name)
    }

    /// Whether a section of the navigation is the one we are in.
    pub(super) fn is(&self, section: &str) -> bool {
        self.section == section
    }
}

/// The sentence for a word that a redirect of ours carried; any other word says nothing.
fn done(word: &str) -> Option<&'static str> {
    Some(match word {
        "signed-out" => "You are signed out.",
        "at-work" => "It has begun. This page follows it.",
        "asked" => "A worker asks the service now. This page follows it.",
        "approved" => "Your yes is written down. This page follows what comes of it.",
        "stopped" => "Everything is stopped.",
        "resumed" => "Revocations and containments go on.",
        "dismissed" => "The leak is dismissed. Nobody is told of it any more, and nothing is done about it.",
        "reinstated" => "The leak counts again.",
        "requeued" => "The tasks are due again.",
        "saved" => "Saved.",
        "member" => "The member is changed.",
        "added" => "It is made.",
        "revoked" => "The token is revoked: it is dead everywhere.",
        "blocked" => "The token is blocked for this organisation; elsewhere it lives on.",
        "unblocked" => "The organisation lets the token in again.",
        "owner-asked" => "Its owner is asked to stop it.",
        "already" => "That had been done before; nothing was changed.",
        _ => return None,
    })
}

/// A moment, for people and for machines.
pub(super) struct When {
    pub(super) machine: String,
    pub(super) people: String,
    pub(super) ago: String,
}

impl When {
    pub(super) fn new(at: Timestamp) -> Self {
        Self {
            machine: format!("{at:.0}"),
            people: at.strftime("%Y-%m-%d %H:%M UTC").to_string(),
            ago: ago(Timestamp::now().duration_since(at)),
        }
    }

    pub(super) fn of_seconds(seconds: i64) -> Self {
        Self::new(Timestamp::from_second(seconds).unwrap_or(Timestamp::UNIX_EPOCH))
    }

    pub(super) fn of_microseconds(microseconds: i64) -> Self {
        Self::new(Timestamp::from_microsecond(microseconds).unwrap_or(Timestamp::UNIX_EPOCH))
    }
}

fn ago(since: SignedDuration) -> String {
    if since < SignedDuration::from_secs(-60) {
        return format!("in {}", length(since.abs()));
    }
    if since < SignedDuration::from_secs(60) {
        return "just now".to_owned();
    }
    format!("{} ago", length(since))
}

/// A length of time in its largest unit but one: `3 h 20 min`.
pub(super) fn length(duration: SignedDuration) -> String {
    let minutes = duration.as_mins();
    let (days, hours) = (minutes / 1440, minutes / 60 % 24);
    match (days, hours, minutes % 60) {
        (0, 0, 0) => format!("{} s", duration.as_secs()),
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, 0) => format!("{hours} h"),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (1, 0, _) => "1 day".to_owned(),
        (days, 0, _) => format!("{days} days"),
        (days, _, _) if days > 6 => format!("{days} days"),
        (days, hours, _) => format!("{days} d {hours} h"),
    }
}

/// Foreign text on one line: nothing that hides or turns text around, and no more than fits.
pub(super) fn clean(text: &str) -> String {
    let mut clean: String = text
        .chars()
        .map(|c| if is_harmful(c) { '\u{fffd}' } else { c })
        .take(LONGEST)
        .collect();
    if text.chars().nth(LONGEST).is_some() {
        clean.push('…');
    }
    clean
}

fn is_harmful(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// Foreign text in which addresses are left out unless the visitor may see them.
pub(super) fn without_addresses(text: &str, sees: bool) -> String {
    let text = clean(text);
    if sees || !text.contains('@') {
        return text;
    }
    let hidden = text.split(' ').map(|word| {
        // a handle as @acme/security is no address: nothing stands before it
        let is_address = word.split_once('@').is_some_and(|(before, _)| {
            before.ends_with(|c: char| c.is_alphanumeric() || "._-+\"".contains(c))
        });
        if is_address { "(address hidden)" } else { word }
    });
    hidden.collect::<Vec<_>>().join(" ")
}

/// A part of a query: `name=value`, or nothing for an empty value.
pub(super) fn pair(name: &str, value: &str) -> String {
    if value.is_empty() {
        return String::new();
    }
    let value: String = url::form_urlencoded::byte_serialize(value.as_bytes()).collect();
    format!("&{name}={value}")
}

/// The severity of this word.
pub(super) fn severity(word: &str) -> Option<Severity> {
    [
        Severity::Critical,
        Severity::High,
        Severity::Medium,
        Severity::Low,
        Severity::Info,
    ]
    .into_iter()
    .find(|severity| severity.to_string() == word)
}

/// An address that a page may link to.
pub(super) fn link(text: &str) -> Option<String> {
    let url = url::Url::parse(text).ok()?;
    matches!(url.scheme(), "https" | "http").then(|| url.to_string())
}

#[cfg(test)]
mod tests {
    use super::{clean, length, without_addresses};
    use jiff::SignedDuration;

    #[test]
    fn addresses_are_hidden_and_handles_are_not() {
        let text = "told Ada <ada@example.com> and @acme/security";
        assert_eq!(without_addresses(text, true), text);
        let hidden = without_addresses(text, false);
        assert!(
            !hidden.contains("example.com") && hidden.contains("@acme/security"),
            "{hidden}"
        );
        assert!(!without_addresses("(ada@example.com)", false).contains("ada"));
    }

    #[test]
    fn what_turns_text_around_is_shown_as_a_mark() {
        assert_eq!(clean("a\u{202e}b\nc"), "a\u{fffd}b\u{fffd}c");
        assert!(clean(&"x".repeat(5000)).chars().count() < 500);
    }

    #[test]
    fn lengths_are_said_as_people_say_them() {
        for (seconds, said) in [
            (5, "5 s"),
            (90, "1 min"),
            (3600, "1 h"),
            (5400, "1 h 30 min"),
            (86_400, "1 day"),
            (100_000, "1 d 3 h"),
            (864_000, "10 days"),
        ] {
            assert_eq!(length(SignedDuration::from_secs(seconds)), said);
        }
    }
}
