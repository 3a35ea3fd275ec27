//! OpenTelemetry: spans are gathered in a bounded queue and brought to a collector by OTLP over HTTP (protobuf).
//!
//! A queue that is full drops spans; nobody ever waits for it.

use std::time::Duration;

use anyhow::{Context as _, Result};
use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{SpanExporter, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{BatchConfigBuilder, BatchSpanProcessor, Sampler, SdkTracerProvider};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::{Layer, Registry};
use url::Url;

use super::collector::Collector;
use crate::secret::Secret;

/// The target of spans that are exported; it is written out where they are made.
const TARGET: &str = "traces";
/// Longest wait for the last spans to leave when the server stops.
const FAREWELL: Duration = Duration::from_secs(3);

/// Where traces go and which are kept.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where spans are posted to, with its path.
    pub endpoint: Url,
    /// Headers for that address alone.
    pub headers: Vec<(String, Secret)>,
    /// Certificates (PEM) that are trusted there besides the system's.
    pub certificates: Option<Vec<u8>>,
    /// Longest time for one batch.
    pub timeout: Duration,
    /// Whether batches are compressed by gzip.
    pub gzip: bool,
    /// What says where the spans come from; `service.name` among it.
    pub attributes: Vec<(String, String)>,
    /// Which are kept.
    pub sampling: Sampling,
    /// Spans that wait at most; further ones are dropped.
    pub queue: usize,
    /// Spans in one batch at most.
    pub batch: usize,
    /// How long a batch that is not full waits.
    pub delay: Duration,
}

/// Which traces are kept.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampling {
    /// A trace that came from outside is kept if its sender keeps it.
    pub as_parent: bool,
    /// Which part of the others, from 0 to 1.
    pub ratio: f64,
}

/// Gathers and exports spans; cheap to clone.
#[derive(Clone, Debug)]
pub struct Traces(SdkTracerProvider);

/// What hears of spans, for the subscriber of the process.
pub type SpanLayer = Box<dyn Layer<Registry> + Send + Sync>;

impl Traces {
    /// Starts the exporter's thread; nothing is connected to yet.
    ///
    /// # Errors
    /// Settings that cannot be used.
    pub fn start(settings: &Settings) -> Result<Self> {
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(Collector::new(settings)?)
            .build()
            .context("cannot set up the export of traces")?;
        let batches = BatchConfigBuilder::default()
            .with_max_queue_size(settings.queue)
            .with_max_export_batch_size(settings.batch)
            .with_scheduled_delay(settings.delay)
            .build();
        let processor = BatchSpanProcessor::builder(exporter)
            .with_batch_config(batches)
            .build();
        let attributes = settings
            .attributes
            .iter()
            .map(|(name, value)| KeyValue::new(name.clone(), value.clone()));
        let provider = SdkTracerProvider::builder()
            .with_span_processor(processor)
            .with_sampler(settings.sampling.sampler())
            .with_resource(Resource::builder_empty().with_attributes(attributes).build());
        Ok(Self(provider.build()))
    }

    /// The layer that takes the spans, and nothing else, out of the log's stream.
    pub fn layer(&self) -> SpanLayer {
        let spans = Targets::new().with_target(TARGET, LevelFilter::INFO);
        tracing_opentelemetry::layer()
            .with_tracer(self.0.tracer(env!("CARGO_CRATE_NAME")))
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_level(false)
            .with_tracked_inactivity(false)
            .with_filter(spans)
            .boxed()
    }

    /// Sends what was gathered, and ends; whoever does not take it in some seconds does not get it.
    pub async fn end(self) {
        let ended = tokio::task::spawn_blocking(move || self.0.shutdown_with_timeout(FAREWELL));
        match ended.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "the last traces were not taken"),
            Err(_) => tracing::warn!("the last traces were not taken"),
        }
    }
}

impl Sampling {
    fn sampler(self) -> Sampler {
        let own = if self.ratio >= 1.0 {
            Sampler::AlwaysOn
        } else if self.ratio <= 0.0 {
            Sampler::AlwaysOff
        } else {
            Sampler::TraceIdRatioBased(self.ratio)
        };
        if self.as_parent {
            Sampler::ParentBased(Box::new(own))
        } else {
            own
        }
    }
}
