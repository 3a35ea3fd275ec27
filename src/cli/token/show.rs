//! Lists of `unleak token` as text, one token a paragraph line. Pure: what it is given goes to the writer.

use std::io::Write;

use crate::token_service::model::{Time, Token};
use crate::token_service::review::Advice;
use crate::token_service::{Effect, Stopped, Visitor};

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

/// Tokens with what speaks against them.
pub(super) fn advice(out: &mut dyn Write, advice: &[Advice]) -> anyhow::Result<()> {
    for advised in advice {
        head(out, &advised.token)?;
        for remark in &advised.remarks {
            writeln!(out, "    {remark}")?;
        }
    }
    Ok(writeln!(out, "{} tokens to look at", advice.len())?)
}

/// A token that a new policy would turn away.
pub(super) fn stopping(out: &mut dyn Write, token: &Token, why: &str) -> anyhow::Result<()> {
    head(out, token)?;
    let used = token
        .last_used_at
        .map_or("never".to_owned(), |last| last.to_string());
    Ok(writeln!(
        out,
        "    scopes {}; last used {used}; {why}",
        token.scopes
    )?)
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
