//! Who may do what in an organisation: a right needs a role and a scope, never one of them alone.
//!
//! A user token carries the role of its user and still needs the scope, so that a leaked token for one use is no key
//! to all others. An organisation's own token has no role; its scope is enough where no person must answer for it.

use crate::token_service::audit::{Actor, Change};
use crate::token_service::error::{Error, Result};
use crate::token_service::format::TokenKind;
use crate::token_service::model::{Organisation, Project, Role};
use crate::token_service::presented::Presented;
use crate::token_service::store::TokenService;
use crate::token_service::uses::Visit;

/// Something that may be done in an organisation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Right {
    /// See members with their addresses.
    ReadMembers,
    /// Make and end memberships, projects, administrators and service identities.
    WriteMembers,
    /// See every token that can reach the organisation.
    ReadTokens,
    /// Introspect tokens that reach the organisation.
    Introspect,
    /// Make tokens of the organisation or of its projects.
    CreateTokens,
    /// Revoke or block them, lift a block, ask their owners.
    RevokeTokens,
    /// See the policy.
    ReadPolicy,
    /// Change the policy.
    WritePolicy,
    /// See the audit log of the organisation.
    ReadAudit,
    /// Delete the organisation.
    EndOrganisation,
    /// See leaks of tokens that open the organisation.
    ReadLeaks,
    /// Approve, dismiss, ask again, revoke and contain them.
    EndLeaks,
}

/// The scope that stands for all scopes of this API.
const ADMIN: &str = "admin";

impl Right {
    /// Each scope that this API asks for.
    pub const SCOPES: [&str; 11] = [
        "members:read",
        "members:write",
        "tokens:read",
        "tokens:write",
        "tokens:revoke",
        "policy:read",
        "policy:write",
        "audit:read",
        "organisation:delete",
        "leaks:read",
        "leaks:write",
    ];

    /// The scope it needs; `admin` stands for all.
    pub fn scope(self) -> &'static str {
        match self {
            Self::ReadMembers => "members:read",
            Self::WriteMembers => "members:write",
            Self::ReadTokens | Self::Introspect => "tokens:read",
            Self::CreateTokens => "tokens:write",
            Self::RevokeTokens => "tokens:revoke",
            Self::ReadPolicy => "policy:read",
            Self::WritePolicy => "policy:write",
            Self::ReadAudit => "audit:read",
            Self::EndOrganisation => "organisation:delete",
            Self::ReadLeaks => "leaks:read",
            Self::EndLeaks => "leaks:write",
        }
    }

    /// The least role it needs.
    fn role(self) -> Role {
        match self {
            Self::ReadLeaks => Role::Member,
            Self::ReadMembers | Self::ReadTokens => Role::Admin,
            _ => Role::Owner,
        }
    }

    /// Whether a person must answer for it, so that an organisation's own token is not enough.
    fn is_for_people(self) -> bool {
        matches!(
            self,
            Self::WritePolicy
                | Self::EndOrganisation
                | Self::WriteMembers
                | Self::CreateTokens
                | Self::ReadLeaks
                | Self::EndLeaks
        )
    }

    /// Whether the administrators of a project have it over their project.
    fn is_of_projects(self) -> bool {
        matches!(self, Self::ReadTokens | Self::CreateTokens | Self::RevokeTokens)
    }
}

/// Who asks.
#[derive(Clone, Debug)]
pub enum Bearer {
    /// Whoever runs the server.
    Operator(Operator),
    /// The bearer of an accepted token, or a person who signed in without one.
    Token(Box<Presented>),
}

/// Whoever runs the server.
#[derive(Clone, Debug)]
pub enum Operator {
    /// By the operator key.
    Key,
    /// Somebody who signed in elsewhere and was said to be one.
    Person {
        /// Their login here, or what they are called there.
        name: String,
        /// Who said so.
        issuer: String,
    },
}

impl Bearer {
    /// The words for the audit log.
    pub fn actor(&self) -> Actor {
        match self {
            Self::Operator(Operator::Key) => Actor::operator(),
            Self::Operator(Operator::Person { name, issuer }) => {
                Actor::vouched(&format!("operator {name}"), issuer)
            }
            Self::Token(presented) => match &presented.issuer {
                None => Actor::through(&presented.token.holder(), &presented.token.id),
                Some(issuer) => Actor::vouched(&presented.token.holder(), issuer),
            },
        }
    }

    /// The token, unless it is the operator.
    pub fn presented(&self) -> Option<&Presented> {
        match self {
            Self::Operator(_) => None,
            Self::Token(presented) => Some(presented),
        }
    }

    /// With whom they signed in, if they hold neither a token nor the operator key.
    pub fn issuer(&self) -> Option<&str> {
        match self {
            Self::Operator(Operator::Key) => None,
            Self::Operator(Operator::Person { issuer, .. }) => Some(issuer),
            Self::Token(presented) => presented.issuer.as_deref(),
        }
    }

    /// Refuses everybody but the operator.
    pub fn is_operator(&self) -> Result<()> {
        match self {
            Self::Operator(_) => Ok(()),
            Self::Token(_) => Err(Error::Forbidden(
                "only whoever runs this server may do this, with the operator key".to_owned(),
            )),
        }
    }
}

impl Presented {
    /// Whether the token carries the scope, or the one that stands for all.
    pub(super) fn carries(&self, scope: &'static str) -> Result<()> {
        if self.token.scopes.allow(scope) || self.token.scopes.contains(ADMIN) {
            return Ok(());
        }
        Err(Error::MissingScope(scope.to_owned()))
    }

    /// Refuses to make a token that could do more than this one.
    pub(super) fn may_pass_on(&self, scopes: &crate::token_service::model::Scopes) -> Result<()> {
        self.carries(Right::CreateTokens.scope())?;
        if self.token.scopes.contains(ADMIN) {
            return Ok(());
        }
        let told = |scope| format!("this token cannot pass on the scope {scope}, which it does not have");
        scopes
            .within(&self.token.scopes)
            .map_err(|scope| Error::Forbidden(told(scope)))
    }

    /// The organisation, if the token belongs in it and is let in. A foreign one looks like one that is not there.
    pub(super) fn inside(&self, slug: &str) -> Result<(&Organisation, Option<Role>)> {
        let reach = self.reach.iter().find(|reach| reach.organisation.slug == slug);
        let reach = reach.ok_or(Error::NotFound("organisation"))?;
        match &reach.refused {
            Some(why) => Err(Error::Forbidden(why.clone())),
            None => Ok((&reach.organisation, reach.role)),
        }
    }

    /// Whether the token has this right in the organisation, which is returned.
    pub fn may(&self, right: Right, slug: &str) -> Result<&Organisation> {
        let (organisation, role) = self.inside(slug)?;
        let needed = right.role();
        let by_role = match (self.token.kind, role) {
            (TokenKind::User, Some(role)) => role >= needed,
            (TokenKind::Organisation, _) => !right.is_for_people(),
            _ => false,
        };
        if !by_role {
            return Err(Error::Forbidden(match self.token.kind {
                TokenKind::User => format!("this needs the role {} in {slug}", needed.name()),
                TokenKind::Project => format!("a project's token cannot do this in {slug}"),
                TokenKind::Organisation => format!("this needs a token of an owner of {slug}"),
            }));
        }
        self.carries(right.scope())?;
        Ok(organisation)
    }

    /// Whether the token carries the scope to stop its own user's other tokens.
    pub(super) fn may_stop_its_own(&self) -> Result<()> {
        self.carries(Right::RevokeTokens.scope())
    }
}

impl TokenService {
    /// The organisation of this slug, if the bearer has this right in it; the use of the scope is noted, and so is a
    /// refusal.
    pub async fn authorised(&self, bearer: &Bearer, right: Right, slug: &str) -> Result<Organisation> {
        let presented = match bearer {
            Bearer::Operator(_) => return self.organisation(slug).await,
            Bearer::Token(presented) => presented,
        };
        let by = bearer.actor();
        let attempt = Change::plain(&by, right.scope(), slug, Some(slug));
        let may = presented.may(right, slug).cloned();
        let organisation = self.noting_refusal(attempt, may).await?;
        self.note_scope(presented, right.scope(), &organisation, "");
        Ok(organisation)
    }

    /// The same for one project: its administrators have some rights over it, too.
    pub async fn authorised_in(
        &self,
        bearer: &Bearer,
        right: Right,
        slug: &str,
        project: &str,
    ) -> Result<(Organisation, Project)> {
        if let Bearer::Token(presented) = bearer
            && let Ok((organisation, _)) = presented.inside(slug)
        {
            let found = self.project(organisation, project).await?;
            if self.is_administrator(presented, right, &found.id).await? {
                self.note_scope(presented, right.scope(), organisation, project);
                return Ok((organisation.clone(), found));
            }
        }
        let organisation = self.authorised(bearer, right, slug).await?;
        let project = self.project(&organisation, project).await?;
        Ok((organisation, project))
    }

    /// Whether this is the token of somebody who administers the project, and has the scope for this right.
    pub(super) async fn is_administrator(
        &self,
        presented: &Presented,
        right: Right,
        project: &str,
    ) -> Result<bool> {
        match &presented.token.user_id {
            Some(user) if right.is_of_projects() && presented.carries(right.scope()).is_ok() => {
                self.administers(user, project).await
            }
            _ => Ok(false),
        }
    }

    /// Refuses everybody but the operator, and writes the attempt down.
    pub async fn only_operator(&self, bearer: &Bearer, what: &'static str, subject: &str) -> Result<()> {
        let by = bearer.actor();
        let attempt = Change::plain(&by, what, subject, None);
        self.noting_refusal(attempt, bearer.is_operator()).await
    }

    pub(super) fn note_scope(
        &self,
        presented: &Presented,
        scope: &str,
        organisation: &Organisation,
        project: &str,
    ) {
        if presented.issuer.is_some() {
            return;
        }
        let visit = Visit {
            organisation: organisation.id.clone(),
            project: project.to_owned(),
            scope: scope.to_owned(),
        };
        self.uses.note(&presented.token.id, Some(visit));
    }
}
