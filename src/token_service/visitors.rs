//! Tokens as an organisation's owners see them: whoever can reach it, page by page.

use std::fmt;
use std::str::FromStr;

use sqlx::FromRow;

use crate::database::sql;
use crate::token_service::error::{Denied, Error, Result};
use crate::token_service::model::{Organisation, Project, Time, Token, User};
use crate::token_service::presented::{refusal, select_tokens};
use crate::token_service::store::TokenService;

/// A token that can reach an organisation, as its owners see it.
#[derive(Clone, Debug)]
pub struct Visitor {
    /// The token.
    pub token: Token,
    /// Why the organisation turns it away, if it does.
    pub refused: Option<String>,
    /// Whether its owners blocked it.
    pub blocked: bool,
}

impl Visitor {
    /// One word for how it stands with the organisation, and why where there is more to say.
    pub fn state(&self, now: Time) -> (&'static str, Option<&str>) {
        match self.token.ended(now) {
            Some(Denied::Revoked) => ("revoked", self.token.revoked_cause.as_deref()),
            Some(Denied::Expired) => ("expired", None),
            Some(Denied::OwnerDisabled) => ("owner disabled", None),
            Some(Denied::Unknown) => ("unknown", None),
            None if self.blocked => ("blocked", self.refused.as_deref()),
            None if self.refused.is_some() => ("refused", self.refused.as_deref()),
            None => ("live", None),
        }
    }
}

/// Where a page of tokens ends: the next one begins behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    created_at: Time,
    id: String,
}

impl Cursor {
    /// Behind this token.
    pub fn behind(token: &Token) -> Self {
        Self {
            created_at: token.created_at,
            id: token.id.clone(),
        }
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.created_at.seconds(), self.id)
    }
}

impl FromStr for Cursor {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let read = || {
            let (seconds, id) = text.split_once('.')?;
            let plain = !id.is_empty() && id.len() <= 64 && id.bytes().all(|b| b.is_ascii_alphanumeric());
            Some(Self {
                created_at: Time::from_seconds(seconds.parse().ok()?),
                id: plain.then(|| id.to_owned())?,
            })
        };
        read().ok_or_else(|| Error::invalid("this is no cursor; take the one of the page before, as it is"))
    }
}

/// A part of a list that may be long.
#[derive(Clone, Debug)]
pub struct Page {
    /// Begin behind this one; `None` begins at the beginning.
    pub behind: Option<Cursor>,
    /// At most so many.
    pub most: i64,
}

impl Page {
    /// All of it.
    pub const ALL: Self = Self {
        behind: None,
        most: i64::MAX,
    };

    fn start(&self) -> (Time, &str) {
        match &self.behind {
            Some(cursor) => (cursor.created_at, &cursor.id),
            None => (Time::from_seconds(i64::MIN), ""),
        }
    }
}

#[derive(FromRow)]
struct Visiting {
    #[sqlx(flatten)]
    token: Token,
    block_cause: Option<String>,
}

impl TokenService {
    /// Every token there is, oldest first.
    pub async fn tokens(&self) -> Result<Vec<Token>> {
        sql(select_tokens!("ORDER BY t.created_at, t.id"))
            .all(&self.pool)
            .await
            .map_err(Into::into)
    }

    /// The tokens of a user, oldest first.
    pub async fn tokens_of(&self, user: &User, page: &Page) -> Result<Vec<Token>> {
        let query = select_tokens!(
            "WHERE t.user_id = $1 AND (t.created_at, t.id) > ($2, $3) ORDER BY t.created_at, t.id LIMIT $4"
        );
        self.page_of(query, &user.id, page).await
    }

    /// The tokens of a project, oldest first.
    pub async fn tokens_in(&self, project: &Project, page: &Page) -> Result<Vec<Token>> {
        let query = select_tokens!(
            "WHERE t.project_id = $1 AND (t.created_at, t.id) > ($2, $3) ORDER BY t.created_at, t.id LIMIT $4"
        );
        self.page_of(query, &project.id, page).await
    }

    /// A page of what `query` selects for this id; its parameters are the id, where the page begins (two), and its length.
    async fn page_of(&self, query: &'static str, id: &str, page: &Page) -> Result<Vec<Token>> {
        let (since, behind) = page.start();
        sql(query)
            .bind(id)
            .bind(since)
            .bind(behind)
            .bind(page.most)
            .all(&self.pool)
            .await
            .map_err(Into::into)
    }

    /// Tokens that can reach an organisation, ended and refused ones included, oldest first.
    pub async fn visitors(&self, organisation: &Organisation, page: &Page) -> Result<Vec<Visitor>> {
        // each half walks its own index, and at most a page of each is looked at
        let own = select_tokens!(
            "WHERE t.organisation_id = $1 AND (t.created_at, t.id) > ($2, $3) ORDER BY t.created_at, t.id LIMIT $4"
        );
        // of each member no more than a page is looked at: up to the moment when their own page would be full
        let of_members = select_tokens!(
            "WHERE t.id IN (SELECT x.id FROM (SELECT m.user_id, COALESCE((SELECT y.created_at FROM tokens y \
             WHERE y.user_id = m.user_id AND (y.created_at, y.id) > ($2, $3) ORDER BY y.created_at, y.id \
             LIMIT 1 OFFSET $4), 9223372036854775807) AS enough FROM memberships m \
             WHERE m.organisation_id = $1 AND m.ended_at IS NULL) w \
             JOIN tokens x ON x.user_id = w.user_id AND x.created_at <= w.enough \
             WHERE (x.created_at, x.id) > ($2, $3) ORDER BY x.created_at, x.id LIMIT $4) \
             ORDER BY t.created_at, t.id"
        );
        let blocks: Vec<(String, String)> =
            sql("SELECT token_id, cause FROM blocks WHERE organisation_id = $1 AND lifted_at IS NULL")
                .bind(&organisation.id)
                .all(&self.pool)
                .await?;
        let blocks: std::collections::HashMap<String, String> = blocks.into_iter().collect();
        let mut tokens = self.page_of(own, &organisation.id, page).await?;
        tokens.extend(self.page_of(of_members, &organisation.id, page).await?);
        tokens.sort_by(|a, b| (a.created_at, &a.id).cmp(&(b.created_at, &b.id)));
        tokens.truncate(usize::try_from(page.most).unwrap_or(usize::MAX));
        let visit = |token: Token| {
            let cause = blocks.get(&token.id).map(String::as_str);
            Visitor {
                refused: refusal(organisation, &token, cause),
                blocked: cause.is_some(),
                token,
            }
        };
        Ok(tokens.into_iter().map(visit).collect())
    }

    /// The token of this id, if it can reach the organisation.
    pub async fn visitor(&self, organisation: &Organisation, id: &str) -> Result<Visitor> {
        let found: Option<Visiting> = sql(concat!(
            "SELECT v.*, b.cause AS block_cause FROM (",
            select_tokens!(
                "WHERE t.id = $1 AND (t.organisation_id = $2 OR EXISTS (SELECT 1 FROM memberships m \
                 WHERE m.user_id = t.user_id AND m.organisation_id = $2 AND m.ended_at IS NULL))"
            ),
            ") v LEFT JOIN blocks b ON b.token_id = v.id AND b.organisation_id = $2 AND b.lifted_at IS NULL"
        ))
        .bind(id)
        .bind(&organisation.id)
        .optional(&self.pool)
        .await?;
        let found = found.ok_or(Error::NotFound("token"))?;
        Ok(Visitor {
            refused: refusal(organisation, &found.token, found.block_cause.as_deref()),
            blocked: found.block_cause.is_some(),
            token: found.token,
        })
    }
}
