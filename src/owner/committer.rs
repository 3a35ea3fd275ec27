//! The author of the commit that brought a secret in, as somebody who can be written to.
//!
//! Git's names and addresses are what their writer wished: they are cleaned before anybody sees them, and an address
//! that nobody reads, or that a machine commits with, is never written to.

use crate::finding::CommitInfo;
use crate::leak::{Owner, OwnerReason};

/// Longest name that is kept, in characters.
const LONGEST_NAME: usize = 120;

/// Longest address that RFC 5321 lets through, in bytes.
const LONGEST_ADDRESS: usize = 254;

/// Top-level names and hosts that no mail goes to; git makes such addresses up where nobody set one.
const NOWHERE: [&str; 5] = ["localhost", "local", "localdomain", "invalid", "lan"];

/// The commit's author; the address only where somebody reads it.
pub fn author(commit: &CommitInfo) -> Option<Owner> {
    let name = clean(&commit.author);
    let email = address(&commit.email).filter(|email| !unread(email) && !is_bot(&name, email));
    let name = if name.is_empty() { clean(email?) } else { name };
    Some(Owner {
        name,
        email: email.map(str::to_owned),
        reason: OwnerReason::Committer,
        organisation: None,
    })
}

/// Text from elsewhere made fit for a line of a notice: no control characters, not endless.
pub fn clean(text: &str) -> String {
    let plain: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .filter(|c| !matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'))
        .take(LONGEST_NAME)
        .collect();
    plain.trim().to_owned()
}

/// The text if it is shaped like one mail address and nothing else: it will stand in a mail's header.
pub fn address(text: &str) -> Option<&str> {
    let text = text.trim();
    let (local, host) = text.rsplit_once('@')?;
    let fit = |part: &str| {
        !part.is_empty()
            && part.chars().all(|c| {
                !c.is_control()
                    && !c.is_whitespace()
                    && !matches!(c, '<' | '>' | ',' | ';' | '"' | '(' | ')' | '@' | ':' | '\\')
            })
    };
    let dotted = host.split('.').count() > 1 && host.split('.').all(|label| !label.is_empty());
    (fit(local) && fit(host) && dotted && text.len() <= LONGEST_ADDRESS).then_some(text)
}

/// Whether nobody reads mail that is sent there.
fn unread(email: &str) -> bool {
    let email = email.to_ascii_lowercase();
    let (local, host) = email.rsplit_once('@').unwrap_or((email.as_str(), ""));
    let flat: String = local.chars().filter(char::is_ascii_alphanumeric).collect();
    ["noreply", "donotreply"]
        .iter()
        .any(|word| flat.starts_with(word))
        || host
            .split('.')
            .any(|label| matches!(label, "noreply" | "no-reply"))
        || NOWHERE.iter().any(|end| host.rsplit('.').next() == Some(*end))
}

/// Whether a machine commits under this name.
fn is_bot(name: &str, email: &str) -> bool {
    let local = email.split('@').next().unwrap_or_default();
    [name, local].iter().any(|text| {
        let text = text.to_ascii_lowercase();
        text.ends_with("[bot]")
            || text.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| {
                matches!(
                    word,
                    "bot" | "dependabot" | "renovate" | "greenkeeper" | "snyk" | "autobuild"
                )
            })
            || text == "github-actions"
    })
}

#[cfg(test)]
mod tests {
    use super::{address, author, clean};
    use crate::finding::CommitInfo;

    fn who(name: &str, email: &str) -> String {
        let commit = CommitInfo {
            id: "c0ffee".to_owned(),
            author: name.to_owned(),
            email: email.to_owned(),
            date: jiff::Timestamp::UNIX_EPOCH,
        };
        author(&commit).map_or("nobody".to_owned(), |owner| {
            format!("{} <{}>", owner.name, owner.email.unwrap_or_default())
        })
    }

    #[test]
    fn an_author_keeps_an_address_that_somebody_reads() {
        assert_eq!(who("Mia", "mia@acme.example"), "Mia <mia@acme.example>");
        assert_eq!(who("", "mia@acme.example"), "mia@acme.example <mia@acme.example>");
        assert_eq!(
            who("Abbot", "abbot@acme.example"),
            "Abbot <abbot@acme.example>",
            "no bot"
        );
    }

    #[test]
    fn an_address_that_nobody_reads_is_dropped_and_the_name_kept() {
        for email in [
            "1234+mia@users.noreply.github.com",
            "noreply@github.com",
            "No-Reply@acme.example",
            "mia@laptop.local",
            "mia@laptop",
            "mia@(none)",
            "",
        ] {
            assert_eq!(who("Mia", email), "Mia <>", "{email}");
        }
        assert_eq!(who("", "mia@laptop"), "nobody");
    }

    #[test]
    fn a_bot_is_not_written_to() {
        assert_eq!(
            who("dependabot[bot]", "support@acme.example"),
            "dependabot[bot] <>"
        );
        assert_eq!(who("Release Bot", "release@acme.example"), "Release Bot <>");
        assert_eq!(who("CI", "renovate@acme.example"), "CI <>");
    }

    #[test]
    fn a_name_or_address_cannot_break_a_line_or_a_header() {
        assert_eq!(clean("Mia\r\nBcc: x\u{202e}"), "Mia  Bcc: x");
        assert_eq!(address("mia@acme.example\r\nBcc: x@y.example"), None);
        assert_eq!(address("a@b.example, c@d.example"), None);
        assert_eq!(address("a@b@c.example"), None);
    }
}
