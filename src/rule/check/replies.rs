//! Proves expectations: that each says something, and that no reply can mean two things.

use super::Notes;
use super::calls::is_pointer;
use crate::rule::file::Expect;

/// What `live` and `dead` say must be told apart by every reply.
pub(super) fn verdicts(place: &str, live: &[Expect], dead: &[Expect], notes: &mut Notes<'_>) {
    notes.add_unless(
        !live.is_empty(),
        format!("{place}.live is empty"),
        "say which reply proves a token alive, or switch verify off with false",
    );
    each(&format!("{place}.live"), live, false, notes);
    each(&format!("{place}.dead"), dead, true, notes);
    for (l, alive) in live.iter().enumerate() {
        for (d, gone) in dead.iter().enumerate() {
            notes.add_unless(
                disjoint(alive, gone),
                format!(
                    "{place}: one reply could be live no. {} and dead no. {} at once",
                    l + 1,
                    d + 1
                ),
                "tell them apart by status, by a body text each, or by a value at the same JSON pointer",
            );
        }
    }
    for (at, expect) in dead.iter().enumerate() {
        if let Some(first) = dead[..at].iter().position(|earlier| covers(earlier, expect)) {
            notes.add(
                format!(
                    "{place}.dead no. {} is never reached: no. {} takes its replies",
                    at + 1,
                    first + 1
                ),
                "put the more exact one first",
            );
        }
    }
}

/// What each expectation of a list must be.
pub(super) fn each(place: &str, list: &[Expect], why_allowed: bool, notes: &mut Notes<'_>) {
    for (at, expect) in list.iter().enumerate() {
        let place = format!("{place} no. {}", at + 1);
        notes.add_unless(
            expect.status.is_some_and(|status| (100..600).contains(&status)),
            format!("{place} names no status code"),
            "give status = 200 or the like: a body alone may come from anybody",
        );
        notes.add_unless(
            expect.body.as_deref() != Some("") && expect.without.as_deref() != Some(""),
            format!("{place} looks for an empty text"),
            "give a text, or leave it out",
        );
        notes.add_unless(
            expect
                .json
                .keys()
                .all(|pointer| is_pointer(pointer) && !pointer.contains('*')),
            format!("{place}.json holds a key that is no JSON pointer to one value"),
            "a pointer begins with / and has no *",
        );
        let pointers = expect.absent.iter().chain(&expect.certifies);
        notes.add_unless(
            pointers
                .clone()
                .all(|pointer| pointer.starts_with('/') && !pointer.contains('*')),
            format!("{place}: absent and certifies are JSON pointers to one value"),
            "a pointer begins with / and has no *; {name} in it is filled in",
        );
        notes.add_unless(
            why_allowed || expect.why.is_none(),
            format!("{place} has a why"),
            "only dead has one",
        );
    }
}

/// Whether no reply can meet both. Two body texts, none part of the other, are taken to tell replies apart.
fn disjoint(a: &Expect, b: &Expect) -> bool {
    let status = a.status.zip(b.status).is_some_and(|(a, b)| a != b);
    let json = a
        .json
        .iter()
        .any(|(pointer, value)| b.json.get(pointer).is_some_and(|other| other != value));
    let text = a
        .body
        .as_ref()
        .zip(b.body.as_ref())
        .is_some_and(|(a, b)| !a.contains(b.as_str()) && !b.contains(a.as_str()));
    let shuts_out = |without: Option<&String>, body: Option<&String>| {
        without
            .zip(body)
            .is_some_and(|(without, body)| body.contains(without.as_str()))
    };
    let key = |certifies: &Expect, absent: &Expect| {
        certifies.certifies.is_some() && certifies.certifies == absent.absent
    };
    status
        || json
        || text
        || key(a, b)
        || key(b, a)
        || shuts_out(a.without.as_ref(), b.body.as_ref())
        || shuts_out(b.without.as_ref(), a.body.as_ref())
}

/// Whether every reply that meets `special` meets `general` too.
fn covers(general: &Expect, special: &Expect) -> bool {
    let text = general.body.as_ref().is_none_or(|text| {
        special
            .body
            .as_ref()
            .is_some_and(|other| other.contains(text.as_str()))
    });
    let without = general
        .without
        .as_ref()
        .is_none_or(|text| special.without.as_ref() == Some(text));
    let json = general
        .json
        .iter()
        .all(|(pointer, value)| special.json.get(pointer) == Some(value));
    let more = (general.absent.is_none() || general.absent == special.absent)
        && (general.certifies.is_none() || general.certifies == special.certifies);
    general.status == special.status && text && without && json && more
}

#[cfg(test)]
mod tests {
    use super::{covers, disjoint};
    use crate::rule::file::Expect;

    fn expect(toml: &str) -> Expect {
        toml::from_str(toml).unwrap()
    }

    #[test]
    fn replies_are_told_apart_by_status_text_or_value_and_by_nothing_else() {
        let bare = expect("status = 403");
        let scope = expect("status = 403\nbody = 'insufficient_scope'");
        assert!(disjoint(&bare, &expect("status = 401")));
        assert!(!disjoint(&bare, &scope));
        assert!(disjoint(&scope, &expect("status = 403\nbody = 'revoked'")));
        assert!(!disjoint(&scope, &expect("status = 403\nbody = 'scope'")));
        assert!(disjoint(&scope, &expect("status = 403\nwithout = 'scope'")));
        let ok = expect("status = 200\njson = { '/ok' = true }");
        assert!(disjoint(&ok, &expect("status = 200\njson = { '/ok' = false }")));
        assert!(!disjoint(&ok, &expect("status = 200\njson = { '/error' = 'x' }")));
    }

    #[test]
    fn an_expectation_covers_those_that_ask_for_more() {
        let bare = expect("status = 401");
        let exact = expect("status = 401\nbody = 'was revoked'");
        assert!(covers(&bare, &exact));
        assert!(!covers(&exact, &bare));
        assert!(covers(&expect("status = 401\nbody = 'revoked'"), &exact));
    }
}
