//! `/healthz`, `/readyz` and `/metrics`: whether the process lives, whether it can do its work, and how much of it.
//!
//! None of them tells who or what was reported.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::metrics::{self, Metrics};
use super::worker::Sign;
use crate::store::{Backlog, Store};
use crate::token_service::TokenService;

/// A worker that gave no sign for so long hangs, or its store does not answer.
const LONGEST_SILENCE: Duration = Duration::from_secs(120);
/// Longest time for a question to a store, so that whoever asks hears in time.
const LONGEST_QUESTION: Duration = Duration::from_secs(5);

/// What is looked at; cheap to clone.
#[derive(Clone)]
pub struct Health {
    tokens: TokenService,
    work: Option<Arc<Work>>,
    metrics: Metrics,
}

struct Work {
    store: Store,
    sign: Sign,
}

impl Health {
    /// Of a server that serves tokens alone.
    pub fn of_tokens(tokens: TokenService) -> Self {
        Self {
            tokens,
            work: None,
            metrics: Metrics::new(),
        }
    }

    /// Of a server that also keeps leaks in this store, and whose workers give this sign.
    #[must_use]
    pub fn with_work(self, store: Store, sign: Sign, metrics: Metrics) -> Self {
        Self {
            work: Some(Arc::new(Work { store, sign })),
            metrics,
            ..self
        }
    }

    /// Its routes.
    pub(super) fn routes(self) -> Router {
        Router::new()
            .route("/healthz", get(|| async { Json(json!({ "status": "ok" })) }))
            .route("/readyz", get(ready))
            .route("/metrics", get(shown))
            .with_state(self)
    }
}

impl Work {
    /// How much is to do, if the store can be read and written.
    async fn backlog(&self) -> Result<Backlog, &'static str> {
        let asked = async {
            self.store.try_writing().await?;
            self.store.backlog().await
        };
        match tokio::time::timeout(LONGEST_QUESTION, asked).await {
            Ok(Ok(backlog)) => Ok(backlog),
            Ok(Err(error)) => {
                tracing::error!("not ready: {error:#}");
                Err("it cannot be read and written; the log says why")
            }
            Err(_) => {
                tracing::error!("not ready: the store does not answer");
                Err("it does not answer")
            }
        }
    }

    fn worker(&self) -> Result<Value, &'static str> {
        let Some(last) = self.sign.last() else {
            return Ok(json!("none in this process"));
        };
        let silent = Timestamp::now().duration_since(last).unsigned_abs();
        if silent > LONGEST_SILENCE {
            return Err("no worker has given a sign for minutes");
        }
        Ok(json!("ok"))
    }
}

/// 200 if everything works, 503 with what does not.
async fn ready(State(health): State<Health>) -> Response {
    let mut told = serde_json::Map::new();
    let mut well = true;
    let mut tell = |name: &str, said: Result<Value, &str>| {
        well &= said.is_ok();
        told.insert(name.to_owned(), said.unwrap_or_else(|why| json!(why)));
    };
    let tokens = tokio::time::timeout(LONGEST_QUESTION, health.tokens.ready()).await;
    tell(
        "token_store",
        match tokens {
            Ok(Ok(())) => Ok(json!("ok")),
            Ok(Err(error)) => {
                tracing::error!(%error, "not ready");
                Err("it does not answer")
            }
            Err(_) => Err("it does not answer"),
        },
    );
    if let Some(work) = &health.work {
        let backlog = work.backlog().await;
        tell("store", backlog.map(|_| json!("ok")));
        tell("worker", work.worker());
        if let Ok(backlog) = backlog {
            let Backlog {
                waiting,
                later,
                running,
                dead,
                lag,
            } = backlog;
            let tasks = json!({
                "waiting": waiting, "later": later, "running": running, "dead": dead, "lag_seconds": lag.as_secs(),
            });
            tell("tasks", Ok(tasks));
        }
    }
    let (status, word) = if well {
        (StatusCode::OK, "ready")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not ready")
    };
    told.insert("status".to_owned(), json!(word));
    (status, Json(Value::Object(told))).into_response()
}

async fn shown(State(health): State<Health>) -> Response {
    if let Some(work) = &health.work {
        let store = &work.store;
        let asked = async {
            health.metrics.backlog(&store.backlog().await?);
            let stopped = store.stopped().await?.is_some();
            health.metrics.standing(stopped, store.notice_queue().await?);
            anyhow::Ok(())
        };
        // Without its store a server still tells what it counted itself.
        if !matches!(tokio::time::timeout(LONGEST_QUESTION, asked).await, Ok(Ok(()))) {
            health.metrics.store_failed();
        }
    }
    ([(CONTENT_TYPE, metrics::CONTENT_TYPE)], health.metrics.text()).into_response()
}
