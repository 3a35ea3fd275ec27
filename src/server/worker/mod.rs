//! The workers: they take tasks, run the life of one leak for each, and write down when it is to be looked at again.
//!
//! Any number of processes may run them over one store. A worker holds its task by a lease that it renews while it works;
//! one that lost it stops at once. A worker must never hold the only knowledge of anything: whatever it learns is in the
//! store before it matters, so that it can be killed at any step.

mod courier;
mod pause;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Result;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tracing::field::Empty;
use tracing::{Instrument as _, Span, info_span};

use super::metrics::Metrics;
use crate::config::WorkerSection;
use crate::leak::{DeadWhy, Leak, Verdict};
use crate::respond::{Next, Responder, Response};
use crate::rule::RuleSet;
use crate::store::{Claimed, Ended, Store};
use crate::verify::Verifier;

/// How often an idle worker looks for a task that another process put.
const LOOK: Duration = Duration::from_secs(1);
/// Longest pause after the store failed.
const LONGEST_STORE_PAUSE: Duration = Duration::from_secs(30);
/// How long work under way may go on once the server is asked to stop.
const FAREWELL: Duration = Duration::from_secs(8);
/// A service that asks to be left alone is left alone for as long as after so many failures.
const PUT_OFF: u32 = 4;
/// A message takes longer than a sign of life: it is taken for lost after so many leases.
const MESSAGE_LEASES: i64 = 5;
/// Nothing is looked at again sooner, whatever the policy asks for.
const SOONEST: SignedDuration = SignedDuration::from_secs(1);
/// For how long what is known of services (the probes) is believed.
const PROBES_HOLD: Duration = Duration::from_secs(3600);
/// For how long a delivery is known as a replay.
const DELIVERIES_ARE_KNOWN: SignedDuration = SignedDuration::from_hours(30 * 24);
/// How often old deliveries are forgotten.
const SWEEP: Duration = Duration::from_secs(3600);

/// What workers need; cheap to clone.
#[derive(Clone)]
pub struct Workers {
    responder: Responder,
    rules: Arc<RuleSet>,
    settings: WorkerSection,
    metrics: Metrics,
    sign: Sign,
}

/// The workers' sign of life, and the bell that wakes them; cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Sign {
    bell: Arc<Notify>,
    courier: Arc<Notify>,
    last: Arc<AtomicI64>,
    running: Arc<AtomicU64>,
}

impl Sign {
    /// Wakes an idle worker: call it after [`Store::take_in`]. Without it a task waits a second.
    pub fn wake(&self) {
        self.bell.notify_one();
    }

    /// When a worker of this process last reached the store; `None` if none runs.
    pub fn last(&self) -> Option<Timestamp> {
        let running = self.running.load(Ordering::Relaxed) > 0;
        let last = Timestamp::from_microsecond(self.last.load(Ordering::Relaxed)).ok();
        last.filter(|_| running)
    }

    /// Wakes the courier: there may be notices to send.
    fn bring(&self) {
        self.courier.notify_one();
    }

    fn give(&self) {
        self.last
            .store(Timestamp::now().as_microsecond(), Ordering::Relaxed);
    }
}

/// How one run over a task's leak came out.
enum Ran {
    Ended(Ended, Option<Box<Response>>),
    /// Another worker has the task now.
    Lost,
}

impl Workers {
    /// Workers that respond so. The responder's root is not used: reports name places in foreign repositories.
    pub fn new(responder: Responder, rules: Arc<RuleSet>, settings: WorkerSection, metrics: Metrics) -> Self {
        let stale = i64::try_from(settings.lease_seconds.max(1)).unwrap_or(i64::MAX);
        let stale = SignedDuration::from_secs(stale.saturating_mul(MESSAGE_LEASES));
        Self {
            responder: Responder {
                store: responder.store.acting_as("worker").sending_again_after(stale),
                root: None,
                ..responder
            },
            rules,
            settings,
            metrics,
            sign: Sign::default(),
        }
    }

    /// Their sign of life and their bell.
    pub fn sign(&self) -> Sign {
        self.sign.clone()
    }

    /// Works until `stop` says `true` (or its sender is gone); then lets what is under way end for some seconds, gives the
    /// rest back, and returns.
    pub async fn run(self, stop: watch::Receiver<bool>) {
        self.sign.give();
        self.sign
            .running
            .store(self.settings.count as u64, Ordering::Relaxed);
        let mut all = JoinSet::new();
        for _ in 0..self.settings.count {
            all.spawn(self.clone().one(stop.clone()));
        }
        if self.settings.count > 0 {
            all.spawn(courier::run(self.clone(), stop.clone()));
        }
        all.spawn(self.clone().sweep(stop));
        while all.join_next().await.is_some() {}
        self.sign.running.store(0, Ordering::Relaxed);
    }

    /// One worker.
    async fn one(mut self, mut stop: watch::Receiver<bool>) {
        let (mut failures, mut probed) = (0_u32, Instant::now());
        while !stopping(&stop) {
            if probed.elapsed() > PROBES_HOLD {
                probed = Instant::now();
                self.responder.verifier = Verifier::new(self.responder.caller.clone());
            }
            let wait = match self.next_task(&mut stop).await {
                Ok(true) => {
                    failures = 0;
                    continue;
                }
                Ok(false) => {
                    failures = 0;
                    LOOK
                }
                Err(error) => {
                    failures = failures.saturating_add(1);
                    self.metrics.store_failed();
                    tracing::error!("the worker cannot go on: {error:#}; it tries again");
                    pause::after(failures, LOOK, LONGEST_STORE_PAUSE)
                }
            };
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = self.sign.bell.notified(), if failures == 0 => {}
                _ = stop.changed() => {}
            }
        }
    }

    /// Takes a task and works on it; `false` if there is none. Errors are the store's.
    async fn next_task(&self, stop: &mut watch::Receiver<bool>) -> Result<bool> {
        let lease = self.lease();
        let claimed = self.store().claim_task(lease).await?;
        self.sign.give();
        let Some(task) = claimed else {
            return Ok(false);
        };
        // More may be waiting than this one.
        self.sign.wake();
        let span = info_span!(
            target: "traces",
            "work on a leak",
            otel.kind = "consumer",
            unleak.rule = %task.rule,
            unleak.fingerprint = %task.fingerprint,
            unleak.attempt = task.attempt,
            unleak.ended = Empty,
        );
        task.trace.leads_to(&span);
        self.done(task, stop).instrument(span).await?;
        Ok(true)
    }

    /// Works on a task and writes down how it ended.
    async fn done(&self, task: Claimed, stop: &mut watch::Receiver<bool>) -> Result<()> {
        let began = Instant::now();
        let before = self.store().leak(task.fingerprint, &task.rule).await?;
        let Ran::Ended(ended, response) = self.work(&task, stop).await? else {
            tracing::warn!(rule = %task.rule, fingerprint = %task.fingerprint, "the lease of a task was lost");
            self.metrics.task_lost();
            return Ok(());
        };
        if let Some(response) = &response {
            self.metrics.responded(before.as_ref(), &response.leak);
        }
        let kept = self.store().end_task(&task, &ended).await?;
        self.metrics.task_ended(
            if kept { &ended } else { &Ended::Done },
            task.late,
            began.elapsed(),
        );
        Span::current().record("unleak.ended", ended.name());
        tracing::info!(
            rule = %task.rule, fingerprint = %task.fingerprint, attempt = task.attempt, ended = ?ended, "a task ended"
        );
        Ok(())
    }

    /// Runs the life of the task's leak, renewing the lease meanwhile.
    async fn work(&self, task: &Claimed, stop: &mut watch::Receiver<bool>) -> Result<Ran> {
        if task.attempt > self.settings.attempts.max(1) {
            let why = format!(
                "{} attempts ended without a word: its worker died each time",
                task.attempt - 1
            );
            return Ok(Ran::Ended(Ended::Dead { why }, None));
        }
        let Some(held) = self.store().task_leak(task).await? else {
            return Ok(Ran::Ended(Ended::Done, None));
        };
        let responder = Responder {
            verifier: self.responder.verifier.for_another_run(),
            ..self.responder.clone()
        };
        let responded = tokio::select! {
            responded = responder.respond(held, &self.rules) => responded,
            () = self.keep(task) => return Ok(Ran::Lost),
            () = farewell(stop) => {
                let why = "the server was stopped while a worker was at it".to_owned();
                let at = Timestamp::now();
                return Ok(Ran::Ended(Ended::PutOff { at, why }, None));
            }
        };
        match responded {
            Ok(response) => {
                self.sign.bring();
                let ended = self.ended(task, &response).await?;
                Ok(Ran::Ended(ended, Some(Box::new(response))))
            }
            Err(error) => {
                let ended = self.failed(task, &format!("{error:#}"), None).await?;
                Ok(Ran::Ended(ended, None))
            }
        }
    }

    /// Renews the lease until it is lost.
    async fn keep(&self, task: &Claimed) {
        let lease = self.lease();
        let mut held_until = Instant::now() + lease;
        loop {
            tokio::time::sleep(lease / 3).await;
            match self.store().renew_task(task, lease).await {
                Ok(true) => {
                    self.sign.give();
                    held_until = Instant::now() + lease;
                }
                Ok(false) => return,
                // While the store is away nobody else can claim it either, until the lease is over.
                Err(error) => {
                    tracing::warn!("the lease of a task was not renewed: {error:#}");
                    if Instant::now() >= held_until {
                        return;
                    }
                }
            }
        }
    }

    async fn ended(&self, task: &Claimed, response: &Response) -> Result<Ended> {
        let now = Timestamp::now();
        Ok(match &response.next {
            Next::Never => Ended::Done,
            Next::At { at, why } => Ended::Again {
                at: now.checked_add(SOONEST)?.max(*at),
                why: why.clone(),
            },
            Next::PutOff { why } => Ended::PutOff {
                at: self.retry_at(PUT_OFF)?,
                why: why.clone(),
            },
            Next::Retry { why } => self.failed(task, why, Some(&response.leak)).await?,
        })
    }

    /// What becomes of a task that failed for this reason.
    async fn failed(&self, task: &Claimed, why: &str, leak: Option<&Leak>) -> Result<Ended> {
        if task.attempt < self.settings.attempts {
            return Ok(Ended::Failed {
                at: self.retry_at(task.attempt)?,
                why: why.to_owned(),
            });
        }
        // An alert that cannot be resolved is no reason to keep a dead token's secret.
        if let Some(Leak {
            verdict: Some(Verdict::Dead { why: dead, .. }),
            ..
        }) = leak
            && *dead != DeadWhy::OwnerDisabled
        {
            let reason = format!("it is dead: {dead}; not everybody outside could be told");
            self.store().close(task.fingerprint, &task.rule, &reason).await?;
        }
        Ok(Ended::Dead {
            why: format!("tried {} times: {why}", task.attempt),
        })
    }

    fn retry_at(&self, attempt: u32) -> Result<Timestamp> {
        let first = Duration::from_secs(self.settings.retry_seconds.max(1));
        let wait = pause::after(attempt, first, Duration::from_secs(3600).max(first));
        Ok(Timestamp::now().checked_add(SignedDuration::try_from(wait)?)?)
    }

    fn lease(&self) -> Duration {
        Duration::from_secs(self.settings.lease_seconds.max(1))
    }

    fn store(&self) -> &Store {
        &self.responder.store
    }

    /// Forgets old deliveries now and then.
    async fn sweep(self, mut stop: watch::Receiver<bool>) {
        while !stopping(&stop) {
            let before = Timestamp::now().saturating_sub(DELIVERIES_ARE_KNOWN);
            let forgotten = match before {
                Ok(before) => self.store().forget_deliveries(before).await,
                Err(error) => Err(error.into()),
            };
            match forgotten {
                Ok(0) => {}
                Ok(deliveries) => tracing::info!(deliveries, "old deliveries were forgotten"),
                Err(error) => tracing::warn!("old deliveries were not forgotten: {error:#}"),
            }
            tokio::select! {
                () = tokio::time::sleep(SWEEP) => {}
                _ = stop.changed() => {}
            }
        }
    }
}

/// Whether the server was asked to stop, or is gone.
fn stopping(stop: &watch::Receiver<bool>) -> bool {
    *stop.borrow() || stop.has_changed().is_err()
}

/// Ends some seconds after the server was asked to stop.
async fn farewell(stop: &mut watch::Receiver<bool>) {
    // an error is the sender gone, which is a reason to stop as well
    let _told = stop.wait_for(|stop| *stop).await.is_ok();
    tokio::time::sleep(FAREWELL).await;
}
