//! Signing in with the provider of identities that the operator named: sending a browser there, and taking it back. Where
//! it goes afterwards was written down before it left.

use axum::response::Response;

use super::cookie::Cookie;
use super::door::{Asked, go, with_cookie};
use super::routes::Answer;
use super::shown::clean;
use super::sign::{let_in, local, once_more, shown};
use super::trouble::{Trouble, sentence};
use crate::server::oidc::{Back, Failure, Provider};
use crate::token_service::{BACK_WITHIN, Error};

/// `GET /sign-in/oidc`: to the provider.
pub(super) async fn begin(asked: Asked) -> Answer {
    let provider = provider(&asked)?;
    let next = local(asked.query("next"));
    let limit = &asked.pages.elsewhere;
    limit.take_for(asked.address).map_err(Trouble::TooMany)?;
    let begun = asked.pages.tokens.begin_elsewhere(next).await?;
    match provider.door(&begun.ties).await {
        Ok(door) => {
            let cookie = begun.cookie.expose_str().unwrap_or_default();
            let given = Cookie::Elsewhere.given(cookie, BACK_WITHIN, asked.behind_tls);
            Ok(with_cookie(go(door.as_str()), &given))
        }
        Err(failure) => failed(&asked, next, provider, failure),
    }
}

/// `GET /sign-in/oidc/back`: from the provider.
pub(super) async fn back(asked: Asked) -> Answer {
    let provider = provider(&asked)?;
    let limit = &asked.pages.elsewhere;
    limit.take_for(asked.address).map_err(Trouble::TooMany)?;
    let tokens = &asked.pages.tokens;
    let sent = match &asked.elsewhere_cookie {
        None => None,
        Some(cookie) => tokens.back_from_elsewhere(cookie, asked.query("state")).await?,
    };
    let Some((ties, next)) = sent else {
        let told =
            "This sign-in was not begun in this browser, took too long, or was used before. Try once more.";
        return shown(&asked, "/", Some(told.to_owned()));
    };
    let (next, error) = (local(&next).to_owned(), asked.query("error"));
    if !error.is_empty() {
        tracing::info!(
            error = clean(error),
            "the provider of identities signed nobody in"
        );
        let told = match error {
            "access_denied" => "The sign-in was broken off, or you may not use unleak there.",
            _ => "The provider signed nobody in; the log of the server names its error.",
        };
        return Ok(no_longer(&asked, shown(&asked, &next, Some(told.to_owned()))?));
    }
    let came = Back {
        code: asked.query("code"),
        issuer: asked.query("iss"),
    };
    let answer = match provider.vouched(&came, &ties).await {
        Err(failure) => failed(&asked, &next, provider, failure)?,
        Ok(vouched) => match tokens.sign_in_vouched(&vouched, asked.pages.times).await {
            // the browser comes from elsewhere, and asked by itself the page comes with the new cookie
            Ok(signed_in) => let_in(&asked, once_more(&next)?, &signed_in).await?,
            Err(Error::Forbidden(why)) => {
                let told = format!(
                    "{} knows you, but unleak does not let you in: {why}. Whoever runs this server can mend that.",
                    clean(provider.name())
                );
                shown(&asked, &next, Some(told))?
            }
            Err(error) => return Err(error.into()),
        },
    };
    Ok(no_longer(&asked, answer))
}

fn provider(asked: &Asked) -> Result<&Provider, Trouble> {
    asked.pages.provider.as_ref().ok_or(Trouble::NotFound("page"))
}

/// The sign-in form with what went wrong.
fn failed(asked: &Asked, next: &str, provider: &Provider, failure: Failure) -> Answer {
    let told = match failure {
        Failure::Refused(why) => {
            tracing::warn!(why, "a sign-in with the provider of identities was refused");
            format!("You are not signed in: {}", sentence(why))
        }
        Failure::Away(error) => {
            tracing::error!("the provider of identities cannot be asked: {error:#}");
            format!(
                "{} cannot be asked now, so nobody can sign in with it; the log of the server says why. A token still works.",
                clean(provider.name())
            )
        }
    };
    shown(asked, next, Some(told))
}

/// The cookie of this sign-in is used up.
fn no_longer(asked: &Asked, response: Response) -> Response {
    with_cookie(response, &Cookie::Elsewhere.taken(asked.behind_tls))
}
