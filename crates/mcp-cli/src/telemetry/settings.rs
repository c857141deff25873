//! The variables that OpenTelemetry's specification names, as values. Pure functions of the environment.
//!
//! Nothing is sent unless an endpoint is set: the endpoint that the specification assumes is another program's port.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, Uri};
use opentelemetry_sdk::trace::Sampler;
use url::Url;

use crate::environment::Environment;

/// 10 s: how long one export may take (OTLP exporter configuration).
const TIMEOUT: Duration = Duration::from_secs(10);
/// 5 s: how long spans are gathered (SDK environment variables, batch span processor).
const BATCH_DELAY: Duration = Duration::from_secs(5);
/// 60 s: between two exports of metrics (SDK environment variables, periodic metric reader).
const METRIC_INTERVAL: Duration = Duration::from_secs(60);

/// What is exported, and how.
pub(super) struct Settings {
    pub(super) traces: Option<Signal>,
    pub(super) metrics: Option<Signal>,
    /// The attributes of this process, `service.name` among them.
    pub(super) resource: Vec<(String, String)>,
    pub(super) sampler: Sampler,
    pub(super) batch_delay: Duration,
    pub(super) metric_interval: Duration,
    /// Whether requests carry the context of their trace.
    pub(super) propagates: bool,
    /// What was asked for and is not done, and why. Names of variables and never their values.
    pub(super) problems: Vec<String>,
}

/// Where one kind of telemetry goes.
#[derive(Clone, Debug)]
pub(super) struct Signal {
    pub(super) endpoint: Uri,
    /// Marked as sensitive: they are usually credentials.
    pub(super) headers: HeaderMap,
    pub(super) timeout: Duration,
}

impl Settings {
    /// Reads them; `None` where nothing is to be exported.
    pub(super) fn read(environment: &Environment) -> Self {
        let mut problems = Vec::new();
        let is_disabled =
            environment.text("OTEL_SDK_DISABLED").is_some_and(|text| text.eq_ignore_ascii_case("true"));
        let mut signal = |kind| match is_disabled {
            true => None,
            false => Signal::read(environment, kind, &mut problems),
        };
        let (traces, metrics) = (signal("TRACES"), signal("METRICS"));
        let sampler = sampler(environment, &mut problems);
        let propagators = environment.text("OTEL_PROPAGATORS").unwrap_or("tracecontext,baggage");
        Self {
            traces,
            metrics,
            resource: resource(environment),
            sampler,
            batch_delay: milliseconds(environment, "OTEL_BSP_SCHEDULE_DELAY").unwrap_or(BATCH_DELAY),
            metric_interval: milliseconds(environment, "OTEL_METRIC_EXPORT_INTERVAL")
                .unwrap_or(METRIC_INTERVAL),
            propagates: propagators.split(',').any(|name| name.trim() == "tracecontext"),
            problems,
        }
    }
}

/// What is not a number is as good as unset.
fn milliseconds(environment: &Environment, name: &str) -> Option<Duration> {
    environment.text(name).and_then(|value| value.trim().parse().ok()).map(Duration::from_millis)
}

impl Signal {
    fn read(environment: &Environment, kind: &str, problems: &mut Vec<String>) -> Option<Self> {
        let own = |name: &str| format!("OTEL_EXPORTER_OTLP_{kind}_{name}");
        let either = |name: &str| {
            let general = format!("OTEL_EXPORTER_OTLP_{name}");
            environment.text(&own(name)).or_else(|| environment.text(&general)).map(str::to_owned)
        };
        let exporter = format!("OTEL_{kind}_EXPORTER");
        match environment.text(&exporter).unwrap_or("otlp") {
            "otlp" => {}
            "none" => return None,
            _ => {
                problems.push(format!("{exporter} names an exporter that is not there"));
                return None;
            }
        }
        let endpoint = match environment.text(&own("ENDPOINT")) {
            Some(whole) => Url::parse(whole).ok(),
            None => environment.text("OTEL_EXPORTER_OTLP_ENDPOINT").map(|base| below(base, kind))?,
        };
        let is_http = |url: &Url| matches!(url.scheme(), "http" | "https");
        let Some(endpoint) = endpoint.filter(is_http).and_then(|url| url.as_str().parse().ok()) else {
            problems.push(format!("the endpoint of {kind} is not http or https URL"));
            return None;
        };
        if either("PROTOCOL").is_some_and(|protocol| protocol != "http/protobuf") {
            problems.push(format!("{} must be http/protobuf", own("PROTOCOL")));
            return None;
        }
        if either("COMPRESSION").is_some_and(|compression| compression != "none") {
            problems.push(format!("{} is ignored: nothing is compressed", own("COMPRESSION")));
        }
        let timeout = either("TIMEOUT").and_then(|text| text.trim().parse().ok());
        Some(Self {
            endpoint,
            headers: headers(environment, &own("HEADERS"), problems),
            timeout: timeout.map_or(TIMEOUT, Duration::from_millis),
        })
    }
}

/// The endpoint of one kind of telemetry below the one of all.
fn below(base: &str, kind: &str) -> Option<Url> {
    let mut url = Url::parse(base).ok()?;
    let last = kind.to_ascii_lowercase();
    url.path_segments_mut().ok()?.pop_if_empty().extend(["v1", &last]);
    Some(url)
}

/// Those of all, and those of one kind instead where they have the same name.
fn headers(environment: &Environment, own: &str, problems: &mut Vec<String>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for name in ["OTEL_EXPORTER_OTLP_HEADERS", own] {
        for (key, value) in pairs(environment.text(name).unwrap_or_default()) {
            match (key.parse::<HeaderName>(), HeaderValue::from_str(&value)) {
                (Ok(key), Ok(mut value)) => {
                    value.set_sensitive(true);
                    headers.insert(key, value);
                }
                _ => problems.push(format!("a header in {name} is not valid")),
            }
        }
    }
    headers
}

fn resource(environment: &Environment) -> Vec<(String, String)> {
    let mut attributes = vec![
        ("service.name".to_owned(), "mcplink".to_owned()),
        ("service.version".to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
    ];
    attributes.extend(pairs(environment.text("OTEL_RESOURCE_ATTRIBUTES").unwrap_or_default()));
    let name = environment.text("OTEL_SERVICE_NAME");
    attributes.extend(name.map(|name| ("service.name".to_owned(), name.to_owned())));
    attributes
}

fn sampler(environment: &Environment, problems: &mut Vec<String>) -> Sampler {
    let ratio = || {
        let ratio = environment.text("OTEL_TRACES_SAMPLER_ARG").and_then(|text| text.parse().ok());
        Sampler::TraceIdRatioBased(ratio.unwrap_or(1.0))
    };
    let below = |root| Sampler::ParentBased(Box::new(root));
    match environment.text("OTEL_TRACES_SAMPLER").unwrap_or("parentbased_always_on") {
        "always_on" => Sampler::AlwaysOn,
        "always_off" => Sampler::AlwaysOff,
        "traceidratio" => ratio(),
        "parentbased_always_on" => below(Sampler::AlwaysOn),
        "parentbased_always_off" => below(Sampler::AlwaysOff),
        "parentbased_traceidratio" => below(ratio()),
        _ => {
            problems.push("OTEL_TRACES_SAMPLER names a sampler that is not there".to_owned());
            below(Sampler::AlwaysOn)
        }
    }
}

/// `key=value,key=value` with values in percent-encoding (W3C Baggage section 3.3.1.3). What is not a pair is left out.
fn pairs(text: &str) -> impl Iterator<Item = (String, String)> {
    text.split(',').filter_map(|pair| {
        let (key, value) = pair.split_once('=')?;
        let key = key.trim();
        (!key.is_empty()).then(|| (key.to_owned(), decoded(value.trim())))
    })
}

fn decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let digits = bytes.get(at + 1..at + 3).filter(|_| *byte == b'%');
        let escaped = digits
            .filter(|digits| digits.iter().all(u8::is_ascii_hexdigit))
            .and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok());
        decoded.push(escaped.unwrap_or(*byte));
        at += if escaped.is_some() { 3 } else { 1 };
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Settings {
        Settings::read(&Environment::new(
            variables.iter().map(|(name, value)| (name.into(), value.into())),
            Ok("/".into()),
            Ok("/mcplink".into()),
        ))
    }

    fn endpoints(variables: &[(&str, &str)]) -> (Option<String>, Option<String>) {
        let settings = read(variables);
        let text = |signal: Option<Signal>| signal.map(|signal| signal.endpoint.to_string());
        (text(settings.traces), text(settings.metrics))
    }

    const BASE: (&str, &str) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4318/x/");

    #[test]
    fn nothing_is_sent_without_an_endpoint() {
        assert_eq!(endpoints(&[]), (None, None));
        assert_eq!(endpoints(&[("OTEL_TRACES_EXPORTER", "otlp")]), (None, None));
        assert_eq!(endpoints(&[BASE, ("OTEL_SDK_DISABLED", "TRUE")]), (None, None));
        assert_eq!(
            endpoints(&[BASE]),
            (Some("http://c:4318/x/v1/traces".to_owned()), Some("http://c:4318/x/v1/metrics".to_owned()))
        );
        let traces_only = [BASE, ("OTEL_METRICS_EXPORTER", "none")];
        assert_eq!(endpoints(&traces_only), (Some("http://c:4318/x/v1/traces".to_owned()), None));
        let own = [("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "https://m/as-it-is")];
        assert_eq!(endpoints(&own), (None, Some("https://m/as-it-is".to_owned())));
    }

    #[test]
    fn what_is_not_done_is_told_without_values() {
        for (name, value) in [
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc-canary"),
            ("OTEL_TRACES_EXPORTER", "canary"),
            ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "canary://x"),
        ] {
            let settings = read(&[BASE, (name, value)]);
            assert!(settings.traces.is_none(), "{name}");
            assert!(!settings.problems.is_empty(), "{name}");
            assert!(!format!("{:?}", settings.problems).contains("canary"), "{name}");
        }
        let zipped = read(&[BASE, ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")]);
        assert!(zipped.traces.is_some() && !zipped.problems.is_empty());
        assert!(read(&[BASE]).problems.is_empty());
    }

    #[test]
    fn headers_of_one_kind_come_before_those_of_all_and_are_not_shown() {
        let settings = read(&[
            BASE,
            ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20canary, x-tenant = a,nonsense,b d=1"),
            ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "x-tenant=100%25%zz"),
        ]);
        let traces = settings.traces.unwrap();
        assert_eq!(traces.headers["authorization"], "Bearer canary");
        assert_eq!(traces.headers["x-tenant"], "100%%zz");
        assert_eq!(settings.metrics.unwrap().headers["x-tenant"], "a");
        assert_eq!(settings.problems.len(), 2, "{:?}", settings.problems);
        assert!(!format!("{traces:?}").contains("canary"));
    }

    #[test]
    fn the_name_of_the_service_is_the_one_that_was_asked_for() {
        let name = |variables: &[(&str, &str)]| {
            let attributes = read(variables).resource;
            attributes.into_iter().rfind(|(key, _)| key == "service.name").unwrap().1
        };
        let attributes = ("OTEL_RESOURCE_ATTRIBUTES", "service.name=b,deployment.environment=test");
        assert_eq!(name(&[]), "mcplink");
        assert_eq!(name(&[attributes]), "b");
        assert_eq!(name(&[attributes, ("OTEL_SERVICE_NAME", "a")]), "a");
    }

    #[test]
    fn samplers_have_the_names_of_the_specification() {
        let sampler = |name, ratio| {
            let variables = [("OTEL_TRACES_SAMPLER", name), ("OTEL_TRACES_SAMPLER_ARG", ratio)];
            format!("{:?}", read(&variables).sampler)
        };
        assert_eq!(sampler("always_off", ""), "AlwaysOff");
        assert_eq!(sampler("traceidratio", "0.5"), "TraceIdRatioBased(0.5)");
        assert_eq!(sampler("parentbased_traceidratio", "x"), "ParentBased(TraceIdRatioBased(1.0))");
        assert_eq!(sampler("jaeger_remote", ""), "ParentBased(AlwaysOn)");
    }
}
