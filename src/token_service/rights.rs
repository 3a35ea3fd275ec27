//! Who may do what in an organisation: a right needs a role and a scope, never one of them alone.
//!
//! A user token carries the role of its user and still needs the scope, so that a leaked token for one use is no key
//! to all others. An organisation's own token has no role; its scope is enough where no person must answer for it.

use crate::token_service::audit::Actor;
use crate::token_service::error::{Error, Result};
use crate::token_service::format::TokenKind;
use crate::token_service::model::{Organisation, Role};
use crate::token_service::presented::Presented;
use crate::token_service::store::TokenService;

/// Something that may be done in an organisation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Right {
    /// See members with their addresses.
    ReadMembers,
    /// See every token that can reach the organisation.
    ReadTokens,
    /// Introspect tokens that reach the organisation.
    Introspect,
    /// Revoke or block them.
    RevokeTokens,
    /// See the policy.
    ReadPolicy,
    /// Change the policy.
    WritePolicy,
}

/// The scope that stands for all scopes of this API.
const ADMIN: &str = "admin";

impl Right {
    /// Each scope that this API asks for.
    pub const SCOPES: [&str; 5] = [
        "members:read",
        "tokens:read",
        "tokens:revoke",
        "policy:read",
        "policy:write",
    ];

    /// The scope it needs; `admin` stands for all.
    pub fn scope(self) -> &'static str {
        match self {
            Self::ReadMembers => "members:read",
            Self::ReadTokens | Self::Introspect => "tokens:read",
            Self::RevokeTokens => "tokens:revoke",
            Self::ReadPolicy => "policy:read",
            Self::WritePolicy => "policy:write",
        }
    }

    /// The least role it needs.
    fn role(self) -> Role {
        match self {
            Self::ReadMembers | Self::ReadTokens => Role::Admin,
            Self::Introspect | Self::RevokeTokens | Self::ReadPolicy | Self::WritePolicy => Role::Owner,
        }
    }
}

/// Who asks.
#[derive(Clone, Debug)]
pub enum Bearer {
    /// Whoever runs the server.
    Operator,
    /// The bearer of an accepted token.
    Token(Box<Presented>),
}

impl Bearer {
    /// The words for the audit log.
    pub fn actor(&self) -> Actor {
        match self {
            Self::Operator => Actor::operator(),
            Self::Token(presented) => Actor::through(&presented.token.holder(), &presented.token.id),
        }
    }

    /// The token, unless it is the operator.
    pub fn presented(&self) -> Option<&Presented> {
        match self {
            Self::Operator => None,
            Self::Token(presented) => Some(presented),
        }
    }
}

impl Presented {
    /// Whether the token carries the scope, or the one that stands for all.
    fn carries(&self, scope: &'static str) -> Result<()> {
        if self.token.scopes.contains(scope) || self.token.scopes.contains(ADMIN) {
            return Ok(());
        }
        Err(Error::MissingScope(scope))
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
            // the policy is changed by owners, who are people
            (TokenKind::Organisation, _) => right != Right::WritePolicy,
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
    /// The organisation of this slug, if the bearer has this right in it; the use of the scope is noted.
    pub async fn authorised(&self, bearer: &Bearer, right: Right, slug: &str) -> Result<Organisation> {
        let presented = match bearer {
            Bearer::Operator => return self.organisation(slug).await,
            Bearer::Token(presented) => presented,
        };
        let organisation = presented.may(right, slug)?.clone();
        self.note_scope_use(&presented.token.id, right.scope()).await;
        Ok(organisation)
    }
}
