//! What Prometheus reads: counts and times of this process, and how much is to do in the store.
//!
//! Labels come from fixed lists of ours, never from what somebody sent: no address, no name, no secret can get in.

use std::sync::Arc;
use std::time::Duration;

use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

use crate::leak::{Leak, Revocation};
use crate::respond::Told;
use crate::store::{Backlog, Ended, NoticeQueue, TakenIn};

/// The type of what [`Metrics::text`] gives.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The metrics of one process; cheap to clone.
#[derive(Clone)]
pub struct Metrics(Arc<Kept>);

struct Kept {
    registry: Registry,
    reports: Family<Report, Counter>,
    leaks: Family<Kind, Counter>,
    answer: Family<Door, Histogram, fn() -> Histogram>,
    tasks: Family<State, Gauge>,
    lag: Gauge,
    ended: Family<Outcome, Counter>,
    work: Histogram,
    late: Histogram,
    messages: Family<ByChannel, Counter>,
    told: Counter,
    notices: Family<State, Gauge>,
    stopped: Gauge,
    revocations: Family<Act, Counter>,
    store_errors: Counter,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Report {
    door: String,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Door {
    door: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Kind {
    door: String,
    kind: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct State {
    state: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByChannel {
    channel: String,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Act {
    action: &'static str,
    state: &'static str,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// All at nought.
    pub fn new() -> Self {
        let mut kept = Kept {
            registry: Registry::with_prefix("unleak"),
            reports: Family::default(),
            leaks: Family::default(),
            answer: Family::new_with_constructor(times),
            tasks: Family::default(),
            lag: Gauge::default(),
            ended: Family::default(),
            work: times(),
            late: times(),
            messages: Family::default(),
            told: Counter::default(),
            notices: Family::default(),
            stopped: Gauge::default(),
            revocations: Family::default(),
            store_errors: Counter::default(),
        };
        kept.register();
        Self(Arc::new(kept))
    }

    /// A request came in by this door and was answered with this status after so long. The door's name is ours.
    pub(super) fn answered(&self, door: &str, status: u16, after: Duration) {
        let outcome = match status {
            ..400 => "taken-in",
            400..500 => "refused",
            _ => "failed",
        };
        let door = door.to_owned();
        let report = Report {
            door: door.clone(),
            outcome,
        };
        self.0.reports.get_or_create(&report).inc();
        let answer = self.0.answer.get_or_create(&Door { door });
        answer.observe(after.as_secs_f64());
    }

    /// A report by this door was written down, or had been before.
    pub(super) fn taken_in(&self, door: &str, taken: &TakenIn) {
        let kinds: Vec<&'static str> = match taken {
            TakenIn::Again(_) => vec!["again"],
            TakenIn::First(known) => known
                .iter()
                .map(|known| if known.new { "new" } else { "known" })
                .collect(),
        };
        for kind in kinds {
            let door = door.to_owned();
            self.0.leaks.get_or_create(&Kind { door, kind }).inc();
        }
    }

    /// A message to somebody was taken, or was not.
    pub(super) fn told(&self, told: &Told) {
        let outcome = if told.taken { "taken" } else { "failed" };
        let channel = told.channel.clone();
        self.0
            .messages
            .get_or_create(&ByChannel { channel, outcome })
            .inc();
        if told.taken {
            self.0.told.inc_by(u64::try_from(told.leaks).unwrap_or_default());
        }
    }

    /// Whether a person has stopped everything, and how many notices wait.
    pub(super) fn standing(&self, stopped: bool, notices: NoticeQueue) {
        self.0.stopped.set(i64::from(stopped));
        for (state, count) in [
            ("waiting", notices.waiting),
            ("failing", notices.failing),
            ("given-up", notices.given_up),
        ] {
            let count = i64::try_from(count).unwrap_or(i64::MAX);
            self.0.notices.get_or_create(&State { state }).set(count);
        }
    }

    /// A worker is through with a leak: what it did shows in the difference.
    pub(super) fn responded(&self, before: Option<&Leak>, after: &Leak) {
        type Of = fn(&Leak) -> Option<&Revocation>;
        let both: [(&'static str, Of); 2] = [
            ("revoke", |leak| leak.revocation.as_ref()),
            ("contain", |leak| leak.containment.as_ref()),
        ];
        for (action, of) in both {
            if let Some(now) = of(after)
                && before.and_then(of) != Some(now)
            {
                let state = now.name();
                self.0.revocations.get_or_create(&Act { action, state }).inc();
            }
        }
    }

    pub(super) fn task_ended(&self, ended: &Ended, late: Duration, took: Duration) {
        let outcome = ended.name();
        self.0.ended.get_or_create(&Outcome { outcome }).inc();
        self.0.late.observe(late.as_secs_f64());
        self.0.work.observe(took.as_secs_f64());
    }

    pub(super) fn task_lost(&self) {
        self.0.ended.get_or_create(&Outcome { outcome: "lost" }).inc();
    }

    pub(super) fn store_failed(&self) {
        self.0.store_errors.inc();
    }

    /// How much is to do in the store now.
    pub(super) fn backlog(&self, backlog: &Backlog) {
        for (state, count) in [
            ("waiting", backlog.waiting),
            ("later", backlog.later),
            ("running", backlog.running),
            ("dead", backlog.dead),
        ] {
            let count = i64::try_from(count).unwrap_or(i64::MAX);
            self.0.tasks.get_or_create(&State { state }).set(count);
        }
        self.0
            .lag
            .set(i64::try_from(backlog.lag.as_secs()).unwrap_or(i64::MAX));
    }

    /// All of them in the text format of OpenMetrics, which Prometheus reads.
    pub fn text(&self) -> String {
        let mut out = String::new();
        // writing to a string does not fail
        let _written = text::encode(&mut out, &self.0.registry);
        out
    }
}

/// Buckets from 5 ms to some minutes.
fn times() -> Histogram {
    Histogram::new(exponential_buckets(0.005, 2.0, 16))
}

impl Kept {
    fn register(&mut self) {
        let registry = &mut self.registry;
        registry.register(
            "reports",
            "Requests with reports, by door and how they were answered",
            self.reports.clone(),
        );
        registry.register(
            "leaks",
            "Leaks in reports that were taken in, by door: new, known before; a whole report that came again counts once",
            self.leaks.clone(),
        );
        registry.register_with_unit(
            "report_answer",
            "Time until a report was answered",
            Unit::Seconds,
            self.answer.clone(),
        );
        registry.register("tasks", "Tasks in the store", self.tasks.clone());
        registry.register_with_unit(
            "task_lag",
            "How long the oldest waiting task has been due",
            Unit::Seconds,
            self.lag.clone(),
        );
        registry.register(
            "tasks_ended",
            "Runs over a task by how they ended",
            self.ended.clone(),
        );
        registry.register_with_unit(
            "task",
            "Time for one run over a task",
            Unit::Seconds,
            self.work.clone(),
        );
        registry.register_with_unit(
            "task_late",
            "How long a task had been due when it was taken",
            Unit::Seconds,
            self.late.clone(),
        );
        self.register_notices();
    }

    fn register_notices(&mut self) {
        let registry = &mut self.registry;
        registry.register(
            "messages",
            "Messages to people and rooms, by channel and whether they were taken",
            self.messages.clone(),
        );
        registry.register("told", "Leaks in the messages that were taken", self.told.clone());
        registry.register(
            "notices",
            "Notices in the queue: waiting for their time, of these tried and not taken, given up",
            self.notices.clone(),
        );
        registry.register(
            "stopped",
            "1 while a person has stopped every revocation and containment",
            self.stopped.clone(),
        );
        registry.register(
            "revocations",
            "Revocations and containments by how they stand after a run",
            self.revocations.clone(),
        );
        registry.register(
            "store_errors",
            "Failures of the store that stopped a worker",
            self.store_errors.clone(),
        );
    }
}
