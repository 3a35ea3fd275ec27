//! The doors by which others report leaks to us.
//!
//! Each door proves who sends, reads records, and hands them to `Intake::take`, which asks what rule each token
//! belongs to and whether it was issued here, and writes all of it down in one transaction before the sender hears
//! anything. Nothing is verified, told or revoked here: that is the worker's, by the tasks that are written down with it.
//! What must never happen here: a report believed without proof (but for the public page, which may only find what rules
//! know), a word of it in a log, an answer that promises what is not on the disk.

mod arrival;
pub mod clock;
mod feedback;
pub(crate) mod fetch;
mod found;
mod keys;
pub mod kind;
mod origin;
pub mod record;
pub mod refusal;
mod revocation;
pub mod signature;
pub mod standard;
mod token_stores;
mod webhook;

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use axum::Router;
use axum::extract::{Request, State};
use axum::http::Method;
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use tracing::field::Empty;
use tracing::{Instrument as _, info_span};

pub use clock::Clock;

use crate::call::Caller;
use crate::config::reports::Reports;
use crate::leak::Held;
use crate::rule::RuleSet;
use crate::secret::{Fingerprint, FingerprintKey};
use crate::server::metrics::Metrics;
use crate::server::worker::Sign;
use crate::store::{Delivery, Store, TakenIn};
use crate::token_service::TokenService;
use crate::token_service::api::Limiter;
use crate::trace::{Trace, carried};
use arrival::Room;
use feedback::Heard;
use kind::{Kinds, unknown_kind};
use record::{Batch, Record};
use refusal::Refusal;
use token_stores::{Asked, Issued, TokenStores};

/// Longest time until an answer: reporters give up after 30 s. The work goes on, and a repeated report hears its end.
const LONGEST_ANSWER: Duration = Duration::from_secs(28);

/// What the doors need.
pub struct Parts {
    /// `[reports]` of the configuration.
    pub reports: Reports,
    /// Where leaks are written down.
    pub store: Store,
    /// The rules, with [`kind::add_unknown_kind`].
    pub rules: Arc<RuleSet>,
    /// The key of fingerprints, the one that all other doors use.
    pub key: FingerprintKey,
    /// Asks GitHub's API, with the operator's credential.
    pub caller: Caller,
    /// The embedded token service.
    pub tokens: Option<TokenService>,
    /// Wakes the workers.
    pub bell: Sign,
    /// Counts what comes in.
    pub metrics: Metrics,
    /// What time it is.
    pub clock: Clock,
}

/// The open doors.
pub struct Intake {
    reports: Reports,
    store: Store,
    kinds: Kinds,
    stores: TokenStores,
    origins: Vec<(crate::config::reports::Origin, keys::Keys)>,
    reporters: standard::Reporters,
    revocable: Vec<String>,
    caller: Caller,
    room: Room,
    finders: Arc<Limiter>,
    bell: Sign,
    metrics: Metrics,
    clock: Clock,
}

/// By which door a report came in.
#[derive(Clone, Debug)]
struct Door {
    name: String,
    /// Nobody knows who sends: what no rule and no token store knows is not written down.
    anonymous: bool,
}

impl Door {
    fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            anonymous: false,
        }
    }
}

impl Intake {
    /// Opens the doors that are configured.
    ///
    /// # Errors
    /// A rule that is named and not loaded, a key that is none.
    pub fn open(parts: Parts) -> Result<Arc<Self>> {
        let Parts {
            reports,
            store,
            rules,
            key,
            caller,
            tokens,
            bell,
            metrics,
            clock,
        } = parts;
        let kinds = Kinds::new(&rules, &key, &reports.types)?;
        let stores = TokenStores::new(&reports.token_stores, tokens, &kinds, reports.feedback_within)?;
        let origins = reports.origins.iter().map(|origin| {
            let keys = keys::Keys::new(origin, clock.clone());
            Ok((
                origin.clone(),
                keys.with_context(|| format!("reports.origins.{}", origin.name))?,
            ))
        });
        Ok(Arc::new(Self {
            origins: origins.collect::<Result<_>>()?,
            reporters: standard::Reporters::new(&reports.reporters)?,
            revocable: revocation::types(&reports, &rules),
            caller,
            room: Room::new(reports.largest),
            finders: Limiter::per_hour(reports.found.as_ref().map_or(1, |found| found.per_hour)),
            store: store.acting_as("reports"),
            reports,
            kinds,
            stores,
            bell,
            metrics,
            clock,
        }))
    }

    /// The routes of the open doors.
    pub fn router(self: Arc<Self>) -> Router {
        let mut router = Router::new();
        if !self.origins.is_empty() {
            router = router.route("/reports/{origin}", post(origin::post));
        }
        if !self.reports.reporters.is_empty() {
            router = router.route("/reports", post(standard::post));
        }
        if self.reports.gitlab_revocation.is_some() {
            router = router
                .route("/v1/revocable_token_types", get(revocation::list))
                .route("/v1/revoke_tokens", post(revocation::revoke));
        }
        if self.reports.github_webhook.is_some() {
            router = router.route("/webhooks/github", post(webhook::post));
        }
        if self.reports.found.is_some() {
            router = router.route("/found", get(found::page).post(found::post));
        }
        router
            .layer(from_fn(in_time))
            .layer(from_fn_with_state(Arc::clone(&self), counted))
            .with_state(self)
    }

    /// How instruments call the door at this address: a word of ours or of the configuration, never one of a sender.
    fn door_at(&self, path: &str) -> &str {
        match path {
            "/reports" => "reports",
            "/v1/revoke_tokens" => "gitlab-revocation",
            "/webhooks/github" => "webhook/github",
            "/found" => "found",
            path => {
                let name = path.strip_prefix("/reports/").unwrap_or_default();
                let mut origins = self.origins.iter().map(|(origin, _)| origin.name.as_str());
                origins.find(|origin| *origin == name).unwrap_or("unknown")
            }
        }
    }

    /// Takes a report in. The work is not cut off when the sender goes away.
    ///
    /// # Errors
    /// A report without any record that could be read; a store that cannot be written, and then nothing was.
    async fn take(self: &Arc<Self>, door: Door, delivery: Delivery, batch: Batch) -> Result<Heard, Refusal> {
        if batch.records.is_empty() && !batch.bad.is_empty() {
            return Err(Refusal::Unreadable("no record of the report could be read"));
        }
        let intake = Arc::clone(self);
        let work = async move { intake.take_now(&door, delivery, batch).await };
        match tokio::spawn(carried(work)).await {
            Ok(heard) => heard,
            Err(_) => {
                tracing::error!("taking a report in failed");
                Err(Refusal::NotNow("the report could not be taken in", 60))
            }
        }
    }

    async fn take_now(
        self: &Arc<Self>,
        door: &Door,
        delivery: Delivery,
        batch: Batch,
    ) -> Result<Heard, Refusal> {
        let bad = batch.bad.len();
        let (records, mut leaks) = self.leaks(door.name.clone(), batch.records).await?;
        let issued = self.issued(&records, &leaks).await;
        let mut learnt = Vec::with_capacity(issued.len());
        let mut issued = issued.into_iter();
        for (record, leaks) in records.iter().zip(&mut leaks) {
            leaks.retain_mut(|held| {
                let Issued { here, rule } = issued.next().unwrap_or_default();
                let unknown = held.leak.rule == unknown_kind();
                if let Some(rule) = rule
                    .filter(|_| unknown)
                    .and_then(|id| self.kinds.rule(id.as_str()))
                {
                    let sightings = std::mem::take(&mut held.leak.sightings);
                    *held = self.kinds.as_told(&rule, record, self.clock.now());
                    held.leak.sightings = sightings;
                }
                let kept = !(door.anonymous && unknown && here != Some(true));
                if kept {
                    learnt.push(here);
                }
                kept
            });
        }
        let names = leaks
            .iter()
            .map(|leaks| leaks.iter().map(|held| held.leak.fingerprint).collect());
        let names: Vec<Vec<Fingerprint>> = names.collect();
        let all: Vec<Held> = leaks.into_iter().flatten().collect();
        let leaks = all.len();
        let taken = self.write(&door.name, delivery.knowing(learnt), all).await?;
        let (records_read, again) = (records.len(), taken.is_again());
        tracing::info!(
            door = door.name,
            records = records_read,
            bad,
            leaks,
            again,
            "a report was taken in"
        );
        Ok(Heard::new(&records, &names, &taken))
    }

    /// Writes leaks down with their delivery.
    async fn write(&self, door: &str, delivery: Delivery, leaks: Vec<Held>) -> Result<TakenIn, Refusal> {
        let span = info_span!(target: "traces", "take in", unleak.door = door, unleak.leaks = leaks.len(), unleak.again = Empty);
        let delivery = delivery.in_trace(span.in_scope(Trace::current));
        let taken = self
            .store
            .take_in(&delivery, &leaks)
            .instrument(span.clone())
            .await;
        let taken = taken.map_err(|error| {
            tracing::error!(door, "a report could not be written down: {error:#}");
            Refusal::NotNow("the report could not be written down; nothing of it was", 60)
        })?;
        span.record("unleak.again", taken.is_again());
        self.metrics.taken_in(door, &taken);
        self.bell.wake();
        Ok(taken)
    }

    /// The leaks of each record. Patterns take their time on a long report, so they run beside the requests.
    async fn leaks(
        self: &Arc<Self>,
        door: String,
        records: Vec<Record>,
    ) -> Result<(Vec<Record>, Vec<Vec<Held>>), Refusal> {
        let (intake, now) = (Arc::clone(self), self.clock.now());
        let work = move || {
            let leaks = records
                .iter()
                .map(|record| intake.kinds.leaks(record, &door, now))
                .collect();
            (records, leaks)
        };
        tokio::task::spawn_blocking(work).await.map_err(|_| {
            tracing::error!("looking at the records of a report failed");
            Refusal::NotNow("the report could not be read", 60)
        })
    }

    /// What token stores say of each leak, in the order of records and leaks.
    async fn issued(&self, records: &[Record], leaks: &[Vec<Held>]) -> Vec<Issued> {
        let pairs = || {
            let pairs = records.iter().zip(leaks);
            pairs.flat_map(|(record, leaks)| leaks.iter().map(move |held| (record, held)))
        };
        let hashes: Vec<String> = pairs()
            .map(|(_, held)| record::sha256(held.secret.expose()))
            .collect();
        let asked = pairs().zip(&hashes).map(|((record, held), hash)| Asked {
            secret: &held.secret,
            hash,
            kind: &record.kind,
            rule: &held.leak.rule,
        });
        let asked: Vec<Asked> = asked.collect();
        self.stores.ask(&asked).await
    }

    fn room(&self) -> &Room {
        &self.room
    }

    fn clock(&self) -> &Clock {
        &self.clock
    }

    fn reporters(&self) -> &standard::Reporters {
        &self.reporters
    }

    fn most_records(&self) -> usize {
        self.reports.most_records
    }
}

/// Counts a report and how it was answered.
async fn counted(State(intake): State<Arc<Intake>>, request: Request, next: Next) -> Response {
    if request.method() != Method::POST {
        return next.run(request).await;
    }
    let (door, began) = (intake.door_at(request.uri().path()).to_owned(), Instant::now());
    let response = next.run(request).await;
    let status = response.status().as_u16();
    intake.metrics.answered(&door, status, began.elapsed());
    response
}

async fn in_time(request: Request, next: Next) -> Response {
    match tokio::time::timeout(LONGEST_ANSWER, next.run(request)).await {
        Ok(response) => response,
        Err(_) => {
            Refusal::NotNow("this takes longer; send it again to hear how it ended", 30).into_response()
        }
    }
}
