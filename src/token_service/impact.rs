//! What a policy would stop, before it is switched on. It only looks.

use sqlx::FromRow;

use crate::database::sql;
use crate::token_service::error::Result;
use crate::token_service::model::{Organisation, Scopes, Time, Token};
use crate::token_service::policy::{Applicant, OrganisationPolicy};
use crate::token_service::presented::select_tokens;
use crate::token_service::store::TokenService;
use crate::token_service::visitors::Page;

/// How far back use counts, in days, unless something else is asked for.
pub const IMPACT_DAYS: i64 = 90;

/// A living token that the policy would turn away.
#[derive(Clone, Debug)]
pub struct Stops {
    /// The token.
    pub token: Token,
    /// Why it would be turned away.
    pub why: String,
    /// When it was last seen in this organisation; a token that was not seen in time is none of the lately used ones.
    pub last_used_here: Option<Time>,
    /// The scopes that it was seen to use in this organisation.
    pub used_scopes: Scopes,
}

/// What a policy would do to an organisation.
#[derive(Clone, Debug)]
pub struct Impact {
    /// Tokens that used the organisation lately and would stop, the last used first.
    pub stops: Vec<Stops>,
    /// Living tokens that would be turned away and were not seen lately.
    pub idle: Vec<Stops>,
    /// Living tokens that would still be let in.
    pub spared: usize,
}

impl Impact {
    /// As JSON, for the command line and the API.
    pub fn json(&self) -> serde_json::Value {
        let one = |stops: &Stops| {
            let token = &stops.token;
            serde_json::json!({
                "id": token.id,
                "kind": token.kind,
                "holder": token.holder(),
                "email": token.email,
                "description": token.description,
                "last_four": token.last_four,
                "scopes": token.scopes,
                "used_scopes": stops.used_scopes,
                "last_used_here": stops.last_used_here,
                "expires_at": token.expires_at,
                "why": stops.why,
            })
        };
        let all = |list: &[Stops]| list.iter().map(one).collect::<Vec<_>>();
        serde_json::json!({ "stops": all(&self.stops), "idle": all(&self.idle), "spared": self.spared })
    }
}

#[derive(FromRow)]
struct Used {
    token_id: String,
    scope: String,
    last_used_at: Time,
}

impl TokenService {
    /// Which living tokens a policy would turn away: those that used the organisation in the last `days`, and the rest.
    pub async fn impact(
        &self,
        organisation: &Organisation,
        policy: &OrganisationPolicy,
        days: i64,
    ) -> Result<Impact> {
        self.write_uses().await?;
        let now = Time::now();
        let used: Vec<Used> = sql(
            "SELECT token_id, scope, MAX(last_used_at) AS last_used_at FROM token_visits \
             WHERE organisation_id = $1 AND last_used_at >= $2 GROUP BY token_id, scope",
        )
        .bind(&organisation.id)
        .bind(now.plus_days(-days))
        .all(&self.pool)
        .await?;
        let mut by_token: std::collections::HashMap<String, (Time, Vec<String>)> =
            std::collections::HashMap::new();
        for used in used {
            let entry = by_token
                .entry(used.token_id)
                .or_insert((used.last_used_at, Vec::new()));
            entry.0 = entry.0.max(used.last_used_at);
            if !used.scope.is_empty() {
                entry.1.push(used.scope);
            }
        }
        let mut impact = Impact {
            stops: Vec::new(),
            idle: Vec::new(),
            spared: 0,
        };
        for visitor in self.visitors(organisation, &Page::ALL).await? {
            if visitor.state(now).0 != "live" {
                continue;
            }
            let Some(why) = policy.refusal(Applicant::from(&visitor.token)) else {
                impact.spared += 1;
                continue;
            };
            let seen = by_token.remove(&visitor.token.id);
            let last_used_here = seen.as_ref().map(|(last, _)| *last);
            let stops = Stops {
                token: visitor.token,
                why,
                last_used_here,
                used_scopes: Scopes::seen(seen.map(|(_, scopes)| scopes).unwrap_or_default()),
            };
            if last_used_here.is_some() {
                impact.stops.push(stops);
            } else {
                impact.idle.push(stops);
            }
        }
        impact
            .stops
            .sort_by_key(|stops| std::cmp::Reverse(stops.last_used_here));
        Ok(impact)
    }

    /// Every living token of everybody, for the review: oldest first.
    pub(super) async fn living_tokens(&self) -> Result<Vec<Token>> {
        sql(select_tokens!(
            "WHERE t.revoked_at IS NULL ORDER BY t.created_at, t.id"
        ))
        .all(&self.pool)
        .await
        .map_err(Into::into)
    }
}
