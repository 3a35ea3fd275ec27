//! What makes the audit log tell when it was meddled with: each line holds an HMAC over itself and the line before,
//! and the last line is sealed beside the log.
//!
//! Whoever holds the server key can forge everything here. Whoever can put the whole database back to an older state
//! is found out by a head that was kept elsewhere.

use std::fmt;
use std::str::FromStr;

use sqlx::FromRow;
use subtle::ConstantTimeEq;

use crate::database::{Open, sql};
use crate::token_service::audit::AuditLine;
use crate::token_service::error::{Error, Result};
use crate::token_service::keys::ServerKey;
use crate::token_service::store::TokenService;

/// Lines that are read at once.
const BATCH: i64 = 1000;

/// The end of the log at some moment, to keep elsewhere: `NUMBER:HEX`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditHead {
    /// The last line's number.
    pub number: i64,
    chain: Vec<u8>,
}

impl fmt::Display for AuditHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.number)?;
        self.chain.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for AuditHead {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let read = || {
            let (number, hex) = text.split_once(':')?;
            let pairs = hex.as_bytes().chunks(2);
            let bytes: Option<Vec<u8>> = pairs
                .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
                .collect();
            Some(Self {
                number: number.parse().ok()?,
                chain: bytes.filter(|bytes| bytes.len() == 32)?,
            })
        };
        read().ok_or_else(|| {
            Error::invalid(format!(
                "{text:?} is no end of an audit log; `audit --verify` prints one"
            ))
        })
    }
}

/// What checking the log found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Checked {
    /// Nothing was edited, and nothing is missing.
    Whole(AuditHead),
    /// This line was edited, or a line is missing before it.
    Broken(i64),
    /// The log once went on behind this line.
    CutOff(i64),
    /// From this line on it is chained under a key that was not given.
    KeyMissing(i64, String),
}

#[derive(FromRow)]
struct Head {
    number: i64,
    key_id: String,
    seal: Vec<u8>,
}

impl AuditLine {
    pub(super) fn chained(&self, key: &ServerKey, before: &[u8]) -> [u8; 32] {
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
        key.chain(&parts)
    }
}

impl TokenService {
    /// Seals the end of the log, in the change that moves it.
    pub(super) async fn seal_head(&self, change: &mut Open, number: i64, chain: &[u8]) -> Result<()> {
        let (key_id, key) = self.keys.current();
        sql("INSERT INTO token_audit_head (id, number, key_id, seal) VALUES (1, $1, $2, $3) \
             ON CONFLICT (id) DO UPDATE SET number = excluded.number, key_id = excluded.key_id, seal = excluded.seal")
        .bind(number)
        .bind(key_id)
        .bind(key.seal(number, chain))
        .run(change)
        .await?;
        Ok(())
    }

    /// Checks the log from its first line to its sealed end, and against an end that was kept elsewhere.
    pub async fn check_audit(&self, kept: Option<&AuditHead>) -> Result<Checked> {
        // held while reading, so that no line comes in between the log and its end
        let mut change = self.write().await?;
        let first_key: Option<(String,)> = sql("SELECT id FROM token_keys ORDER BY number LIMIT 1")
            .optional(&mut change)
            .await?;
        let mut at = AuditHead {
            number: 0,
            chain: Vec::new(),
        };
        loop {
            let lines: Vec<AuditLine> =
                sql("SELECT * FROM token_audit WHERE number > $1 ORDER BY number LIMIT $2")
                    .bind(at.number)
                    .bind(BATCH)
                    .all(&mut change)
                    .await?;
            if lines.is_empty() {
                break;
            }
            for line in lines {
                let key_id = match (line.key_id.as_str(), &first_key) {
                    ("", Some((first,))) => first,
                    (named, _) => named,
                };
                let Some(key) = self.keys.named(key_id) else {
                    return Ok(Checked::KeyMissing(line.number, key_id.to_owned()));
                };
                let chain = line.chained(key, &at.chain);
                if line.number != at.number + 1 || !bool::from(chain.as_slice().ct_eq(&line.chain)) {
                    return Ok(Checked::Broken(at.number + 1));
                }
                at = AuditHead {
                    number: line.number,
                    chain: line.chain,
                };
                if kept.is_some_and(|kept| kept.number == at.number && kept.chain != at.chain) {
                    return Ok(Checked::Broken(at.number));
                }
            }
        }
        if kept.is_some_and(|kept| kept.number > at.number) {
            return Ok(Checked::CutOff(at.number));
        }
        self.check_head(&mut change, at).await
    }

    async fn check_head(&self, change: &mut Open, at: AuditHead) -> Result<Checked> {
        let head: Option<Head> = sql("SELECT number, key_id, seal FROM token_audit_head WHERE id = 1")
            .optional(&mut *change)
            .await?;
        let Some(head) = head else {
            // a log that began before ends were sealed gets its seal with the next line
            let last: Option<(String,)> = sql("SELECT key_id FROM token_audit WHERE number = $1")
                .bind(at.number)
                .optional(change)
                .await?;
            return Ok(match last {
                Some((key_id,)) if !key_id.is_empty() => Checked::CutOff(at.number),
                _ => Checked::Whole(at),
            });
        };
        let Some(key) = self.keys.named(&head.key_id) else {
            return Ok(Checked::KeyMissing(at.number, head.key_id));
        };
        let sealed = key.seal(at.number, &at.chain);
        if head.number == at.number && bool::from(sealed.as_slice().ct_eq(&head.seal)) {
            Ok(Checked::Whole(at))
        } else {
            Ok(Checked::CutOff(at.number))
        }
    }
}
