//! A stateful HTTP service on loopback, on a thread of its own: the tests' program blocks.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up must fail")]

use std::sync::{Arc, Mutex, MutexGuard};

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

/// A service with its state.
pub(super) trait Play: Send + 'static {
    /// Answers a request.
    fn answer(&mut self, asked: &Asked) -> Said;
}

/// A request.
pub(super) struct Asked {
    pub(super) method: String,
    /// Percent-decoded, without the query.
    pub(super) path: String,
    query: Vec<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
}

impl Asked {
    /// `METHOD /path`.
    pub(super) fn what(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    /// A parameter of the query.
    pub(super) fn query(&self, name: &str) -> Option<&str> {
        let mut all = self.query.iter();
        all.find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    /// A header that is text.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// What follows `Bearer`, in any case of letters.
    pub(super) fn bearer(&self) -> Option<&str> {
        let (scheme, token) = self.header("authorization")?.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(token)
    }

    /// User and password.
    pub(super) fn basic(&self) -> Option<(String, String)> {
        let (scheme, text) = self.header("authorization")?.split_once(' ')?;
        let text = String::from_utf8(STANDARD.decode(text).ok()?).ok()?;
        let (user, password) = text.split_once(':')?;
        scheme
            .eq_ignore_ascii_case("basic")
            .then(|| (user.to_owned(), password.to_owned()))
    }

    /// The body, `null` where it is not JSON.
    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

/// A reply.
pub(super) struct Said {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: String,
}

impl Said {
    /// JSON.
    pub(super) fn json(status: u16, body: &Value) -> Self {
        Self {
            status,
            headers: vec![("content-type", "application/json".to_owned())],
            body: body.to_string(),
        }
    }

    /// Nothing but a status.
    pub(super) fn empty(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: String::new(),
        }
    }

    /// Not found.
    pub(super) fn nowhere() -> Self {
        Self::json(404, &json!({"detail": "Not found."}))
    }

    /// One more header.
    pub(super) fn with(mut self, name: &'static str, value: String) -> Self {
        self.headers.push((name, value));
        self
    }
}

/// A running service; it ends with the test.
pub(super) struct Server<P> {
    pub(super) base: String,
    play: Arc<Mutex<P>>,
    seen: Arc<Mutex<Vec<Seen>>>,
    _stop: tokio::sync::oneshot::Sender<()>,
}

/// A request as it is remembered.
struct Seen {
    what: String,
    authorization: String,
    url: String,
}

impl<P: Play> Server<P> {
    /// Starts it on a free port; `make` is given the base URL.
    pub(super) fn start(make: impl FnOnce(&str) -> P) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let play = Arc::new(Mutex::new(make(&base)));
        let seen = Arc::<Mutex<Vec<Seen>>>::default();
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let router = router(Arc::clone(&play), Arc::clone(&seen));
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                tokio::select! {
                    served = axum::serve(listener, router) => served.unwrap(),
                    _ = stopped => {}
                }
            });
        });
        Self {
            base,
            play,
            seen,
            _stop: stop,
        }
    }

    /// Its state, as somebody at its desk sees and changes it.
    pub(super) fn play(&self) -> MutexGuard<'_, P> {
        self.play.lock().unwrap()
    }

    /// `METHOD /path` of all requests so far.
    pub(super) fn seen(&self) -> Vec<String> {
        let seen = self.seen.lock().unwrap();
        seen.iter().map(|seen| seen.what.clone()).collect()
    }

    /// Those that may change something.
    pub(super) fn changes(&self) -> Vec<String> {
        let mut seen = self.seen();
        seen.retain(|what| !what.starts_with("GET "));
        seen
    }

    /// Whether a request below this path had this text in its `Authorization`.
    pub(super) fn was_shown(&self, below: &str, text: &str) -> bool {
        let seen = self.seen.lock().unwrap();
        seen.iter()
            .any(|seen| seen.url.starts_with(below) && seen.authorization.contains(text))
    }

    /// All URLs that were asked for.
    pub(super) fn urls(&self) -> String {
        let seen = self.seen.lock().unwrap();
        seen.iter().map(|seen| format!("{}\n", seen.url)).collect()
    }
}

fn router<P: Play>(play: Arc<Mutex<P>>, seen: Arc<Mutex<Vec<Seen>>>) -> Router {
    Router::new().fallback(
        move |method: Method, uri: Uri, headers: HeaderMap, body: Bytes| async move {
            let query = url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
            let asked = Asked {
                method: method.to_string(),
                path: percent_encoding::percent_decode_str(uri.path())
                    .decode_utf8_lossy()
                    .into_owned(),
                query: query.into_owned().collect(),
                headers,
                body,
            };
            seen.lock().unwrap().push(Seen {
                what: asked.what(),
                authorization: asked.header("authorization").unwrap_or_default().to_owned(),
                url: uri.to_string(),
            });
            let said = play.lock().unwrap().answer(&asked);
            response(said)
        },
    )
}

fn response(said: Said) -> Response {
    let mut response = (StatusCode::from_u16(said.status).unwrap(), said.body).into_response();
    response.headers_mut().remove("content-type");
    for (name, value) in said.headers {
        response.headers_mut().insert(name, value.parse().unwrap());
    }
    response
}
