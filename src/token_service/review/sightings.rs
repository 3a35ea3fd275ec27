//! What was seen of all tokens, read at once: a question for each of 100,000 tokens would take a minute.

use std::collections::{BTreeSet, HashMap};

use crate::database::sql;
use crate::token_service::error::Result;
use crate::token_service::model::{Scopes, Token};
use crate::token_service::review::Seen;
use crate::token_service::store::TokenService;

/// What was seen of all tokens and their users, by id.
pub(super) struct Sightings {
    scopes: HashMap<String, Vec<String>>,
    projects: HashMap<String, BTreeSet<String>>,
    memberships: HashMap<String, i64>,
}

impl Sightings {
    /// What was seen of this token.
    pub(super) fn of(&self, token: &Token) -> Seen {
        let projects = self.projects.get(&token.id);
        let memberships = |user| self.memberships.get(user).copied().unwrap_or_default();
        Seen {
            scopes: Scopes::seen(self.scopes.get(&token.id).cloned().unwrap_or_default()),
            projects: projects.map_or(Vec::new(), |projects| projects.iter().cloned().collect()),
            memberships: token.user_id.as_ref().map_or(1, memberships),
        }
    }
}

impl TokenService {
    /// What was seen of all tokens.
    pub(super) async fn sightings(&self) -> Result<Sightings> {
        // the first release wrote scopes without the place where they were used
        let scopes: Vec<(String, String)> = sql("SELECT token_id, scope FROM token_uses WHERE scope <> '' \
             UNION SELECT token_id, scope FROM token_visits")
        .all(&self.pool)
        .await?;
        let projects: Vec<(String, String)> = sql("SELECT DISTINCT token_id, project FROM token_visits")
            .all(&self.pool)
            .await?;
        let memberships: Vec<(String, i64)> = sql(
            "SELECT m.user_id, COUNT(*) FROM memberships m JOIN organisations o ON o.id = m.organisation_id \
             WHERE m.ended_at IS NULL AND o.ended_at IS NULL GROUP BY m.user_id",
        )
        .all(&self.pool)
        .await?;
        let mut seen = Sightings {
            scopes: HashMap::new(),
            projects: HashMap::new(),
            memberships: memberships.into_iter().collect(),
        };
        for (token, scope) in scopes {
            seen.scopes.entry(token).or_default().push(scope);
        }
        for (token, project) in projects {
            seen.projects.entry(token).or_default().insert(project);
        }
        Ok(seen)
    }
}
