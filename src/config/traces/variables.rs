//! The standard variables of OpenTelemetry. One that makes no sense is passed over, and said to be.

use std::collections::BTreeMap;
use std::time::Duration;

use percent_encoding::percent_decode_str;

use crate::secret::Secret;

/// What the specification of OpenTelemetry names as defaults.
const TIMEOUT: Duration = Duration::from_secs(10);
const DELAY: Duration = Duration::from_secs(5);
const QUEUE: usize = 2048;
const BATCH: usize = 512;

/// The variables of OpenTelemetry that are set, their values unread: headers are among them.
#[derive(Clone, Debug, Default)]
pub(in crate::config) struct Variables(BTreeMap<String, Secret>);

impl Variables {
    /// Of these names and values; an empty value is as good as none.
    pub(in crate::config) fn of(all: impl Iterator<Item = (String, String)>) -> Self {
        Self(
            all.filter(|(name, value)| name.starts_with("OTEL_") && !value.trim().is_empty())
                .map(|(name, value)| (name, Secret::new(value.trim().as_bytes())))
                .collect(),
        )
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.expose_str()
    }

    /// The one for traces, else the one for all signals.
    pub(super) fn exporter(&self, name: &str) -> Option<&str> {
        self.get(&format!("OTEL_EXPORTER_OTLP_TRACES_{name}"))
            .or_else(|| self.get(&format!("OTEL_EXPORTER_OTLP_{name}")))
    }
}

/// How spans are gathered.
pub(super) struct Batches {
    pub(super) timeout: Duration,
    pub(super) delay: Duration,
    pub(super) queue: usize,
    pub(super) most: usize,
}

impl Batches {
    pub(super) fn of(variables: &Variables, ignored: &mut Vec<String>) -> Self {
        let mut number = |name: &str, value: Option<&str>| {
            let number = value.map(str::parse::<u32>)?;
            if !matches!(number, Ok(1..)) {
                ignored.push(format!("{name} is passed over: it is no number above 0"));
            }
            number.ok().filter(|number| *number > 0)
        };
        let milliseconds = |number: u32| Duration::from_millis(number.into());
        let timeout = number("OTEL_EXPORTER_OTLP_TIMEOUT", variables.exporter("TIMEOUT"));
        let mut of_spans = |name: &str| number(name, variables.get(name));
        Self {
            timeout: timeout.map_or(TIMEOUT, milliseconds),
            delay: of_spans("OTEL_BSP_SCHEDULE_DELAY").map_or(DELAY, milliseconds),
            queue: of_spans("OTEL_BSP_MAX_QUEUE_SIZE").map_or(QUEUE, |number| number as usize),
            most: of_spans("OTEL_BSP_MAX_EXPORT_BATCH_SIZE").map_or(BATCH, |number| number as usize),
        }
    }
}

/// Whether batches are compressed.
pub(super) fn is_packed(variables: &Variables, ignored: &mut Vec<String>) -> bool {
    let named = variables.exporter("COMPRESSION").unwrap_or("none");
    if !["gzip", "none"].contains(&named) {
        ignored.push("OTEL_EXPORTER_OTLP_COMPRESSION is passed over: gzip and none are known".to_owned());
    }
    named == "gzip"
}

/// Whether the variables let traces be exported in the one way that is built in.
pub(super) fn wanted(variables: &Variables, ignored: &mut Vec<String>) -> bool {
    let says = |name: &str, word: &str| {
        let value = variables.get(name);
        value.is_some_and(|value| value.eq_ignore_ascii_case(word))
    };
    if says("OTEL_SDK_DISABLED", "true") || says("OTEL_TRACES_EXPORTER", "none") {
        return false;
    }
    let mut wanted = true;
    for (name, value, known) in [
        (
            "OTEL_TRACES_EXPORTER",
            variables.get("OTEL_TRACES_EXPORTER"),
            "otlp",
        ),
        (
            "OTEL_EXPORTER_OTLP_PROTOCOL",
            variables.exporter("PROTOCOL"),
            "http/protobuf",
        ),
    ] {
        if value.is_some_and(|value| value != known) {
            ignored.push(format!(
                "no traces are exported: of {name} only {known} is built in"
            ));
            wanted = false;
        }
    }
    wanted
}

/// `key=value,key2=value2`, as baggage is written.
pub(super) fn pairs(text: &str) -> impl Iterator<Item = (String, String)> + '_ {
    text.split(',').filter_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        let read = |text: &str| percent_decode_str(text.trim()).decode_utf8_lossy().into_owned();
        Some((read(name), read(value))).filter(|(name, _)| !name.is_empty())
    })
}
