//! How a token, a page of tokens and a new token look in answers. None of them but the last ever holds a token.

use serde_json::Value;

use crate::token_service::format::TokenKind;
use crate::token_service::model::{Access, Scopes, Time, Token};
use crate::token_service::visitors::{Cursor, Page, Visitor};

/// Tokens on a page, if nothing else is asked for; and at most.
const PAGE: i64 = 1000;

/// Which part of a list.
#[derive(serde::Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct PageQuery {
    /// `next` of the page before.
    cursor: Option<String>,
    /// Tokens on the page at most.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<i64>,
}

impl PageQuery {
    pub(super) fn page(&self) -> crate::token_service::Result<Page> {
        let most = self.limit.unwrap_or(PAGE);
        if !(1..=PAGE).contains(&most) {
            return Err(crate::token_service::Error::invalid(format!(
                "limit must be from 1 to {PAGE}"
            )));
        }
        Ok(Page {
            behind: self.cursor.as_deref().map(str::parse).transpose()?,
            most,
        })
    }
}

/// The person that a token belongs to.
#[derive(serde::Serialize, utoipa::ToSchema)]
pub(super) struct Owner {
    login: String,
    name: Option<String>,
    email: Option<String>,
}

/// A token as a list shows it.
#[derive(serde::Serialize, utoipa::ToSchema)]
pub(super) struct Shown {
    id: String,
    kind: TokenKind,
    /// The person, of a user token.
    owner: Option<Owner>,
    project: Option<String>,
    /// The service identity, where it was made for one.
    identity: Option<String>,
    description: String,
    /// The last four characters.
    last_four: String,
    scopes: Scopes,
    access: Access,
    created_at: Time,
    expires_at: Option<Time>,
    last_used_at: Option<Time>,
    revoked_at: Option<Time>,
    /// live, revoked, expired, owner disabled, blocked or refused.
    state: &'static str,
    /// Why, where there is more to say.
    reason: Option<String>,
}

/// A page of tokens, oldest first.
#[derive(serde::Serialize, utoipa::ToSchema)]
pub(super) struct Tokens {
    pub(super) tokens: Vec<Shown>,
    /// The cursor of the next page; null on the last one.
    pub(super) next: Option<String>,
}

impl Shown {
    pub(super) fn visitor(visitor: Visitor, now: Time) -> Self {
        let (state, reason) = visitor.state(now);
        let reason = reason.map(str::to_owned);
        Self::new(visitor.token, state, reason)
    }

    pub(super) fn token(token: Token, now: Time) -> Self {
        let visitor = Visitor {
            token,
            refused: None,
            blocked: false,
        };
        Self::visitor(visitor, now)
    }

    fn new(token: Token, state: &'static str, reason: Option<String>) -> Self {
        let owner = token.login.map(|login| Owner {
            login,
            name: token.user_name,
            email: token.email,
        });
        Self {
            id: token.id,
            kind: token.kind,
            owner,
            project: token.project,
            identity: token.identity,
            description: token.description,
            last_four: token.last_four,
            access: token.scopes.access(),
            scopes: token.scopes,
            created_at: token.created_at,
            expires_at: token.expires_at,
            last_used_at: token.last_used_at,
            revoked_at: token.revoked_at,
            state,
            reason,
        }
    }
}

impl Tokens {
    /// The page, and where the next one begins.
    pub(super) fn of<T>(
        list: Vec<T>,
        page: &Page,
        token: impl Fn(&T) -> &Token,
        show: impl Fn(T, Time) -> Shown,
    ) -> Self {
        let full = i64::try_from(list.len()).is_ok_and(|length| length >= page.most);
        let next = list
            .last()
            .filter(|_| full)
            .map(|last| Cursor::behind(token(last)).to_string());
        let now = Time::now();
        Self {
            tokens: list.into_iter().map(|one| show(one, now)).collect(),
            next,
        }
    }
}

/// What JSON cannot be described closer here.
pub(super) type Free = Value;
