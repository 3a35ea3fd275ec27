//! Which living tokens should be smaller or gone. It proposes; it never stops a token.

use crate::token_service::error::Result;
use crate::token_service::model::{Scopes, Time, Token};
use crate::token_service::rights::Right;
use crate::token_service::store::TokenService;

/// Days after which a token that nobody used is worth a question.
pub const UNUSED_DAYS: i64 = 90;

/// A token with what speaks against it.
#[derive(Clone, Debug)]
pub struct Advice {
    /// The token.
    pub token: Token,
    /// Each thing to look at, as a sentence with the next step.
    pub remarks: Vec<String>,
}

/// What speaks against a living token; nothing for one that has ended. `used` are the scopes it was seen to use.
pub fn remarks(token: &Token, used: &Scopes, now: Time, unused_days: i64) -> Vec<String> {
    let mut remarks = Vec::new();
    if token.ended(now).is_some() {
        return remarks;
    }
    let limit = now.plus_days(-unused_days);
    match token.last_used_at {
        None if token.created_at <= limit => {
            remarks.push(format!("never used in {unused_days} days: revoke it"));
        }
        Some(last) if last <= limit => {
            remarks.push(format!("unused since {last}: revoke it"));
        }
        _ => {}
    }
    if token.expires_at.is_none() {
        remarks.push("no expiry: replace it by one with --expires-in".into());
    }
    let admin: Vec<&str> = token.scopes.iter().filter(|scope| is_admin(scope)).collect();
    if !admin.is_empty() {
        remarks.push(format!("admin scopes ({}): take narrower ones", admin.join(", ")));
    }
    // only what this server itself asks for is seen in use; about other scopes nothing is known
    let idle: Vec<&str> = token
        .scopes
        .iter()
        .filter(|scope| Right::SCOPES.contains(scope) && !used.contains(scope))
        .collect();
    if token.last_used_at.is_some() && !idle.is_empty() {
        remarks.push(format!(
            "scopes never used ({}): replace it by one without them",
            idle.join(", ")
        ));
    }
    remarks
}

/// Whether a scope gives rights over an organisation rather than a use of it.
fn is_admin(scope: &str) -> bool {
    scope.contains('*') || scope.split([':', '.']).any(|word| word == "admin")
}

impl TokenService {
    /// Tokens with remarks, oldest first: all of them, or those that can reach one organisation.
    pub async fn review(&self, organisation: Option<&str>, unused_days: i64) -> Result<Vec<Advice>> {
        let tokens = match organisation {
            None => self.tokens().await?,
            Some(slug) => {
                let visitors = self.visitors(&self.organisation(slug).await?).await?;
                visitors.into_iter().map(|visitor| visitor.token).collect()
            }
        };
        let now = Time::now();
        let mut advice = Vec::new();
        for token in tokens {
            let used = self.used_scopes(&token.id).await?;
            let remarks = remarks(&token, &used, now, unused_days);
            if !remarks.is_empty() {
                advice.push(Advice { token, remarks });
            }
        }
        Ok(advice)
    }
}
