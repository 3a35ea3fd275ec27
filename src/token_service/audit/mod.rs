//! The audit log: one line for every change, in the transaction that makes the change, and one for every refused
//! attempt; chained by HMAC.
//!
//! No line may hold a token; a token is named by its id. The same refusal is written once a minute.

mod chain;

use std::fmt;

use sqlx::FromRow;

pub use chain::{AuditHead, Checked};

use crate::database::{Open, sql};
use crate::token_service::error::{Error, Result};
use crate::token_service::model::Time;
use crate::token_service::store::TokenService;

/// Who makes a change, in words that stay understandable for years.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor(String);

impl Actor {
    /// Somebody at the command line of the server, under the name they gave.
    pub fn local(name: &str) -> Self {
        Self(name.chars().filter(|c| !c.is_control()).take(200).collect())
    }

    /// Whoever holds the operator key.
    pub fn operator() -> Self {
        Self("operator key".into())
    }

    /// Whoever presented the token itself (RFC 7009).
    pub fn bearer_of(token: &str) -> Self {
        Self(format!("bearer of token {token}"))
    }

    /// Somebody who acts through another token.
    pub fn through(holder: &str, token: &str) -> Self {
        Self(format!("{holder} (token {token})"))
    }

    /// Somebody who signed in elsewhere.
    pub fn vouched(who: &str, issuer: &str) -> Self {
        Self::local(&format!("{who} (signed in with {issuer})"))
    }

    /// The words.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A change that is about to be written down.
#[derive(Clone, Copy, Debug)]
pub(super) struct Change<'a> {
    /// Who.
    pub(super) by: &'a Actor,
    /// What, as `token.revoke`.
    pub(super) action: &'static str,
    /// To what: an id, a slug or a login.
    pub(super) subject: &'a str,
    /// In which organisation, by slug.
    pub(super) organisation: Option<&'a str>,
    /// What else there is to know, as text.
    pub(super) detail: &'a str,
}

impl<'a> Change<'a> {
    /// A change about which there is nothing more to say.
    pub(super) fn plain(
        by: &'a Actor,
        action: &'static str,
        subject: &'a str,
        organisation: Option<&'a str>,
    ) -> Self {
        Self {
            by,
            action,
            subject,
            organisation,
            detail: "",
        }
    }

    /// The same with what else there is to know.
    pub(super) fn with(self, detail: &'a str) -> Self {
        Self { detail, ..self }
    }
}

/// A line of the audit log.
#[derive(Clone, Debug, FromRow, serde::Serialize, utoipa::ToSchema)]
pub struct AuditLine {
    /// Counts from 1 without gaps.
    pub number: i64,
    /// When.
    pub at: Time,
    /// Who.
    #[sqlx(rename = "by_whom")]
    pub by: String,
    /// What, as `token.revoke`.
    pub action: String,
    /// To what: an id, a slug or a login.
    pub subject: String,
    /// In which organisation, by slug.
    pub organisation: Option<String>,
    /// What else there is to know.
    pub detail: String,
    #[serde(skip)]
    chain: Vec<u8>,
    #[serde(skip)]
    key_id: String,
}

impl fmt::Display for AuditLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {} {}", self.number, self.at, self.action, self.subject)?;
        if let Some(organisation) = &self.organisation {
            write!(f, " in {organisation}")?;
        }
        write!(f, " by {}", self.by)?;
        if !self.detail.is_empty() {
            write!(f, ": {}", self.detail)?;
        }
        Ok(())
    }
}

impl TokenService {
    /// Writes a line as part of the change it tells of.
    pub(super) async fn note(&self, change: &mut Open, told: Change<'_>) -> Result<()> {
        let last: Option<(i64, Vec<u8>)> =
            sql("SELECT number, chain FROM token_audit ORDER BY number DESC LIMIT 1")
                .optional(&mut *change)
                .await?;
        let (number, before) = last.unwrap_or((0, Vec::new()));
        let (key_id, key) = self.keys.current();
        let line = AuditLine {
            number: number + 1,
            at: Time::now(),
            by: told.by.as_str().to_owned(),
            action: told.action.to_owned(),
            subject: told.subject.to_owned(),
            organisation: told.organisation.map(str::to_owned),
            detail: told.detail.to_owned(),
            chain: Vec::new(),
            key_id: key_id.clone(),
        };
        let chain = line.chained(key, &before);
        sql("INSERT INTO token_audit (number, at, by_whom, action, subject, organisation, detail, chain, key_id) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)")
            .bind(line.number)
            .bind(line.at)
            .bind(line.by)
            .bind(line.action)
            .bind(line.subject)
            .bind(line.organisation)
            .bind(line.detail)
            .bind(chain)
            .bind(key_id)
            .run(&mut *change)
            .await?;
        self.seal_head(change, number + 1, &chain).await
    }

    /// Hands a result on; a refusal in it is written down first, the same one once a minute.
    pub(super) async fn noting_refusal<T>(&self, attempt: Change<'_>, result: Result<T>) -> Result<T> {
        let why = match &result {
            Err(error @ (Error::Forbidden(_) | Error::MissingScope(_) | Error::Denied(_))) => {
                error.to_string()
            }
            Err(Error::NotFound("organisation")) => "not a member of this organisation".to_owned(),
            _ => return result,
        };
        let what = format!(
            "{}\0{}\0{}\0{}\0{why}",
            attempt.by.as_str(),
            attempt.action,
            attempt.subject,
            attempt.organisation.unwrap_or_default()
        );
        if self.told.is_time(what) {
            let detail = format!("{}: {why}", attempt.action);
            let told = Change {
                action: "refused",
                detail: &detail,
                ..attempt
            };
            // an attempt that cannot be written down is refused all the same
            let written = async {
                let mut change = self.write().await?;
                self.note(&mut change, told).await?;
                Ok::<_, Error>(change.commit().await?)
            };
            if let Err(error) = written.await {
                tracing::error!(%error, "a refused attempt could not be written to the audit log");
            }
        }
        result
    }

    /// Lines after this number, oldest first, at most so many: of everything, or of one organisation.
    pub async fn audit_lines(
        &self,
        organisation: Option<&str>,
        after: i64,
        most: i64,
    ) -> Result<Vec<AuditLine>> {
        let asked = match organisation {
            None => sql("SELECT * FROM token_audit WHERE number > $1 ORDER BY number LIMIT $2")
                .bind(after)
                .bind(most),
            Some(slug) => sql(
                "SELECT * FROM token_audit WHERE organisation = $3 AND number > $1 \
                 ORDER BY number LIMIT $2",
            )
            .bind(after)
            .bind(most)
            .bind(slug),
        };
        asked.all(&self.pool).await.map_err(Into::into)
    }

    /// Lines before this number, newest first, at most so many: of everything, or of one organisation.
    pub async fn audit_newest(
        &self,
        organisation: Option<&str>,
        before: i64,
        most: i64,
    ) -> Result<Vec<AuditLine>> {
        let asked = match organisation {
            None => sql("SELECT * FROM token_audit WHERE number < $1 ORDER BY number DESC LIMIT $2")
                .bind(before)
                .bind(most),
            Some(slug) => sql(
                "SELECT * FROM token_audit WHERE organisation = $3 AND number < $1 \
                 ORDER BY number DESC LIMIT $2",
            )
            .bind(before)
            .bind(most)
            .bind(slug),
        };
        asked.all(&self.pool).await.map_err(Into::into)
    }

    /// The whole log, oldest first.
    pub async fn audit_log(&self) -> Result<Vec<AuditLine>> {
        self.audit_lines(None, 0, i64::MAX).await
    }
}
