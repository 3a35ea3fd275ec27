//! Which living tokens should be smaller or gone, and the smaller token for each. It proposes; it never stops a token.

mod html;
mod mail;
mod remark;
mod sightings;
mod text;

use crate::token_service::error::Result;
use crate::token_service::model::{Scopes, Time, Token};
use crate::token_service::store::TokenService;
use crate::token_service::visitors::Page;

pub use html::html;
pub use mail::{Letter, letters};
pub use remark::{Remark, Seen, Smaller, remarks, smaller};
pub use text::text;

/// Days after which a token that nobody used is worth a question.
pub const UNUSED_DAYS: i64 = 90;

/// A token with what speaks against it.
#[derive(Clone, Debug)]
pub struct Advice {
    /// The token.
    pub token: Token,
    /// Each thing to look at.
    pub remarks: Vec<Remark>,
    /// The token that would do; `None` if it should be revoked and not replaced.
    pub smaller: Option<Smaller>,
}

impl TokenService {
    /// Living tokens with remarks, oldest first: all of them, or those that can reach one organisation.
    pub async fn review(&self, organisation: Option<&str>, unused_days: i64) -> Result<Vec<Advice>> {
        self.write_uses().await?;
        let tokens = match organisation {
            None => self.living_tokens().await?,
            Some(slug) => {
                let visitors = self.visitors(&self.organisation(slug).await?, &Page::ALL).await?;
                visitors.into_iter().map(|visitor| visitor.token).collect()
            }
        };
        let sightings = self.sightings().await?;
        let now = Time::now();
        let mut advice = Vec::new();
        for token in tokens {
            if token.revoked_at.is_some() {
                continue;
            }
            let seen = sightings.of(&token);
            let remarks = remarks(&token, &seen, now, unused_days);
            if !remarks.is_empty() {
                let smaller = smaller(&token, &seen, &remarks);
                advice.push(Advice {
                    token,
                    remarks,
                    smaller,
                });
            }
        }
        Ok(advice)
    }
}

/// JSON of a review, as the command line and the API give it.
pub fn json(advice: &[Advice]) -> serde_json::Value {
    let one = |advised: &Advice| {
        let token = &advised.token;
        serde_json::json!({
            "id": token.id,
            "kind": token.kind,
            "holder": token.holder(),
            "email": token.email,
            "description": token.description,
            "last_four": token.last_four,
            "scopes": token.scopes,
            "created_at": token.created_at,
            "expires_at": token.expires_at,
            "last_used_at": token.last_used_at,
            "findings": advised.remarks,
            "smaller": advised.smaller,
        })
    };
    serde_json::json!({ "tokens": advice.iter().map(one).collect::<Vec<_>>() })
}

/// Scopes as one word each, for a command line.
fn flags(scopes: &Scopes) -> String {
    let flags: Vec<String> = scopes.iter().map(|scope| format!("--scope {scope}")).collect();
    flags.join(" ")
}
