//! Lists of `unleak token` as text, one token a paragraph line. Pure: what it is given goes to the writer.

use std::io::Write;

use crate::token_service::model::{Time, Token};
use crate::token_service::{Effect, Stopped, Stops, Visitor};

/// Tokens on their own.
pub(super) fn tokens(out: &mut dyn Write, tokens: &[Token]) -> anyhow::Result<()> {
    let now = Time::now();
    for token in tokens {
        let state = token.ended(now).map_or("live".to_owned(), |why| why.to_string());
        line(out, token, &state, token.revoked_cause.as_deref())?;
    }
    Ok(())
}

/// Tokens as they stand with one organisation.
pub(super) fn visitors(out: &mut dyn Write, visitors: &[Visitor]) -> anyhow::Result<()> {
    let now = Time::now();
    for visitor in visitors {
        let (state, reason) = visitor.state(now);
        line(out, &visitor.token, state, reason)?;
    }
    Ok(())
}

/// A token that a new policy would turn away.
pub(super) fn stopping(out: &mut dyn Write, stops: &Stops) -> anyhow::Result<()> {
    head(out, &stops.token)?;
    let used = stops
        .last_used_here
        .map_or("not used here lately".to_owned(), |last| {
            format!("used here {last}")
        });
    let scopes = if stops.used_scopes.is_empty() {
        format!("scopes {}", stops.token.scopes)
    } else {
        format!("scopes {} (used {})", stops.token.scopes, stops.used_scopes)
    };
    let mail = stops
        .token
        .email
        .as_deref()
        .map_or(String::new(), |email| format!("; {email}"));
    Ok(writeln!(out, "    {scopes}; {used}{mail}; {}", stops.why)?)
}

/// What stopping a token did.
pub(super) fn stopped(
    out: &mut dyn Write,
    stopped: &Stopped,
    organisation: Option<&str>,
) -> anyhow::Result<()> {
    let id = &stopped.id;
    let whom = organisation.unwrap_or("the organisation");
    let text = match (stopped.effect, stopped.already) {
        (Effect::Revoked, false) => format!("revoked {id}"),
        (Effect::Revoked, true) => format!("{id} was revoked already; nothing was changed"),
        (Effect::Blocked, false) => format!("blocked {id} for {whom}; it lives on for others"),
        (Effect::Unblocked, false) => format!("{whom} lets {id} in again"),
        (Effect::Unblocked, true) => format!("{id} is not blocked for {whom}; nothing was changed"),
        (Effect::Asked, false) => format!("`unleak serve` will ask its owner to stop {id}; it lives on"),
        (Effect::Asked, true) => format!("the owner of {id} was asked before; nothing was changed"),
        (Effect::Blocked, true) => format!("{id} was blocked for {whom} already; nothing was changed"),
    };
    Ok(writeln!(out, "{text}")?)
}

fn head(out: &mut dyn Write, token: &Token) -> anyhow::Result<()> {
    Ok(writeln!(
        out,
        "{}  {}  {}  {}",
        token.id,
        token.shown(),
        token.holder(),
        token.description
    )?)
}

fn line(out: &mut dyn Write, token: &Token, state: &str, reason: Option<&str>) -> anyhow::Result<()> {
    head(out, token)?;
    let when = |time: Option<Time>| time.map_or("never".to_owned(), |time| time.to_string());
    let reason = reason.map_or(String::new(), |reason| format!(" ({reason})"));
    Ok(writeln!(
        out,
        "    {state}{reason}; scopes {}; expires {}; last used {}",
        token.scopes,
        when(token.expires_at),
        when(token.last_used_at)
    )?)
}
