//! Signing in with a token, and out again.

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;

use super::cookie::Cookie;
use super::door::{Asked, go, html, with_cookie};
use super::routes::Answer;
use super::shown::{Frame, clean, pair};
use super::trouble::{Trouble, sentence};
use super::viewer::{form_key, is_key_of};
use crate::secret::Secret;
use crate::token_service::{Error, SignedIn};

/// Seconds for which a sign-in form is good.
const FORM_SECONDS: i64 = 3600;
/// Random bytes of its cookie.
const FORM_BYTES: usize = 32;

#[derive(Template)]
#[template(path = "sign_in.html", config = "src/server/pages/askama.toml")]
struct Page {
    frame: Frame,
    form_key: String,
    next: String,
    trouble: Option<String>,
    elsewhere: Option<Elsewhere>,
}

/// With whom people sign in, beside tokens.
struct Elsewhere {
    name: String,
    /// Where that begins.
    begins: String,
    /// Where whoever has just signed out here does so there.
    way_out: Option<String>,
}

/// `GET /sign-in`.
pub(super) async fn form(asked: Asked) -> Answer {
    if asked.anybody().is_some() {
        return Ok(go(local(asked.query("next"))));
    }
    shown(&asked, local(asked.query("next")), None)
}

/// The form, with what went wrong before.
pub(super) fn shown(asked: &Asked, next: &str, trouble: Option<String>) -> Answer {
    let mut bytes = [0_u8; FORM_BYTES];
    getrandom::fill(&mut bytes).map_err(|_| Trouble::NotNow)?;
    let cookie: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let given = Cookie::Form.given(&cookie, FORM_SECONDS, asked.behind_tls);
    let failed = trouble.is_some();
    let page = Page {
        frame: Frame::new("Sign in", "", None, asked.query("said")),
        form_key: form_key(&Secret::new(cookie.as_bytes())),
        next: next.to_owned(),
        trouble,
        elsewhere: asked.pages.provider.as_ref().map(|provider| Elsewhere {
            name: clean(provider.name()),
            begins: format!("/sign-in/oidc?{}", pair("next", next).trim_start_matches('&')),
            way_out: match asked.query("said") {
                "signed-out" => provider.way_out().map(|url| url.to_string()),
                _ => None,
            },
        }),
    };
    let mut response = with_cookie(html(&page)?, &given);
    if failed {
        *response.status_mut() = StatusCode::UNAUTHORIZED;
    }
    Ok(response)
}

/// `POST /sign-in`.
pub(super) async fn begin(asked: Asked) -> Answer {
    let ours = asked
        .form_cookie
        .as_ref()
        .is_some_and(|cookie| is_key_of(cookie, asked.field("key")));
    let next = local(asked.field("next")).to_owned();
    if !ours {
        let told = "The form was too old, or the browser takes no cookies. Try once more.";
        return shown(&asked, &next, Some(told.to_owned()));
    }
    asked
        .pages
        .sign_ins
        .take_for(asked.address)
        .map_err(Trouble::TooMany)?;
    let token = Secret::new(asked.field("token").trim().as_bytes());
    if token.len() > 4096 {
        return Err(Trouble::Bad("That is no token.".to_owned()));
    }
    match asked.pages.tokens.sign_in(&token, asked.pages.times).await {
        Ok(signed_in) => {
            let response = let_in(&asked, go(&next), &signed_in).await?;
            Ok(with_cookie(response, &Cookie::Form.taken(asked.behind_tls)))
        }
        Err(Error::Denied(why)) => {
            let told = format!("This token is not accepted: {why}.");
            shown(&asked, &next, Some(told))
        }
        Err(Error::Forbidden(why)) => shown(&asked, &next, Some(sentence(&why))),
        Err(error) => Err(error.into()),
    }
}

/// Gives the browser its new session; one that it had before is over.
pub(super) async fn let_in(asked: &Asked, response: Response, signed_in: &SignedIn) -> Answer {
    if let Some(before) = asked.anybody() {
        let tokens = &asked.pages.tokens;
        tokens.sign_out(&before.cookie, &before.bearer).await?;
    }
    let value = signed_in.cookie.expose_str().unwrap_or_default();
    let given = Cookie::Session.given(value, asked.pages.times.longest, asked.behind_tls);
    Ok(with_cookie(response, &given))
}

/// `POST /sign-out`.
pub(super) async fn end(asked: Asked) -> Answer {
    let viewer = asked.viewer()?;
    asked
        .pages
        .tokens
        .sign_out(&viewer.cookie, &viewer.bearer)
        .await?;
    let response = go("/sign-in?said=signed-out");
    Ok(with_cookie(response, &Cookie::Session.taken(asked.behind_tls)))
}

/// To the sign-in form, and from there back.
pub(super) fn first(to: &str) -> Response {
    let to = url::form_urlencoded::byte_serialize(local(to).as_bytes());
    let to: String = to.collect();
    go(&format!("/sign-in?next={to}"))
}

/// A page that asks for itself: a link from elsewhere comes without our cookie.
pub(super) fn once_more(to: &str) -> Answer {
    #[derive(Template)]
    #[template(path = "once_more.html", config = "src/server/pages/askama.toml")]
    struct Page<'a> {
        to: &'a str,
    }
    html(&Page { to: local(to) })
}

/// An address of ours, or the first page.
pub(super) fn local(to: &str) -> &str {
    let ours = to.starts_with('/')
        && !to.starts_with("//")
        && !to.starts_with("/sign-")
        && to.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    if ours { to } else { "/" }
}

#[cfg(test)]
mod tests {
    use super::local;

    #[test]
    fn nobody_is_sent_elsewhere_after_signing_in() {
        for to in [
            "//evil.example",
            "https://evil.example",
            "/\\evil.example",
            "evil",
            "/sign-out",
            "/a\nb",
            "",
        ] {
            assert_eq!(local(to), "/", "{to}");
        }
        assert_eq!(local("/leaks?state=live"), "/leaks?state=live");
    }
}
