//! Lines of the ledger as sentences.

use serde_json::Value;

use super::shown::{When, without_addresses};
use super::trouble::sentence;
use crate::store::Line;

/// What happened to a leak once.
pub(super) struct Event {
    pub(super) when: When,
    pub(super) what: String,
    pub(super) by: String,
    /// Which kind of thing, for its mark: `good`, `bad`, `asked` or empty.
    pub(super) mark: &'static str,
}

/// What a line says, to somebody who sees addresses or does not.
pub(super) fn event(line: &Line, sees: bool) -> Event {
    let detail: Value = serde_json::from_str(&line.detail).unwrap_or_default();
    let (what, mark) = said(&line.action, &detail);
    Event {
        when: When::of_microseconds(line.at),
        what: without_addresses(&sentence(&what), sees),
        by: without_addresses(&line.actor, sees),
        mark,
    }
}

fn said(action: &str, detail: &Value) -> (String, &'static str) {
    let text = |name: &str| detail[name].as_str().unwrap_or_default().to_owned();
    let behind = |said: &str, more: String| match more.is_empty() {
        true => said.to_owned(),
        false => format!("{said}: {more}"),
    };
    let many = |name: &str| detail[name].as_u64().unwrap_or_default();
    match action {
        "found" => (
            format!("found, in {} places", many("places")).replace("in 1 places", "in one place"),
            "bad",
        ),
        "seen" => (
            format!("seen again, in {} new places", many("places")).replace("1 new places", "one new place"),
            "",
        ),
        "verified" => verified(&detail["verdict"]),
        "owners" => match many("count") {
            1 => ("one person must hear of it".to_owned(), ""),
            count => (format!("{count} people must hear of it"), ""),
        },
        "told" => (format!("told {} by {}", text("owner"), text("channel")), ""),
        "not-told" => (
            behind(
                &format!("could not tell {} by {}", text("owner"), text("channel")),
                text("why"),
            ),
            "bad",
        ),
        "decided" => (
            behind(&format!("the policy decided: {}", text("decision")), text("why")),
            "asked",
        ),
        "approved" => (format!("said yes: {}", text("action")), "asked"),
        "confirmed" => (format!("confirmed by hand: {}", text("action")), "asked"),
        "not-done" => (behind("was not done", text("why")), "bad"),
        "dismissed" => (behind("dismissed", text("why")), "asked"),
        "reinstated" => (behind("a dismissal was taken back", text("why")), "asked"),
        "asked-for" => ("asked a worker to look at it again".to_owned(), "asked"),
        "closed" => (behind("closed, and the secret wiped", text("why")), "good"),
        "reopened" => ("opened again: the token lives after all".to_owned(), "bad"),
        "given-up" => (behind("the worker gave up", text("why")), "bad"),
        "requeued" => ("put again".to_owned(), "asked"),
        _ => act(action, detail).unwrap_or_else(|| (action.replace('-', " "), "")),
    }
}

fn verified(verdict: &Value) -> (String, &'static str) {
    let reason = verdict["reason"].as_str().unwrap_or_default();
    match verdict["state"].as_str() {
        Some("live") => (format!("the service says it lives ({reason})"), "bad"),
        Some("dead") => {
            let why = verdict["why"].as_str().unwrap_or_default().replace('-', " ");
            (format!("the service says it is dead: {why} ({reason})"), "good")
        }
        _ => (format!("whether it lives is unknown: {reason}"), ""),
    }
}

/// Lines as `revocation-done`.
fn act(action: &str, detail: &Value) -> Option<(String, &'static str)> {
    let (name, state) = action.split_once('-')?;
    if !matches!(name, "revocation" | "containment") {
        return None;
    }
    let more = |field: &str| detail[field].as_str().unwrap_or_default().to_owned();
    Some(match state {
        "sending" => (format!("{name}: the request leaves ({})", more("by")), "asked"),
        "done" => (format!("{name} done and proved ({})", more("with")), "good"),
        "refused" => (format!("{name} refused: {}", more("reason")), "bad"),
        "postponed" => (format!("{name} put off: {}", more("reason")), ""),
        "uncertain" => (format!("{name} uncertain: {}", more("reason")), "bad"),
        _ => return None,
    })
}
