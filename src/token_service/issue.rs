//! Making tokens. The token leaves this file in the returned value and is kept nowhere.

use crate::secret::Secret;
use crate::token_service::audit::{Actor, Change};
use crate::token_service::error::{Error, Result};
use crate::token_service::format::{TokenKind, last_four, mint};
use crate::token_service::model::{Scopes, Time};
use crate::token_service::people::{checked_text, new_id};
use crate::token_service::policy::Applicant;
use crate::token_service::store::TokenService;

/// To whom a new token shall belong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holder {
    /// A person, by login.
    User(String),
    /// A project, by the slugs of its organisation and its own.
    Project {
        /// The organisation.
        organisation: String,
        /// The project.
        project: String,
    },
    /// A whole organisation, by slug.
    Organisation {
        /// The organisation.
        organisation: String,
        /// Why a project's token would not do.
        reason: String,
    },
}

/// What is asked for. Nothing has a default: least privilege is written down.
#[derive(Clone, Debug)]
pub struct NewToken {
    /// To whom it shall belong.
    pub holder: Holder,
    /// What it is for.
    pub description: String,
    /// What it may do; at least one scope.
    pub scopes: Scopes,
    /// When it ends by itself; `None` never.
    pub expires_at: Option<Time>,
}

/// A token that was just made: the only time it is in clear.
#[derive(Debug)]
pub struct Created {
    /// Its name from now on.
    pub id: String,
    /// The token.
    pub token: Secret,
}

/// Keys of the rows that a token belongs to.
#[derive(Default)]
struct Belongs {
    user: Option<String>,
    project: Option<String>,
    organisation: Option<String>,
    slug: Option<String>,
}

impl TokenService {
    /// Makes a token. A project or organisation token that its organisation's policy would refuse is not made;
    /// a user token is, because it may serve other organisations.
    pub async fn create(&self, asked: &NewToken, by: &Actor) -> Result<Created> {
        let description = checked_text("a description", &asked.description)?;
        if asked.scopes.is_empty() {
            return Err(Error::invalid(
                "a token needs at least one scope; name what it may do",
            ));
        }
        let now = Time::now();
        if asked.expires_at.is_some_and(|end| end <= now) {
            return Err(Error::invalid("the expiry lies in the past"));
        }
        let (kind, belongs, reason) = self.belongs(asked, now).await?;
        let token = mint(kind)?;
        let id = new_id()?;
        let mut change = self.write().await?;
        sqlx::query(
            "INSERT INTO tokens (id, kind, key_id, hash, last_four, user_id, project_id, organisation_id, \
             description, reason, scopes, created_at, created_by, expires_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
        )
        .bind(&id)
        .bind(kind)
        .bind(&self.key_id)
        .bind(self.key.hash(&token).to_vec())
        .bind(last_four(&token))
        .bind(belongs.user)
        .bind(belongs.project)
        .bind(belongs.organisation)
        .bind(description)
        .bind(reason)
        .bind(asked.scopes.to_string())
        .bind(now)
        .bind(by.as_str())
        .bind(asked.expires_at)
        .execute(&mut *change)
        .await?;
        let told = Change {
            by,
            action: "token.create",
            subject: &id,
            organisation: belongs.slug.as_deref(),
            detail: &format!("{kind} token {}…, scopes {}", kind.prefix(), asked.scopes),
        };
        self.note(&mut change, told).await?;
        change.commit().await?;
        Ok(Created { id, token })
    }

    async fn belongs<'a>(
        &self,
        asked: &'a NewToken,
        now: Time,
    ) -> Result<(TokenKind, Belongs, Option<&'a str>)> {
        let (kind, slug, reason) = match &asked.holder {
            Holder::User(login) => {
                let user = self.user(login).await?;
                if !user.active {
                    return Err(Error::invalid(format!(
                        "{login} was deactivated; activate the user first"
                    )));
                }
                let belongs = Belongs {
                    user: Some(user.id),
                    ..Belongs::default()
                };
                return Ok((TokenKind::User, belongs, None));
            }
            Holder::Project { organisation, .. } => (TokenKind::Project, organisation, None),
            Holder::Organisation { organisation, reason } => {
                let what =
                    "a reason why the whole organisation must be reached (a project's token is the default)";
                (
                    TokenKind::Organisation,
                    organisation,
                    Some(checked_text(what, reason)?),
                )
            }
        };
        let organisation = self.organisation(slug).await?;
        let applicant = Applicant {
            kind,
            scopes: &asked.scopes,
            created_at: now,
            expires_at: asked.expires_at,
        };
        if let Some(why) = organisation.policy.refusal(applicant) {
            return Err(Error::Forbidden(why));
        }
        let project = match &asked.holder {
            Holder::Project { project, .. } => Some(self.project(&organisation, project).await?.id),
            _ => None,
        };
        let belongs = Belongs {
            user: None,
            project,
            organisation: Some(organisation.id),
            slug: Some(organisation.slug),
        };
        Ok((kind, belongs, reason))
    }
}
