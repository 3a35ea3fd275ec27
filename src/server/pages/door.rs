//! The one way in: who asks, whether they may, whether the form is ours; then the handler. And the headers that every page
//! goes out with.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use askama::Template;
use axum::RequestExt as _;
use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, RawPathParams, Request};
use axum::http::header::{
    CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, HeaderName, ORIGIN, REFERRER_POLICY, SET_COOKIE,
    X_FRAME_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::{MethodRouter, get, post};

use super::cookie::Cookie;
use super::routes::{Access, Answer, Route, table};
use super::shown::Frame;
use super::trouble::Trouble;
use super::viewer::Viewer;
use super::{Pages, sign};
use crate::finding::RuleId;
use crate::leak::Leak;
use crate::secret::{Fingerprint, Secret};
use crate::token_service::model::Organisation;

/// Largest form, in bytes.
const LARGEST: usize = 64 << 10;
/// Longest time until a page begins.
const LONGEST: Duration = Duration::from_secs(20);
/// Nothing but our own files, no script and no style in a page, no frame around it, no form to elsewhere.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// A request that was let in.
pub(super) struct Asked {
    pub(super) pages: Arc<Pages>,
    viewer: Option<Viewer>,
    path: BTreeMap<String, String>,
    query: BTreeMap<String, String>,
    form: BTreeMap<String, String>,
    leak: Option<Leak>,
    organisation: Option<Organisation>,
    pub(super) address: Option<IpAddr>,
    pub(super) behind_tls: bool,
    /// The cookie of the sign-in form.
    pub(super) form_cookie: Option<Secret>,
    /// The cookie of a sign-in elsewhere.
    pub(super) elsewhere_cookie: Option<Secret>,
}

impl Asked {
    /// Who asks.
    pub(super) fn viewer(&self) -> Result<&Viewer, Trouble> {
        self.viewer.as_ref().ok_or(Trouble::SignIn)
    }

    /// Who asks, where nobody need be signed in.
    pub(super) fn anybody(&self) -> Option<&Viewer> {
        self.viewer.as_ref()
    }

    /// The leak that it is about, which they may see.
    pub(super) fn leak(&self) -> Result<&Leak, Trouble> {
        self.leak.as_ref().ok_or(Trouble::NotFound("leak"))
    }

    /// The organisation that it is about.
    pub(super) fn organisation(&self) -> Result<&Organisation, Trouble> {
        self.organisation
            .as_ref()
            .ok_or(Trouble::NotFound("organisation"))
    }

    /// A name of the path.
    pub(super) fn at(&self, name: &str) -> &str {
        self.path.get(name).map_or("", String::as_str)
    }

    /// A word of the query; empty if it is not there.
    pub(super) fn query(&self, name: &str) -> &str {
        self.query.get(name).map_or("", String::as_str).trim()
    }

    /// A field of the form; empty if it is not there.
    pub(super) fn field(&self, name: &str) -> &str {
        self.form.get(name).map_or("", String::as_str)
    }

    /// What surrounds a page.
    pub(super) fn frame(&self, title: &str, section: &'static str) -> Frame {
        Frame::new(title, section, self.viewer.as_ref(), self.query("said"))
    }
}

/// Every route of the table, each behind the door.
pub(super) fn router(pages: Arc<Pages>) -> Router {
    let mut router = Router::new();
    for route in table() {
        let (path, route) = (route.path, Arc::new(route));
        let pages = Arc::clone(&pages);
        let is_get = route.method == "GET";
        let answer = move |request: Request| {
            let (pages, route) = (Arc::clone(&pages), Arc::clone(&route));
            async move { answered(&pages, &route, request).await }
        };
        let method: MethodRouter = if is_get { get(answer) } else { post(answer) };
        router = router.route(path, method);
    }
    router
}

async fn answered(pages: &Arc<Pages>, route: &Route, request: Request) -> Response {
    let headers = request.headers().clone();
    let to = request
        .uri()
        .path_and_query()
        .map_or_else(|| "/".to_owned(), ToString::to_string);
    let comes_from_elsewhere = says(&headers, "sec-fetch-site") == Some("cross-site");
    let mut response = match tokio::time::timeout(LONGEST, passed(pages, route, request)).await {
        Ok(Ok(response)) => response,
        // A link in a mail comes without our cookie; the same page asked for by itself comes with it.
        Ok(Err((Trouble::SignIn, _))) if comes_from_elsewhere && route.method == "GET" => {
            sign::once_more(&to).unwrap_or_else(|trouble| told(&trouble, None))
        }
        Ok(Err((Trouble::SignIn, _))) => {
            let behind = if route.method == "GET" { to.as_str() } else { "/" };
            sign::first(behind)
        }
        Ok(Err((trouble, viewer))) => told(&trouble, viewer.as_ref()),
        Err(_) => told(&Trouble::NotNow, None),
    };
    let headers = response.headers_mut();
    let fixed = [
        (CONTENT_SECURITY_POLICY, POLICY),
        // `no-referrer` would take the origin from our own forms
        (REFERRER_POLICY, "same-origin"),
        (X_FRAME_OPTIONS, "DENY"),
        (
            HeaderName::from_static("cross-origin-opener-policy"),
            "same-origin",
        ),
    ];
    for (name, value) in fixed {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}

/// The page that says what went wrong.
fn told(trouble: &Trouble, viewer: Option<&Viewer>) -> Response {
    #[derive(Template)]
    #[template(path = "trouble.html", config = "src/server/pages/askama.toml")]
    struct Page {
        frame: Frame,
        text: String,
    }
    let page = Page {
        frame: Frame::new(trouble.title(), "", viewer, ""),
        text: trouble.told(),
    };
    let mut response = html(&page).unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response());
    *response.status_mut() = trouble.status();
    if let Trouble::TooMany(seconds) = trouble {
        response
            .headers_mut()
            .insert(axum::http::header::RETRY_AFTER, HeaderValue::from(*seconds));
    }
    response
}

/// Lets a request in, or says why not and to whom.
async fn passed(
    pages: &Arc<Pages>,
    route: &Route,
    request: Request,
) -> Result<Response, (Trouble, Option<Viewer>)> {
    let mut asked = read(pages, route, request)
        .await
        .map_err(|trouble| (trouble, None))?;
    let viewer = asked.viewer.clone();
    let answer: Answer = async {
        let_in(&mut asked, route).await?;
        (route.handler)(asked).await
    }
    .await;
    answer.map_err(|trouble| (trouble, viewer))
}

async fn read(pages: &Arc<Pages>, route: &Route, mut request: Request) -> Result<Asked, Trouble> {
    let path = request.extract_parts::<RawPathParams>().await;
    let path = path.map_err(|_| Trouble::NotFound("page"))?;
    let path = path
        .iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
    let path = path.collect();
    let (parts, body) = request.into_parts();
    let behind_tls = pages.behind_tls || says(&parts.headers, "x-forwarded-proto") == Some("https");
    let form = match route.method {
        "POST" => {
            is_from_here(&parts.headers)?;
            form(&parts.headers, body).await?
        }
        _ => BTreeMap::new(),
    };
    let query = fields(parts.uri.query().unwrap_or_default().as_bytes());
    let viewer = match Cookie::Session.read(&parts.headers, behind_tls) {
        None => None,
        Some(cookie) => {
            let bearer = pages.signed_in(&cookie).await?;
            bearer.map(|bearer| Viewer::new(pages, bearer, cookie))
        }
    };
    let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
    Ok(Asked {
        pages: Arc::clone(pages),
        address: peer.map(|ConnectInfo(address)| address.ip()),
        form_cookie: Cookie::Form.read(&parts.headers, behind_tls),
        elsewhere_cookie: Cookie::Elsewhere.read(&parts.headers, behind_tls),
        viewer,
        path,
        query,
        form,
        leak: None,
        organisation: None,
        behind_tls,
    })
}

/// Whether they may, and what it is about.
async fn let_in(asked: &mut Asked, route: &Route) -> Result<(), Trouble> {
    if route.access == Access::Anyone {
        return Ok(());
    }
    let viewer = asked.viewer()?;
    if route.method == "POST" && !viewer.gave(asked.field("key")) {
        return Err(Trouble::Forbidden(
            "This form was not made for this session. Go back, load the page again, and send it once more; nothing was \
             changed."
                .to_owned(),
        ));
    }
    let tokens = &asked.pages.tokens;
    match route.access {
        Access::Anyone | Access::SignedIn => {}
        Access::Operator => tokens.only_operator(&viewer.bearer, "page", route.path).await?,
        Access::Organisation(right) => {
            let organisation = tokens.authorised(&viewer.bearer, right, asked.at("org")).await?;
            asked.organisation = Some(organisation);
        }
        Access::Leak(right) => {
            let fingerprint = Fingerprint::parse(asked.at("fingerprint")).ok_or(Trouble::NotFound("leak"))?;
            let rule = RuleId::new(asked.at("service"), asked.at("kind"));
            let leak = asked.pages.responder.store.leak(fingerprint, &rule).await?;
            let leak = leak.ok_or(Trouble::NotFound("leak"))?;
            viewer.may(tokens, right, &leak).await?;
            asked.leak = Some(leak);
        }
    }
    Ok(())
}

fn says<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// Refuses a form that another site sends. Browsers say where a request comes from; the key in the form is checked besides.
fn is_from_here(headers: &HeaderMap) -> Result<(), Trouble> {
    let by_site = says(headers, "sec-fetch-site").is_none_or(|site| matches!(site, "same-origin" | "none"));
    let host = says(headers, HOST.as_str()).unwrap_or_default();
    let by_origin = says(headers, ORIGIN.as_str()).is_none_or(|origin| {
        let named = origin.split_once("://").map(|(_, named)| named);
        named.is_some_and(|named| named.eq_ignore_ascii_case(host))
    });
    if by_site && by_origin {
        return Ok(());
    }
    Err(Trouble::Forbidden(
        "This form came from another site; nothing was changed.".to_owned(),
    ))
}

async fn form(headers: &HeaderMap, body: Body) -> Result<BTreeMap<String, String>, Trouble> {
    let kind = says(headers, CONTENT_TYPE.as_str()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return Err(Trouble::Bad("Send a form.".to_owned()));
    }
    let body = axum::body::to_bytes(body, LARGEST).await;
    let body = body.map_err(|_| Trouble::Bad("The form is too long, or broke off.".to_owned()))?;
    Ok(fields(&body))
}

/// Fields by name; of several of one name the first.
fn fields(bytes: &[u8]) -> BTreeMap<String, String> {
    let mut fields = BTreeMap::new();
    for (name, value) in url::form_urlencoded::parse(bytes) {
        fields
            .entry(name.into_owned())
            .or_insert_with(|| value.replace('\0', ""));
    }
    fields
}

/// A page.
pub(super) fn html(page: &impl Template) -> Answer {
    let text = page.render().map_err(|error| {
        tracing::error!(%error, "a page could not be written");
        Trouble::NotNow
    })?;
    Ok(([(CONTENT_TYPE, "text/html; charset=utf-8")], text).into_response())
}

/// After a form: to this page of ours.
pub(super) fn go(to: &str) -> Response {
    Redirect::to(to).into_response()
}

/// The same with a cookie.
pub(super) fn with_cookie(mut response: Response, cookie: &str) -> Response {
    if let Ok(value) = HeaderValue::try_from(cookie) {
        response.headers_mut().append(SET_COOKIE, value);
    }
    response
}
