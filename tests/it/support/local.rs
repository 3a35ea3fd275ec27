//! A stateful service on loopback, on a runtime of its own: the program under test blocks the test's thread.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::Response;
use serde_json::Value;
use tokio::runtime::Runtime;

/// One request as it arrived; the path is not decoded.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
}

impl Asked {
    fn of(method: &Method, uri: &Uri, headers: &HeaderMap, body: &[u8]) -> Self {
        let headers = headers.iter().map(|(name, value)| {
            let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
            (name.as_str().to_owned(), value)
        });
        Self {
            method: method.to_string(),
            path: uri.path().to_owned(),
            query: uri.query().unwrap_or_default().to_owned(),
            headers: headers.collect(),
            body: String::from_utf8_lossy(body).into_owned(),
        }
    }

    /// A header by its lower-case name; empty if it is not there.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    /// What stands after `Bearer ` or `token `.
    pub(crate) fn bearer(&self) -> Option<&str> {
        let credential = self.header("authorization");
        credential
            .strip_prefix("Bearer ")
            .or_else(|| credential.strip_prefix("token "))
    }

    /// A field of the query; empty if it is not there.
    pub(crate) fn asked_for(&self, name: &str) -> &str {
        let mut fields = self.query.split('&').filter_map(|field| field.split_once('='));
        fields
            .find_map(|(known, value)| (known == name).then_some(value))
            .unwrap_or_default()
    }

    /// The body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }

    /// `METHOD path`.
    pub(crate) fn line(&self) -> String {
        format!("{} {}", self.method, self.path)
    }
}

/// One answer.
pub(crate) struct Said {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
}

impl Said {
    pub(crate) fn json(status: u16, body: &Value) -> Self {
        Self::text(status, "application/json", &body.to_string())
    }

    pub(crate) fn text(status: u16, kind: &str, body: &str) -> Self {
        Self::empty(status).with("content-type", kind).holding(body)
    }

    pub(crate) fn empty(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: String::new(),
        }
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    fn holding(mut self, body: &str) -> Self {
        body.clone_into(&mut self.body);
        self
    }

    fn response(self) -> Response {
        let mut response = Response::builder().status(StatusCode::from_u16(self.status).expect("a status"));
        for (name, value) in self.headers {
            response = response.header(name, value);
        }
        response.body(self.body.into()).expect("a response")
    }
}

/// A service that answers out of its state and remembers what it was asked.
pub(crate) struct Local<S> {
    pub(crate) base: String,
    state: Arc<Mutex<S>>,
    asked: Arc<Mutex<Vec<Asked>>>,
    _runtime: Runtime,
}

impl<S: Send + 'static> Local<S> {
    pub(crate) fn play(state: S, answer: fn(&mut S, &Asked) -> Said) -> Self {
        let state = Arc::new(Mutex::new(state));
        let asked = Arc::<Mutex<Vec<Asked>>>::default();
        let (its_state, its_log) = (Arc::clone(&state), Arc::clone(&asked));
        let handler = move |method: Method, uri: Uri, headers: HeaderMap, body: Bytes| {
            let request = Asked::of(&method, &uri, &headers, &body);
            its_log.lock().unwrap().push(request.clone());
            let said = answer(&mut its_state.lock().unwrap(), &request);
            async move { said.response() }
        };
        let runtime = runtime();
        let base = serve(&runtime, Router::new().fallback(handler));
        Self {
            base,
            state,
            asked,
            _runtime: runtime,
        }
    }

    /// Its state, to look at or to change.
    pub(crate) fn state(&self) -> MutexGuard<'_, S> {
        self.state.lock().unwrap()
    }

    /// The requests so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// The requests so far that begin with this `METHOD path`.
    pub(crate) fn asked_for(&self, line: &str) -> Vec<Asked> {
        let mut asked = self.asked();
        asked.retain(|asked| asked.line().starts_with(line));
        asked
    }
}

/// A runtime beside the test's thread.
pub(crate) fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime")
}

/// Serves a router on loopback for as long as the runtime lives; gives its base URL.
pub(crate) fn serve(runtime: &Runtime, router: Router) -> String {
    let listener = runtime
        .block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))
        .expect("a port");
    let base = format!("http://{}", listener.local_addr().expect("an address"));
    runtime.spawn(async move { axum::serve(listener, router).await });
    base
}
