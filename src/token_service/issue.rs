//! Making tokens. The token leaves this file in the returned value and is kept nowhere.

use crate::database::{Open, sql};
use crate::secret::Secret;
use crate::token_service::audit::{Actor, Change};
use crate::token_service::error::{Error, Result};
use crate::token_service::format::{TokenKind, last_four, mint};
use crate::token_service::model::{Access, Scopes, Time};
use crate::token_service::people::{checked_text, new_id};
use crate::token_service::policy::Applicant;
use crate::token_service::rights::{Bearer, Right};
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

impl Holder {
    fn kind(&self) -> TokenKind {
        match self {
            Self::User(_) => TokenKind::User,
            Self::Project { .. } => TokenKind::Project,
            Self::Organisation { .. } => TokenKind::Organisation,
        }
    }
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

/// How a token is made, beside what it is.
#[derive(Clone, Debug, Default)]
pub struct Making {
    /// The preset whose scopes and lifetime it gets, where nothing else is asked for.
    pub preset: Option<String>,
    /// The service identity that it is for, by slug.
    pub identity: Option<String>,
    /// Refuse to make it if its scopes do anything else.
    pub access: Option<Access>,
    /// The request's name, so that sending it again makes no second token.
    pub idempotency_key: Option<IdempotencyKey>,
}

/// The name of a request, and a hash of what it asked for.
#[derive(Clone, Debug)]
pub struct IdempotencyKey {
    /// Who sent it.
    pub caller: String,
    /// The name it was given.
    pub key: String,
    /// SHA-256 of the request.
    pub request: Vec<u8>,
}

/// A token that was just made: the only time it is in clear.
#[derive(Debug)]
pub struct Created {
    /// Its name from now on.
    pub id: String,
    /// The token; `None` if the same request made it before, because it is shown once.
    pub shown: Option<Secret>,
}

/// A token that was just made, for callers that name no request.
#[derive(Debug)]
pub struct Fresh {
    /// Its name from now on.
    pub id: String,
    /// The token.
    pub token: Secret,
}

/// How long the name of a request is remembered.
const IDEMPOTENCY_DAYS: i64 = 1;

/// Keys of the rows that a token belongs to.
#[derive(Default)]
struct Belongs {
    user: Option<String>,
    project: Option<String>,
    organisation: Option<String>,
    slug: Option<String>,
    identity: Option<String>,
    reason: Option<String>,
}

impl TokenService {
    /// Makes a token. A project or organisation token that its organisation's policy would refuse is not made;
    /// a user token is, because it may serve other organisations.
    pub async fn create(&self, asked: &NewToken, by: &Actor) -> Result<Fresh> {
        let created = self.create_as(asked, &Making::default(), by).await?;
        let token = created
            .shown
            .ok_or_else(|| Error::invalid("the token was made before"))?;
        Ok(Fresh {
            id: created.id,
            token,
        })
    }

    /// Makes a token on behalf of a bearer: for oneself, for a project that one administers, for an organisation that
    /// one owns; never one that could do more than the bearer's own.
    pub async fn create_for(&self, bearer: &Bearer, asked: &NewToken, making: &Making) -> Result<Created> {
        let by = bearer.actor();
        if let Some(presented) = bearer.presented() {
            let asked = self.filled(asked, making)?;
            let organisation = match &asked.holder {
                Holder::User(login) if presented.token.login.as_ref() == Some(login) => None,
                Holder::User(login) => {
                    let attempt = Change::plain(&by, "token.create", login, None);
                    let why = "a user token is made by its own user".to_owned();
                    return self.noting_refusal(attempt, Err(Error::Forbidden(why))).await;
                }
                Holder::Project {
                    organisation,
                    project,
                } => {
                    self.authorised_in(bearer, Right::CreateTokens, organisation, project)
                        .await?;
                    Some(organisation.as_str())
                }
                Holder::Organisation { organisation, .. } => {
                    self.authorised(bearer, Right::CreateTokens, organisation).await?;
                    Some(organisation.as_str())
                }
            };
            let attempt = Change::plain(&by, "token.create", asked.holder.kind().name(), organisation);
            let may = presented.may_pass_on(&asked.scopes);
            self.noting_refusal(attempt, may).await?;
        }
        self.create_as(asked, making, &by).await
    }

    /// Makes a token.
    pub async fn create_as(&self, asked: &NewToken, making: &Making, by: &Actor) -> Result<Created> {
        let asked = &self.filled(asked, making)?;
        let description = checked_text("a description", &asked.description)?;
        let now = Time::now();
        check(asked, making, now)?;
        let organisation = match &asked.holder {
            Holder::User(_) => None,
            Holder::Project { organisation, .. } | Holder::Organisation { organisation, .. } => {
                Some(organisation.as_str())
            }
        };
        let attempt = Change::plain(by, "token.create", asked.holder.kind().name(), organisation);
        let belongs = self.belongs(asked, making, now).await;
        let belongs = self.noting_refusal(attempt, belongs).await?;
        let kind = asked.holder.kind();
        let (token, id) = (mint(kind)?, new_id()?);
        let mut change = self.write().await?;
        if let Some(before) = self.made_before(&mut change, making, now).await? {
            return Ok(Created {
                id: before,
                shown: None,
            });
        }
        let (key_id, key) = self.keys.current();
        sql("INSERT INTO tokens (id, kind, key_id, hash, last_four, user_id, project_id, organisation_id, identity_id, \
             description, reason, scopes, preset, created_at, created_by, expires_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)")
        .bind(&id)
        .bind(kind.name())
        .bind(key_id)
        .bind(key.hash(&token))
        .bind(last_four(&token))
        .bind(belongs.user)
        .bind(belongs.project)
        .bind(belongs.organisation)
        .bind(belongs.identity)
        .bind(description)
        .bind(belongs.reason)
        .bind(asked.scopes.to_string())
        .bind(&making.preset)
        .bind(now)
        .bind(by.as_str())
        .bind(asked.expires_at)
        .run(&mut change)
        .await?;
        let detail = format!(
            "{kind} token {}…, {} scopes {}",
            kind.prefix(),
            asked.scopes.access().name(),
            asked.scopes
        );
        let told = Change::plain(by, "token.create", &id, belongs.slug.as_deref()).with(&detail);
        self.note(&mut change, told).await?;
        remember(&mut change, making, &id, now).await?;
        change.commit().await?;
        Ok(Created {
            id,
            shown: Some(token),
        })
    }

    /// What is asked for, with what its preset says where nothing else was.
    fn filled(&self, asked: &NewToken, making: &Making) -> Result<NewToken> {
        let mut asked = asked.clone();
        if let Some(name) = &making.preset {
            let preset = self.presets.named(name, asked.holder.kind())?;
            if !asked.scopes.is_empty() {
                return Err(Error::invalid("give scopes or a preset, not both"));
            }
            asked.scopes = preset.scopes.clone();
            let end = preset.expires_in_days.map(|days| Time::now().plus_days(days));
            asked.expires_at = asked.expires_at.or(end);
        }
        Ok(asked)
    }

    async fn belongs(&self, asked: &NewToken, making: &Making, now: Time) -> Result<Belongs> {
        let (slug, reason) = match &asked.holder {
            Holder::User(login) => return self.belongs_to_user(login, making).await,
            Holder::Project { organisation, .. } => (organisation, None),
            Holder::Organisation { organisation, reason } => {
                let what =
                    "a reason why the whole organisation must be reached (a project's token is the default)";
                (organisation, Some(checked_text(what, reason)?.to_owned()))
            }
        };
        let organisation = self.organisation(slug).await?;
        if organisation.ended_at.is_some() {
            return Err(Error::Forbidden(format!("{slug} was deleted; restore it first")));
        }
        let applicant = Applicant {
            kind: asked.holder.kind(),
            scopes: &asked.scopes,
            created_at: now,
            expires_at: asked.expires_at,
        };
        if let Some(why) = organisation.policy.refusal(applicant) {
            return Err(Error::Forbidden(why));
        }
        let project = match &asked.holder {
            Holder::Project { project, .. } => Some(self.project(&organisation, project).await?),
            _ => None,
        };
        let identity = match &making.identity {
            Some(slug) => Some(self.identity(&organisation, slug).await?),
            None => None,
        };
        if let Some(identity) = &identity {
            let project = project.as_ref().map(|project| project.slug.as_str());
            if !identity.active || identity.project.is_some() && identity.project.as_deref() != project {
                return Err(Error::invalid(format!(
                    "the service identity {} is deactivated or belongs to another project",
                    identity.slug
                )));
            }
        }
        Ok(Belongs {
            user: None,
            project: project.map(|project| project.id),
            organisation: Some(organisation.id),
            slug: Some(organisation.slug),
            identity: identity.map(|identity| identity.id),
            reason,
        })
    }

    async fn belongs_to_user(&self, login: &str, making: &Making) -> Result<Belongs> {
        if making.identity.is_some() {
            return Err(Error::invalid(
                "a user token is for its user, not for a service identity",
            ));
        }
        let user = self.user(login).await?;
        if !user.active {
            return Err(Error::invalid(format!(
                "{login} was deactivated; activate the user first"
            )));
        }
        Ok(Belongs {
            user: Some(user.id),
            ..Belongs::default()
        })
    }

    /// The token that the same request made before; another request of the same name is an error.
    async fn made_before(&self, change: &mut Open, making: &Making, now: Time) -> Result<Option<String>> {
        let Some(named) = &making.idempotency_key else {
            return Ok(None);
        };
        sql("DELETE FROM idempotency_keys WHERE created_at < $1")
            .bind(now.plus_days(-IDEMPOTENCY_DAYS))
            .run(&mut *change)
            .await?;
        let found: Option<(String, Vec<u8>)> =
            sql("SELECT token_id, request FROM idempotency_keys WHERE caller = $1 AND idempotency_key = $2")
                .bind(&named.caller)
                .bind(&named.key)
                .optional(change)
                .await?;
        match found {
            Some((_, request)) if request != named.request => Err(Error::Conflict(
                "another request was sent under this idempotency key; take a new one".to_owned(),
            )),
            found => Ok(found.map(|(token, _)| token)),
        }
    }
}

fn check(asked: &NewToken, making: &Making, now: Time) -> Result<()> {
    if asked.scopes.is_empty() {
        return Err(Error::invalid(
            "a token needs at least one scope; name what it may do, or take a preset",
        ));
    }
    if asked.expires_at.is_some_and(|end| end <= now) {
        return Err(Error::invalid("the expiry lies in the past"));
    }
    let access = asked.scopes.access();
    if let Some(wanted) = making.access.filter(|wanted| *wanted != access) {
        return Err(Error::invalid(format!(
            "these scopes make a {} token, and a {} one was asked for",
            access.name(),
            wanted.name()
        )));
    }
    Ok(())
}

async fn remember(change: &mut Open, making: &Making, token: &str, now: Time) -> Result<()> {
    let Some(named) = &making.idempotency_key else {
        return Ok(());
    };
    sql(
        "INSERT INTO idempotency_keys (caller, idempotency_key, request, token_id, created_at) \
         VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(&named.caller)
    .bind(&named.key)
    .bind(named.request.clone())
    .bind(token)
    .bind(now)
    .run(change)
    .await?;
    Ok(())
}
