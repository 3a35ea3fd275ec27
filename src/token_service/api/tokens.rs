//! Making tokens, and what users do with their own. The only place where a token goes out, once.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use sha2::{Digest as _, Sha256};

use crate::token_service::api::extract::{Asked, At, Sent};
use crate::token_service::api::organisation::{Answer, CauseBody};
use crate::token_service::api::reply::Failure;
use crate::token_service::api::shown::{PageQuery, Shown, Tokens};
use crate::token_service::error::{Error, Result};
use crate::token_service::issue::{Holder, IdempotencyKey, Making, NewToken};
use crate::token_service::model::{Access, Scopes, Time};
use crate::token_service::rights::{Bearer, Right};
use crate::token_service::stop::Stopped;
use crate::token_service::store::TokenService;

/// The token that is wanted: of a user, of a project (organisation and project), or of an organisation with a reason.
#[derive(serde::Serialize, serde::Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TokenBody {
    /// The user's login; the bearer's own, unless it is the operator.
    user: Option<String>,
    /// The organisation's slug.
    organisation: Option<String>,
    /// The project's slug.
    project: Option<String>,
    /// Why a project's token would not do.
    reason: Option<String>,
    /// What it is for.
    #[schema(min_length = 1, max_length = 500, example = "shop, production")]
    description: String,
    /// What it may do; at least one, unless a preset says it.
    scopes: Option<Scopes>,
    /// A ready-made set of scopes with a lifetime: sdk, ci, read-only, admin or one of the operator's.
    preset: Option<String>,
    /// The service identity that it is for.
    identity: Option<String>,
    /// Do not make it if its scopes do anything else.
    #[schema(inline)]
    access: Option<Access>,
    /// When it ends by itself; never, if neither this nor a preset says it.
    #[schema(minimum = 1, maximum = 36500)]
    expires_in_days: Option<i64>,
}

impl TokenBody {
    fn holder(&self) -> Result<Holder> {
        let holder = match (&self.user, &self.organisation, &self.project, &self.reason) {
            (Some(login), None, None, None) => Holder::User(login.clone()),
            (None, Some(organisation), Some(project), None) => Holder::Project {
                organisation: organisation.clone(),
                project: project.clone(),
            },
            (None, Some(organisation), None, reason) => Holder::Organisation {
                organisation: organisation.clone(),
                reason: reason.clone().unwrap_or_default(),
            },
            _ => {
                return Err(Error::invalid(
                    "give user; or organisation and project; or organisation and reason",
                ));
            }
        };
        Ok(holder)
    }

    fn expires_at(&self) -> Result<Option<Time>> {
        match self.expires_in_days {
            Some(days) if !(1..=36_500).contains(&days) => {
                Err(Error::invalid("expires_in_days must be from 1 to 36500"))
            }
            days => Ok(days.map(|days| Time::now().plus_days(days))),
        }
    }
}

/// A token that was made.
#[derive(serde::Serialize, utoipa::ToSchema)]
pub(super) struct Made {
    /// Its name from now on.
    id: String,
    /// The token, shown this once; null if the same request made it before.
    token: Option<String>,
}

fn idempotency_key(headers: &HeaderMap, bearer: &Bearer, body: &TokenBody) -> Result<Option<IdempotencyKey>> {
    let Some(sent) = headers.get("idempotency-key") else {
        return Ok(None);
    };
    let key = sent.to_str().ok().filter(|key| (1..=255).contains(&key.len()));
    let key =
        key.ok_or_else(|| Error::invalid("an idempotency key has 1 to 255 visible ASCII characters"))?;
    let request = serde_json::to_vec(body).map_err(|error| Error::invalid(error.to_string()))?;
    Ok(Some(IdempotencyKey {
        caller: bearer
            .presented()
            .map_or("operator".into(), |presented| presented.token.id.clone()),
        key: key.to_owned(),
        request: Sha256::digest(&request).to_vec(),
    }))
}

/// Make a token; it is in the answer and never shown again
///
/// A bearer makes tokens for itself, for projects that it administers and for organisations that it owns, none that
/// could do more than its own. The same `Idempotency-Key` within a day makes no second token: the answer is then 200
/// with the id alone.
#[utoipa::path(post, path = "/api/v1/tokens", tag = "tokens", request_body = TokenBody,
    params(("Idempotency-Key" = Option<String>, Header, description = "A name for the request, so that it can be sent again")),
    responses((status = 201, description = "made", body = Made), (status = 200, description = "made before", body = Made)))]
pub(super) async fn create(
    State(service): State<TokenService>,
    bearer: Bearer,
    headers: HeaderMap,
    Sent(body): Sent<TokenBody>,
) -> std::result::Result<(StatusCode, Json<Made>), Failure> {
    let asked = NewToken {
        holder: body.holder()?,
        expires_at: body.expires_at()?,
        description: body.description.clone(),
        scopes: body.scopes.clone().unwrap_or_default(),
    };
    let making = Making {
        idempotency_key: idempotency_key(&headers, &bearer, &body)?,
        preset: body.preset,
        identity: body.identity,
        access: body.access,
    };
    let created = service.create_for(&bearer, &asked, &making).await?;
    let status = if created.shown.is_some() {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    let token = created
        .shown
        .as_ref()
        .and_then(|token| token.expose_str().map(str::to_owned));
    Ok((
        status,
        Json(Made {
            id: created.id,
            token,
        }),
    ))
}

/// The tokens of the bearer's user
#[utoipa::path(get, path = "/api/v1/tokens", tag = "tokens", params(PageQuery), responses((status = 200, body = Tokens)))]
pub(super) async fn own(
    State(service): State<TokenService>,
    bearer: Bearer,
    Asked(query): Asked<PageQuery>,
) -> Answer<Tokens> {
    let page = query.page()?;
    let presented = bearer.presented();
    let presented = presented.ok_or_else(|| Error::invalid("the operator key belongs to no user"))?;
    presented.carries(Right::ReadTokens.scope())?;
    let login = presented.token.login.as_deref();
    let login = login.ok_or_else(|| Error::Forbidden("this token belongs to no user".to_owned()))?;
    let tokens = service.tokens_of(&service.user(login).await?, &page).await?;
    Ok(Json(Tokens::of(tokens, &page, |token| token, Shown::token)))
}

/// A token in the path.
#[derive(serde::Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct Id {
    /// The token's id.
    id: String,
}

/// Revoke one's own token everywhere; any, with the operator key
#[utoipa::path(post, path = "/api/v1/tokens/{id}/revoke", tag = "tokens", params(Id), request_body = CauseBody,
    responses((status = 200, body = Stopped)))]
pub(super) async fn revoke(
    State(service): State<TokenService>,
    bearer: Bearer,
    At(at): At<Id>,
    Sent(body): Sent<CauseBody>,
) -> Answer<Stopped> {
    Ok(Json(service.stop_everywhere(&bearer, &at.id, &body.cause).await?))
}
