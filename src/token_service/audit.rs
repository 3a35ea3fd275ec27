//! The audit log: one line for every change, in the transaction that makes the change, chained by HMAC.
//!
//! No line may hold a token; a token is named by its id.

use std::fmt;

use sqlx::{FromRow, SqliteConnection};
use subtle::ConstantTimeEq;

use crate::token_service::error::Result;
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

/// A line of the audit log.
#[derive(Clone, Debug, FromRow, serde::Serialize)]
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

impl AuditLine {
    fn chained(&self, service: &TokenService, before: &[u8]) -> [u8; 32] {
        let number = self.number.to_string();
        let at = self.at.seconds().to_string();
        let organisation = self.organisation.as_ref().map_or("-".into(), |o| format!("={o}"));
        let fields = [
            &number,
            &at,
            &self.by,
            &self.action,
            &self.subject,
            &organisation,
            &self.detail,
        ];
        // each field with its length before it, so that text cannot move from one field to the next unseen
        let lengths: Vec<[u8; 8]> = fields.iter().map(|f| (f.len() as u64).to_le_bytes()).collect();
        let mut parts: Vec<&[u8]> = vec![before];
        for (field, length) in fields.iter().zip(&lengths) {
            parts.push(length);
            parts.push(field.as_bytes());
        }
        service.key.chain(&parts)
    }
}

impl TokenService {
    /// Writes a line as part of the change it tells of.
    pub(super) async fn note(&self, change: &mut SqliteConnection, told: Change<'_>) -> Result<()> {
        let last: Option<(i64, Vec<u8>)> =
            sqlx::query_as("SELECT number, chain FROM token_audit ORDER BY number DESC LIMIT 1")
                .fetch_optional(&mut *change)
                .await?;
        let (number, before) = last.unwrap_or((0, Vec::new()));
        let line = AuditLine {
            number: number + 1,
            at: Time::now(),
            by: told.by.as_str().to_owned(),
            action: told.action.to_owned(),
            subject: told.subject.to_owned(),
            organisation: told.organisation.map(str::to_owned),
            detail: told.detail.to_owned(),
            chain: Vec::new(),
        };
        let chain = line.chained(self, &before);
        sqlx::query(
            "INSERT INTO token_audit (number, at, by_whom, action, subject, organisation, detail, chain) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        )
        .bind(line.number)
        .bind(line.at)
        .bind(line.by)
        .bind(line.action)
        .bind(line.subject)
        .bind(line.organisation)
        .bind(line.detail)
        .bind(chain.to_vec())
        .execute(change)
        .await?;
        Ok(())
    }

    /// The whole log, oldest first.
    pub async fn audit_log(&self) -> Result<Vec<AuditLine>> {
        Ok(sqlx::query_as("SELECT * FROM token_audit ORDER BY number")
            .fetch_all(&self.pool)
            .await?)
    }

    /// The first line that was edited, or before which a line is missing; `None` if the log is whole.
    ///
    /// Lines cut off at the end cannot be seen from the log alone.
    pub async fn first_broken_audit_line(&self) -> Result<Option<i64>> {
        let mut before: Vec<u8> = Vec::new();
        for (line, number) in self.audit_log().await?.into_iter().zip(1_i64..) {
            let chain = line.chained(self, &before);
            if line.number != number || !bool::from(chain.as_slice().ct_eq(&line.chain)) {
                return Ok(Some(number));
            }
            before = line.chain;
        }
        Ok(None)
    }
}
