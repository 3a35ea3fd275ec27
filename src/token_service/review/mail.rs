//! The review as letters to those who can act: a person about their tokens, an organisation's owners about its own and
//! about those whose owner left.
//!
//! Nothing is sent here. Who sends a letter claims it first, so that of several servers one does, and nobody gets
//! another for a while.

use std::collections::BTreeMap;

use crate::database::sql;
use crate::token_service::error::Result;
use crate::token_service::model::{Time, Token};
use crate::token_service::review::{Advice, text};
use crate::token_service::store::TokenService;

/// A letter that is ready to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// Whom to.
    pub login: String,
    /// Their name.
    pub name: String,
    /// Their address.
    pub email: String,
    /// One line.
    pub subject: String,
    /// Plain text.
    pub body: String,
}

/// Login, name and address.
type Person = (String, String, String);

/// Tokens that one letter names at most.
const LONGEST: usize = 100;

/// One letter for each person. `owners` are those of the organisation of each advised token whose own owner is no
/// active person.
pub fn letters(advice: &[Advice], owners: impl Fn(&Token) -> Vec<Person>) -> Vec<Letter> {
    let mut by_person: BTreeMap<Person, Vec<Advice>> = BTreeMap::new();
    for advised in advice {
        let token = &advised.token;
        let people = match (&token.login, &token.user_name, &token.email) {
            (Some(login), Some(name), Some(email)) if token.active == Some(true) => {
                vec![(login.clone(), name.clone(), email.clone())]
            }
            _ => owners(token),
        };
        for person in people {
            by_person.entry(person).or_default().push(advised.clone());
        }
    }
    let letter = |((login, name, email), advice): (Person, Vec<Advice>)| Letter {
        subject: format!("Tokens to look at: {}", advice.len()),
        body: format!(
            "Hello {name},\n\nthese tokens could be smaller, or gone. Each line says why; the command makes one that \
             would do.\n\n{}{}",
            text(&advice[..advice.len().min(LONGEST)]),
            rest(advice.len())
        ),
        login,
        name,
        email,
    };
    by_person.into_iter().map(letter).collect()
}

/// What is said of tokens that a letter has no room for.
fn rest(all: usize) -> String {
    match all.checked_sub(LONGEST) {
        None | Some(0) => String::new(),
        Some(more) => format!("… and {more} more, which `unleak token review` lists\n"),
    }
}

impl TokenService {
    /// The letters of a review, to those who got none in the last `every_days`.
    pub async fn review_letters(&self, unused_days: i64, every_days: i64) -> Result<Vec<Letter>> {
        let advice = self.review(None, unused_days).await?;
        let mut owners: BTreeMap<String, Vec<Person>> = BTreeMap::new();
        for (of, login, name, email) in self.people_to_write().await? {
            owners.entry(of).or_default().push((login, name, email));
        }
        let sent: Vec<(String,)> = sql("SELECT email FROM review_mails WHERE sent_at > $1")
            .bind(Time::now().plus_days(-every_days))
            .all(&self.pool)
            .await?;
        let mut letters = letters(&advice, |token| {
            let of = token.organisation_id.as_ref().or(token.user_id.as_ref());
            of.and_then(|of| owners.get(of)).cloned().unwrap_or_default()
        });
        letters.retain(|letter| !sent.iter().any(|(email,)| *email == letter.email));
        Ok(letters)
    }

    /// The owners of each organisation, by its id, and of those of each user who was deactivated, by the user's.
    async fn people_to_write(&self) -> Result<Vec<(String, String, String, String)>> {
        sql("SELECT w.organisation_id, u.login, u.name, u.email FROM memberships w \
             JOIN users u ON u.id = w.user_id JOIN organisations o ON o.id = w.organisation_id \
             WHERE w.role = 'owner' AND w.ended_at IS NULL AND u.active AND o.ended_at IS NULL \
             UNION SELECT g.id, u.login, u.name, u.email FROM users g \
             JOIN memberships m ON m.user_id = g.id AND m.ended_at IS NULL \
             JOIN memberships w ON w.organisation_id = m.organisation_id AND w.role = 'owner' AND w.ended_at IS NULL \
             JOIN users u ON u.id = w.user_id JOIN organisations o ON o.id = w.organisation_id \
             WHERE NOT g.active AND u.active AND o.ended_at IS NULL")
        .all(&self.pool)
        .await.map_err(Into::into)
    }

    /// Whether this letter is the caller's to send now; then nobody else gets to send it.
    pub async fn claim_letter(&self, letter: &Letter, every_days: i64) -> Result<bool> {
        let now = Time::now();
        let claimed = sql("INSERT INTO review_mails (email, sent_at) VALUES ($1, $2) \
             ON CONFLICT (email) DO UPDATE SET sent_at = excluded.sent_at WHERE review_mails.sent_at <= $3")
        .bind(&letter.email)
        .bind(now)
        .bind(now.plus_days(-every_days))
        .run(&self.pool)
        .await?;
        Ok(claimed > 0)
    }

    /// Notes that a claimed letter was not taken by anybody: it is due again.
    pub async fn letter_was_lost(&self, letter: &Letter) -> Result<()> {
        sql("UPDATE review_mails SET sent_at = 0 WHERE email = $1")
            .bind(&letter.email)
            .run(&self.pool)
            .await?;
        Ok(())
    }
}
