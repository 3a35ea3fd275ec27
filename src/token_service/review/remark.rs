//! What speaks against a token, and the smaller token that would do. Pure: a token and what was seen of it.

use serde_json::json;

use crate::token_service::format::TokenKind;
use crate::token_service::model::{Scopes, Time, Token};
use crate::token_service::review::flags;
use crate::token_service::rights::Right;

/// Days that a suggested token lives.
const LIFETIME_DAYS: i64 = 90;

/// What was seen of a token.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// The scopes that it used.
    pub scopes: Scopes,
    /// The slugs of the projects that it was used for; an empty one where nothing was said.
    pub projects: Vec<String>,
    /// Organisations that its user is a member of; 1 for tokens of no person.
    pub memberships: i64,
}

/// One thing that speaks against a token.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
pub struct Remark {
    /// Which thing, as `never-used`.
    pub finding: &'static str,
    /// The same for people, with the next step.
    pub text: String,
}

/// The token that would do.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
pub struct Smaller {
    /// Its kind.
    pub kind: TokenKind,
    /// Its project, of a project token.
    pub project: Option<String>,
    /// Its scopes.
    pub scopes: Scopes,
    /// How long it lives.
    pub expires_in_days: i64,
    /// The command that makes it.
    pub command: String,
}

/// What speaks against a living token; nothing for one that has ended, except that its owner left.
pub fn remarks(token: &Token, seen: &Seen, now: Time, unused_days: i64) -> Vec<Remark> {
    let mut remarks = Vec::new();
    let mut say = |finding, text: String| remarks.push(Remark { finding, text });
    if token.revoked_at.is_some() || token.expires_at.is_some_and(|end| end <= now) {
        return remarks;
    }
    if token.active == Some(false) || token.organisation_ended_at.is_some() {
        say(
            "owner-left",
            "its owner was deactivated: revoke it before the owner comes back".into(),
        );
    } else if token.user_id.is_some() && seen.memberships == 0 {
        say(
            "owner-left",
            "its owner is a member of no organisation any more: revoke it".into(),
        );
    }
    if let Some((finding, text)) = disuse(token, now, unused_days) {
        say(finding, text);
    }
    if token.expires_at.is_none() {
        say(
            "no-expiry",
            "no expiry: replace it by one with --expires-in".into(),
        );
    }
    let admin: Vec<&str> = token.scopes.iter().filter(|scope| is_powerful(scope)).collect();
    if !admin.is_empty() {
        let admin = admin.join(", ");
        if is_application(token, seen) {
            let text = format!("admin scopes ({admin}) with the use of an application: take narrower ones");
            say("admin-in-application", text);
        } else {
            say("admin", format!("admin scopes ({admin}): take narrower ones"));
        }
    }
    // a token whose scopes nobody ever asked about may use them all elsewhere
    let idle: Vec<&str> = token.scopes.iter().filter(|scope| is_idle(scope, seen)).collect();
    if token.last_used_at.is_some() && !idle.is_empty() {
        let idle = idle.join(", ");
        say(
            "scopes-never-used",
            format!("scopes never used ({idle}): replace it by one without them"),
        );
    }
    if token.kind == TokenKind::Organisation
        && let [project] = seen.projects.as_slice()
        && !project.is_empty()
    {
        let text = format!(
            "reaches the whole organisation and was used for the project {project} alone: replace it by a project token"
        );
        say("one-project", text);
    }
    remarks
}

/// Whether nobody uses it.
fn disuse(token: &Token, now: Time, unused_days: i64) -> Option<(&'static str, String)> {
    let limit = now.plus_days(-unused_days);
    match token.last_used_at {
        None if token.created_at <= limit => Some((
            "never-used",
            format!("never used in {unused_days} days: revoke it"),
        )),
        Some(last) if last <= limit => Some(("unused", format!("unused since {last}: revoke it"))),
        _ => None,
    }
}

fn is_powerful(scope: &str) -> bool {
    scope.contains('*') || is_admin(scope)
}

fn is_admin(scope: &str) -> bool {
    scope.split([':', '.']).any(|word| word == "admin")
}

/// Whether it is a program's: it belongs to no person, or did what is none of this API's business.
fn is_application(token: &Token, seen: &Seen) -> bool {
    token.kind != TokenKind::User || seen.scopes.iter().any(|scope| !Right::SCOPES.contains(&scope))
}

/// Whether a scope was seen in no use. About a scope of another API something is known only if that API asks here.
fn is_idle(scope: &str, seen: &Seen) -> bool {
    let others_ask = seen.scopes.iter().any(|used| !Right::SCOPES.contains(&used));
    let known = Right::SCOPES.contains(&scope) || others_ask;
    known && !is_powerful(scope) && !seen.scopes.contains(scope)
}

/// What is left of scopes without those that give rights; where nothing is, reading.
fn harmless(scopes: &Scopes) -> Scopes {
    let mut left = scopes.clone();
    left.retain(|scope| !is_powerful(scope));
    if left.is_empty() {
        left = Scopes::seen(Right::SCOPES.map(String::from));
        left.retain(|scope| scope.ends_with(":read"));
    }
    left
}

/// The token that would do: the scopes that were used, for the project alone that was used, and for a while.
pub fn smaller(token: &Token, seen: &Seen, remarks: &[Remark]) -> Option<Smaller> {
    let has = |finding: &str| remarks.iter().any(|remark| remark.finding == finding);
    if has("never-used") || has("unused") || has("owner-left") {
        return None;
    }
    let narrow = has("scopes-never-used") || has("admin-in-application") || has("admin");
    let scopes = match narrow {
        false => token.scopes.clone(),
        true if seen.scopes.is_empty() => harmless(&token.scopes),
        true => seen.scopes.clone(),
    };
    let project = if has("one-project") {
        seen.projects.first().cloned()
    } else {
        token.project.clone()
    };
    let kind = if project.is_some() {
        TokenKind::Project
    } else {
        token.kind
    };
    let organisation = token.organisation.as_deref().unwrap_or_default();
    let whose = match (kind, &project) {
        (TokenKind::Project, Some(project)) => format!("--project {organisation}/{project}"),
        (TokenKind::User, _) => format!("--user {}", token.login.as_deref().unwrap_or_default()),
        _ => format!("--organisation {organisation} --reason {}", json!(token.reason)),
    };
    let flags = flags(&scopes);
    let about = json!(token.description);
    Some(Smaller {
        kind,
        project,
        expires_in_days: LIFETIME_DAYS,
        command: format!(
            "unleak token create {whose} {flags} --description {about} --expires-in {LIFETIME_DAYS}d"
        ),
        scopes,
    })
}
