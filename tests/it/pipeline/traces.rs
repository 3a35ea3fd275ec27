//! OpenTelemetry: what a collector hears of a leak, what it never hears, and a collector that is none.

#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot go on should stop where it stands; clippy allows it in test functions alone"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read as _;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::http::HeaderMap;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use tokio::runtime::Runtime;

use super::machine::{EVERY, Kept, Machine};
use super::reporter::Reporter;
use crate::support::local::{runtime, serve};
use crate::support::sought;

/// A trace that somebody else began, and keeps.
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const BEGUN: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// The headers and the body of one batch.
type Sent = (HeaderMap, Vec<u8>);

/// A collector that keeps what it is sent.
struct Collector {
    base: String,
    sent: Arc<Mutex<Vec<Sent>>>,
    _runtime: Runtime,
}

impl Collector {
    fn open() -> Self {
        let sent = Arc::<Mutex<Vec<Sent>>>::default();
        let log = Arc::clone(&sent);
        let take = move |headers: HeaderMap, body: Bytes| {
            log.lock().unwrap().push((headers, body.to_vec()));
            async {}
        };
        let runtime = runtime();
        let router = Router::new().route("/v1/traces", axum::routing::post(take));
        Self {
            base: serve(&runtime, router),
            sent,
            _runtime: runtime,
        }
    }

    /// The bodies, unpacked.
    fn bodies(&self) -> Vec<Vec<u8>> {
        let sent = self.sent.lock().unwrap();
        let plain = sent.iter().map(|(headers, body)| {
            assert_eq!(headers["content-type"], "application/x-protobuf");
            if headers.get("content-encoding").is_none() {
                return body.clone();
            }
            let mut plain = Vec::new();
            flate2::read::GzDecoder::new(&body[..])
                .read_to_end(&mut plain)
                .unwrap();
            plain
        });
        plain.collect()
    }

    /// Each span with the attributes of the process that it came from.
    fn spans(&self) -> Vec<(BTreeMap<String, String>, Span)> {
        let mut spans = Vec::new();
        for body in self.bodies() {
            let request = ExportTraceServiceRequest::decode(&body[..]).unwrap();
            for of_process in request.resource_spans {
                let resource = attributes(&of_process.resource.unwrap().attributes);
                let all = of_process.scope_spans.into_iter().flat_map(|scope| scope.spans);
                spans.extend(all.map(|span| (resource.clone(), span)));
            }
        }
        spans
    }
}

fn attributes(all: &[KeyValue]) -> BTreeMap<String, String> {
    let text = |pair: &KeyValue| match pair.value.clone().unwrap().value.unwrap() {
        Value::StringValue(text) => text,
        Value::IntValue(number) => number.to_string(),
        Value::BoolValue(truth) => truth.to_string(),
        other => panic!("{other:?}"),
    };
    all.iter().map(|pair| (pair.key.clone(), text(pair))).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn named<'a>(spans: &'a [(BTreeMap<String, String>, Span)], name: &str) -> Vec<&'a Span> {
    let named = spans
        .iter()
        .map(|(_, span)| span)
        .filter(|span| span.name == name);
    named.collect()
}

/// One record about this token.
fn record(token: &str) -> String {
    json!([{ "token": token, "type": "example_token", "url": "https://code.example/settings.py" }])
        .to_string()
}

/// Takes a report in in one process, which stops, and works on it in another one.
fn through_two_processes(kept: Kept) -> (Machine, Collector, String) {
    let (machine, collector) = (Machine::new(kept), Collector::open());
    let base = &collector.base;
    let reporter = Reporter::of(
        &machine,
        &format!(
            "[notify]\noutbox = \"outbox\"\n[serve.traces]\nendpoint = {base:?}\nservice_name = \"receiver\"\n\
             attributes = {{ team = \"red\" }}\n"
        ),
    );
    let token = format!("exm_R{:023}", 1);
    let mut command = machine.serving();
    command.args(["--workers", "0"]);
    let receiving = machine.started(command);
    let headers = [
        ("traceparent", BEGUN),
        ("tracestate", &*format!("vendor={token}")),
    ];
    let asked = reporter.asked(&receiving.base, &record(&token), &headers);
    let answer = machine.wait(asked.send()).unwrap();
    assert_eq!(answer.status(), 200);
    receiving.stop();
    let store = machine.store();
    assert_eq!(machine.wait(store.backlog()).unwrap().waiting, 1);
    assert_eq!(
        named(&collector.spans(), "POST /reports").len(),
        1,
        "sent on stopping"
    );
    let working = machine.serve();
    machine.until_done(&store);
    working.stop();
    machine.assert_all_is_done_once(&store, 1, &format!("{kept:?}"));
    (machine, collector, token)
}

/// What the spans of a leak that was revoked say, by OpenTelemetry's words and ours.
fn assert_conventions(spans: &[(BTreeMap<String, String>, Span)]) {
    let asked = named(spans, "POST /reports")[0];
    let of = attributes(&asked.attributes);
    assert_eq!(
        (&*of["http.request.method"], &*of["http.route"]),
        ("POST", "/reports")
    );
    assert_eq!((&*of["http.response.status_code"], asked.kind), ("200", 2));
    let work = named(spans, "work on a leak")[0];
    let taken = named(spans, "take in")[0];
    assert_eq!(hex(&taken.parent_span_id), hex(&asked.span_id));
    assert_eq!(hex(&work.parent_span_id), hex(&taken.span_id));
    assert_eq!(attributes(&work.attributes)["unleak.ended"], "done");
    let revoke = attributes(&named(spans, "revoke")[0].attributes);
    assert_eq!(revoke["unleak.outcome"], "done");
    let call = named(spans, "POST {base}/revoke")[0];
    let of = attributes(&call.attributes);
    assert_eq!(
        (
            &*of["http.response.status_code"],
            &*of["server.address"],
            call.kind
        ),
        ("202", "127.0.0.1", 3)
    );
    let told = attributes(&named(spans, "notify")[0].attributes);
    assert_eq!(
        (&*told["unleak.channel"], &*told["unleak.taken"]),
        ("outbox", "true")
    );
}

#[test]
fn a_report_its_work_its_calls_and_its_notice_are_one_trace_that_the_reporter_began_also_after_a_restart() {
    for kept in EVERY {
        let (machine, collector, _) = through_two_processes(*kept);
        let spans = collector.spans();
        let names: BTreeSet<&str> = spans.iter().map(|(_, span)| span.name.as_str()).collect();
        for name in [
            "POST /reports",
            "take in",
            "work on a leak",
            "verify",
            "GET {base}/me",
            "find owners",
            "decide",
            "revoke",
            "POST {base}/revoke",
            "notify",
        ] {
            assert!(names.contains(name), "{name} {names:?}\n{}", machine.log());
        }
        let known: BTreeSet<String> = spans.iter().map(|(_, span)| hex(&span.span_id)).collect();
        let mut processes = BTreeSet::new();
        for (resource, span) in &spans {
            assert_eq!(hex(&span.trace_id), TRACE, "{}", span.name);
            let parent = hex(&span.parent_span_id);
            let begun = parent == BEGUN[36..52];
            assert_eq!(begun, span.name == "POST /reports", "{}", span.name);
            assert!(begun || known.contains(&parent), "{}", span.name);
            assert_eq!(
                (&*resource["service.name"], &*resource["team"]),
                ("receiver", "red")
            );
            processes.insert(resource["service.instance.id"].clone());
        }
        assert_eq!(processes.len(), 2);
        assert_conventions(&spans);
    }
}

#[test]
fn no_span_holds_a_token_its_hash_an_address_of_anybody_or_what_a_sender_put_into_the_address() {
    let (_machine, collector, token) = through_two_processes(Kept::Sqlite);
    let places: Vec<(String, Vec<u8>)> = collector
        .bodies()
        .into_iter()
        .enumerate()
        .map(|(number, body)| (format!("batch {number}"), body))
        .collect();
    assert!(!places.is_empty());
    let hash = hex(&Sha256::digest(token.as_bytes()));
    let secrets = [
        token,
        hash,
        "mia@acme.example".to_owned(),
        "hidden-in-the-query".to_owned(),
    ];
    let found = sought::found(&secrets, &places);
    assert!(found.is_empty(), "{found:?}");
    for word in ["acme.example", "settings.py", "vendor", "mark=", "Bearer"] {
        let holds = |body: &[u8]| body.windows(word.len()).any(|window| window == word.as_bytes());
        assert!(!places.iter().any(|(_, body)| holds(body)), "{word}");
    }
}

/// Asks a server that was started with these variables for one page, and stops it.
fn asked_with(machine: &Machine, variables: &[(&str, &str)]) {
    let mut command = machine.serving();
    command.envs(variables.iter().copied());
    let server = machine.started(command);
    assert_eq!(machine.get(&server, "/api/v1/token?scope=x").0, 401);
    assert_eq!(machine.get(&server, "/healthz").0, 200);
    server.stop();
}

#[test]
fn the_standard_variables_switch_traces_on_name_the_service_and_choose_what_is_kept() {
    let (machine, collector) = (Machine::new(Kept::Sqlite), Collector::open());
    let there = ("OTEL_EXPORTER_OTLP_ENDPOINT", collector.base.as_str());
    asked_with(&machine, &[("OTEL_SERVICE_NAME", "nobody")]);
    asked_with(&machine, &[there, ("OTEL_TRACES_SAMPLER", "always_off")]);
    asked_with(&machine, &[there, ("OTEL_SDK_DISABLED", "true")]);
    asked_with(&machine, &[there, ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")]);
    assert!(
        collector.spans().is_empty(),
        "off by default, and where somebody says so"
    );
    assert!(
        machine.log().contains("no traces are exported"),
        "{}",
        machine.log()
    );
    asked_with(
        &machine,
        &[
            there,
            ("OTEL_SERVICE_NAME", "receiver-7"),
            ("OTEL_RESOURCE_ATTRIBUTES", "team=blue,service.name=other"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "x-key=a%20b"),
            ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"),
            ("OTEL_TRACES_SAMPLER", "always_on"),
        ],
    );
    let spans = collector.spans();
    let names: Vec<&str> = spans.iter().map(|(_, span)| span.name.as_str()).collect();
    assert_eq!(
        names,
        ["GET /api/v1/token"],
        "and nothing of what instruments ask"
    );
    let (resource, _) = &spans[0];
    assert_eq!(
        (&*resource["service.name"], &*resource["team"]),
        ("receiver-7", "blue")
    );
    let sent = collector.sent.lock().unwrap();
    assert_eq!(
        (&sent[0].0["x-key"], &sent[0].0["content-encoding"]),
        (&"a b".parse().unwrap(), &"gzip".parse().unwrap())
    );
}

#[test]
fn a_collector_that_is_away_or_never_answers_is_felt_by_nobody() {
    let machine = Machine::new(Kept::Sqlite);
    // It takes connections, and that is all.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = format!("http://{}", silent.local_addr().unwrap());
    for there in [silent.as_str(), "http://127.0.0.1:1"] {
        let mut command = machine.serving();
        command.env("OTEL_EXPORTER_OTLP_ENDPOINT", there);
        command.env("OTEL_EXPORTER_OTLP_TIMEOUT", "100");
        command.env("OTEL_BSP_SCHEDULE_DELAY", "10");
        command.env("OTEL_BSP_MAX_QUEUE_SIZE", "4");
        let server = machine.started(command);
        for _ in 0..100 {
            assert_eq!(machine.get(&server, "/api/v1/token?scope=x").0, 401);
        }
        let store = machine.store();
        let number = there.len();
        machine.report(&store, &[number], "x");
        machine.until_done(&store);
        machine.until("it was said", || {
            machine.log().contains("the collector takes no traces")
        });
        server.stop();
        let said = machine.log().matches("the collector takes no traces").count();
        assert_eq!(said, 1, "once, and not with every batch: {}", machine.log());
        std::fs::write(machine.tool.path().join("log"), "").unwrap();
    }
}
