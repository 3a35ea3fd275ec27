//! `[serve.traces]` and the standard variables of OpenTelemetry: where traces go, if they go anywhere.
//!
//! A variable wins over the file. One that makes no sense is passed over and told of, because it is often set for all
//! programs of a machine; a file that makes no sense is an error.

mod variables;

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;
use url::Url;

pub(in crate::config) use variables::Variables;

use variables::{Batches, is_packed, pairs, wanted};

use super::files;
use super::reports::SecretFrom;
use crate::config::Config;
use crate::secret::Secret;
use crate::trace::export::{Sampling, Settings};

/// Below an endpoint that stands for all signals.
const PATH: &str = "v1/traces";

/// `[serve.traces]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TracesSection {
    /// Base URL of an OTLP collector over HTTP; none: no traces.
    pub endpoint: Option<String>,
    /// Headers for the collector, by name.
    pub headers: BTreeMap<String, SecretFrom>,
    /// Certificates (PEM) that are trusted there besides the system's.
    pub certificates_file: Option<PathBuf>,
    /// `service.name`.
    pub service_name: Option<String>,
    /// Further attributes of the resource.
    pub attributes: BTreeMap<String, String>,
    /// As `OTEL_TRACES_SAMPLER` names them.
    pub sampler: Option<String>,
    /// The part of traces that the `traceidratio` samplers keep.
    pub ratio: Option<f64>,
}

/// What is to be done about traces.
#[derive(Clone, Debug, Default)]
pub struct Traced {
    /// Where they go; nothing if they go nowhere.
    pub settings: Option<Settings>,
    /// Which variables were passed over, in a sentence each.
    pub ignored: Vec<String>,
}

impl Config {
    /// Where traces go, by the file and the environment.
    ///
    /// # Errors
    /// A key of the file that cannot be used.
    pub fn traces(&self) -> Result<Traced> {
        let (section, variables) = (&self.serve.traces, &self.environment.telemetry);
        let mut ignored = Vec::new();
        let settings = section.settings(variables, &mut ignored);
        Ok(Traced {
            settings: settings.context("serve.traces")?,
            ignored,
        })
    }
}

impl TracesSection {
    fn settings(&self, variables: &Variables, ignored: &mut Vec<String>) -> Result<Option<Settings>> {
        let own = match &self.endpoint {
            Some(text) => Some(below(&address(text).context("endpoint")?)?),
            None => None,
        };
        let headers = self.headers.iter().map(|(name, from)| {
            let value = from.read(&format!("headers.{name}"))?;
            Ok((name.clone(), value))
        });
        let mut headers = headers.collect::<Result<Vec<_>>>()?;
        let mut sampling = sampling(self.sampler.as_deref(), self.ratio).context("sampler")?;
        let mut certificates = self.certificates_file.as_ref().map(|file| files::read(file));
        let (Some(endpoint), true) = (endpoint(variables, own, ignored), wanted(variables, ignored)) else {
            return Ok(None);
        };
        headers.extend(
            pairs(variables.exporter("HEADERS").unwrap_or_default())
                .map(|(name, value)| (name.to_lowercase(), Secret::new(value.as_bytes()))),
        );
        if let Some(name) = variables.get("OTEL_TRACES_SAMPLER") {
            let ratio = variables.get("OTEL_TRACES_SAMPLER_ARG");
            match self::sampling(Some(name), ratio.and_then(|ratio| ratio.parse().ok())) {
                Ok(named) => sampling = named,
                Err(error) => ignored.push(format!("OTEL_TRACES_SAMPLER is passed over: {error:#}")),
            }
        }
        if let Some(file) = variables.exporter("CERTIFICATE") {
            certificates = Some(files::read(file.as_ref()));
        }
        let batches = Batches::of(variables, ignored);
        Ok(Some(Settings {
            endpoint,
            headers,
            certificates: certificates.transpose()?.map(String::into_bytes),
            timeout: batches.timeout,
            gzip: is_packed(variables, ignored),
            attributes: self.resource(variables)?,
            sampling,
            queue: batches.queue,
            batch: batches.most.min(batches.queue),
            delay: batches.delay,
        }))
    }

    /// What says where the spans come from: the last of each name wins.
    fn resource(&self, variables: &Variables) -> Result<Vec<(String, String)>> {
        let mut id = [0_u8; 16];
        getrandom::fill(&mut id).context("the operating system gives no random bytes")?;
        let id: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
        let mut all: BTreeMap<String, String> = [
            ("service.name", "unleak"),
            ("service.version", env!("CARGO_PKG_VERSION")),
            ("service.instance.id", &id),
            ("telemetry.sdk.name", "opentelemetry"),
            ("telemetry.sdk.language", "rust"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        all.extend(self.attributes.clone());
        let named = |name: Option<&str>| name.map(|name| ("service.name".to_owned(), name.to_owned()));
        all.extend(named(self.service_name.as_deref()));
        all.extend(pairs(
            variables.get("OTEL_RESOURCE_ATTRIBUTES").unwrap_or_default(),
        ));
        all.extend(named(variables.get("OTEL_SERVICE_NAME")));
        Ok(all.into_iter().collect())
    }
}

/// Where spans are posted to.
fn endpoint(variables: &Variables, own: Option<Url>, ignored: &mut Vec<String>) -> Option<Url> {
    let exact = variables.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT").map(address);
    let base = variables.get("OTEL_EXPORTER_OTLP_ENDPOINT");
    let given = exact.or_else(|| base.map(|base| address(base).and_then(|base| below(&base))));
    match given {
        Some(Ok(url)) => Some(url),
        Some(Err(error)) => {
            ignored.push(format!("OTEL_EXPORTER_OTLP_ENDPOINT is passed over: {error:#}"));
            own
        }
        None => own,
    }
}

/// An address that can be posted to. The error does not repeat it: it may hold a password.
fn address(text: &str) -> Result<Url> {
    let url = Url::parse(text).ok();
    url.filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
        .context("it is no URL as http://127.0.0.1:4318")
}

fn below(base: &Url) -> Result<Url> {
    let mut url = base.clone();
    url.path_segments_mut()
        .ok()
        .context("it is no URL as http://127.0.0.1:4318")?
        .pop_if_empty()
        .extend(PATH.split('/'));
    Ok(url)
}

fn sampling(name: Option<&str>, ratio: Option<f64>) -> Result<Sampling> {
    let part = ratio.unwrap_or(1.0);
    if !(0.0..=1.0).contains(&part) {
        bail!("the part of traces to keep is a number from 0 to 1");
    }
    let (as_parent, ratio) = match name.unwrap_or("parentbased_always_on") {
        "always_on" => (false, 1.0),
        "always_off" => (false, 0.0),
        "traceidratio" => (false, part),
        "parentbased_always_on" => (true, 1.0),
        "parentbased_always_off" => (true, 0.0),
        "parentbased_traceidratio" => (true, part),
        _ => bail!("always_on, always_off, traceidratio, and each of them after parentbased_, are known"),
    };
    Ok(Sampling { as_parent, ratio })
}

#[cfg(test)]
mod tests {
    use super::{Sampling, TracesSection, Variables};
    use crate::trace::export::Settings;

    fn settings(file: &str, variables: &[(&str, &str)]) -> (Option<Settings>, Vec<String>) {
        let section: TracesSection = toml::from_str(file).unwrap();
        let all = variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let mut ignored = Vec::new();
        let settings = section.settings(&Variables::of(all), &mut ignored);
        (settings.unwrap(), ignored)
    }

    fn value<'a>(settings: &'a Settings, name: &str) -> &'a str {
        let mut all = settings.attributes.iter();
        all.find_map(|(known, value)| (known == name).then_some(value.as_str()))
            .unwrap_or_default()
    }

    #[test]
    fn there_are_no_traces_unless_somebody_says_where_they_go() {
        let (none, ignored) = settings("", &[("OTEL_SERVICE_NAME", "x")]);
        assert!(none.is_none() && ignored.is_empty());
        let there = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318");
        assert!(settings("", &[there]).0.is_some());
        for off in [("OTEL_SDK_DISABLED", "true"), ("OTEL_TRACES_EXPORTER", "none")] {
            let (none, ignored) = settings("", &[there, off]);
            assert!(none.is_none() && ignored.is_empty(), "{off:?}");
        }
        for foreign in [
            ("OTEL_TRACES_EXPORTER", "zipkin"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ] {
            let (none, ignored) = settings("", &[there, foreign]);
            assert!(none.is_none() && ignored.len() == 1, "{foreign:?} {ignored:?}");
        }
    }

    #[test]
    fn variables_win_over_the_file_and_the_ones_for_traces_over_the_others() {
        let file = "endpoint = \"http://127.0.0.1:1/otel/\"\nservice_name = \"a\"\nsampler = \"always_off\"\n\
                    attributes = { \"deployment.environment.name\" = \"test\" }\n";
        let (own, _) = settings(file, &[]);
        let own = own.unwrap();
        assert_eq!(own.endpoint.as_str(), "http://127.0.0.1:1/otel/v1/traces");
        assert_eq!(
            (
                value(&own, "service.name"),
                value(&own, "deployment.environment.name")
            ),
            ("a", "test")
        );
        let set = [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:2"),
            ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "https://c.example/in?x=1"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "Authorization=Basic%20abc, x-a = b"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "1500"),
            ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip"),
            ("OTEL_RESOURCE_ATTRIBUTES", "service.name=c,team=red%2Cblue"),
            ("OTEL_SERVICE_NAME", "b"),
            ("OTEL_TRACES_SAMPLER", "traceidratio"),
            ("OTEL_TRACES_SAMPLER_ARG", "0.25"),
            ("OTEL_BSP_SCHEDULE_DELAY", "100"),
            ("OTEL_BSP_MAX_QUEUE_SIZE", "10"),
        ];
        let (set, ignored) = settings(file, &set);
        let set = set.unwrap();
        assert!(ignored.is_empty(), "{ignored:?}");
        assert_eq!(set.endpoint.as_str(), "https://c.example/in?x=1");
        let headers: Vec<_> = set
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.expose()))
            .collect();
        assert_eq!(headers, [("authorization", &b"Basic abc"[..]), ("x-a", b"b")]);
        assert_eq!((set.timeout.as_millis(), set.gzip), (1500, true));
        assert_eq!(
            (value(&set, "service.name"), value(&set, "team")),
            ("b", "red,blue")
        );
        let quarter = Sampling {
            as_parent: false,
            ratio: 0.25,
        };
        assert_eq!(
            (set.sampling, set.delay.as_millis(), set.queue, set.batch),
            (quarter, 100, 10, 10)
        );
    }

    #[test]
    fn a_variable_that_makes_no_sense_is_told_of_and_passed_over() {
        let (kept, ignored) = settings(
            "endpoint = \"http://127.0.0.1:1\"",
            &[
                ("OTEL_EXPORTER_OTLP_ENDPOINT", "secret:password@host"),
                ("OTEL_TRACES_SAMPLER", "sometimes"),
                ("OTEL_EXPORTER_OTLP_TIMEOUT", "soon"),
                ("OTEL_BSP_MAX_QUEUE_SIZE", "0"),
                ("OTEL_EXPORTER_OTLP_COMPRESSION", "brotli"),
            ],
        );
        assert_eq!(kept.unwrap().endpoint.as_str(), "http://127.0.0.1:1/v1/traces");
        assert_eq!(ignored.len(), 5, "{ignored:?}");
        assert!(!ignored.concat().contains("password"));
        for broken in [
            "endpoint = \"4318\"",
            "sampler = \"x\"",
            "ratio = 2",
            "sampel = \"x\"",
        ] {
            let section: Result<TracesSection, _> = toml::from_str(broken);
            let read =
                section.is_ok_and(|section| section.settings(&Variables::default(), &mut Vec::new()).is_ok());
            assert!(!read, "{broken}");
        }
    }
}
