//! What the variables of the environment ask for. Pure.

use std::time::Duration;

use super::OtlpError;

const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
const TRACES_ENDPOINT: &str = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";
const TIMEOUTS: [&str; 2] = ["OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT"];
const PROTOCOLS: [&str; 2] = ["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"];

/// How spans are sent. The defaults are OpenTelemetry's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Settings {
    /// Where to, if anywhere.
    pub(super) endpoint: Option<String>,
    /// How long sending a batch may take, with all tries.
    pub(super) timeout: Duration,
    /// How long spans are collected before they are sent.
    pub(super) delay: Duration,
    /// How many may wait.
    pub(super) queue: usize,
    /// How many are sent at once.
    pub(super) batch: usize,
}

/// The value of a variable, if it has one.
type Get<'g> = &'g dyn Fn(&str) -> Option<String>;

impl Settings {
    pub(super) fn read(get: Get<'_>) -> Result<Self, OtlpError> {
        let get = |name: &str| get(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
        let number = |names: &[&'static str], usual: u64| {
            let Some((variable, value)) = names.iter().find_map(|name| Some((*name, get(name)?))) else {
                return Ok(usual);
            };
            let number = value.parse().ok().filter(|number| *number > 0);
            number.ok_or(OtlpError::Number { variable, value })
        };
        let queue = number(&["OTEL_BSP_MAX_QUEUE_SIZE"], 2_048)?;
        let batch = number(&["OTEL_BSP_MAX_EXPORT_BATCH_SIZE"], 512)?;
        let size = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        let settings = Self {
            endpoint: if is_off(&get) { None } else { endpoint(&get) },
            timeout: Duration::from_millis(number(&TIMEOUTS, 10_000)?),
            delay: Duration::from_millis(number(&["OTEL_BSP_SCHEDULE_DELAY"], 5_000)?),
            queue: size(queue),
            batch: size(batch.min(queue)),
        };
        match PROTOCOLS.iter().find_map(|name| Some((*name, get(name)?))) {
            Some((variable, protocol)) if protocol != "http/protobuf" && settings.endpoint.is_some() => {
                Err(OtlpError::Protocol { variable, protocol })
            }
            _ => Ok(settings),
        }
    }
}

fn is_off(get: &impl Fn(&str) -> Option<String>) -> bool {
    let disabled = get("OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true"));
    let elsewhere =
        get("OTEL_TRACES_EXPORTER").is_some_and(|names| !names.split(',').any(|name| name.trim() == "otlp"));
    disabled || elsewhere
}

fn endpoint(get: &impl Fn(&str) -> Option<String>) -> Option<String> {
    get(TRACES_ENDPOINT).or_else(|| get(ENDPOINT).map(|collector| traces_of(&collector)))
}

/// Where a collector takes traces.
pub(super) fn traces_of(collector: &str) -> String {
    format!("{}/v1/traces", collector.trim_end_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Settings, OtlpError> {
        Settings::read(&|name| variables.iter().find(|(of, _)| *of == name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn nothing_is_sent_unless_it_is_asked_for() {
        let nothing = read(&[]).unwrap();
        assert_eq!((nothing.endpoint, nothing.queue, nothing.batch), (None, 2_048, 512));
        assert_eq!((nothing.timeout, nothing.delay), (Duration::from_secs(10), Duration::from_secs(5)));
        let at = (ENDPOINT, "http://collector:4318/");
        assert_eq!(read(&[at]).unwrap().endpoint.as_deref(), Some("http://collector:4318/v1/traces"));
        for (off, value) in [("OTEL_SDK_DISABLED", "True"), ("OTEL_TRACES_EXPORTER", "none"), (ENDPOINT, " ")] {
            assert_eq!(read(&[(off, value), at]).unwrap().endpoint, None, "{off}");
        }
        assert!(read(&[at, ("OTEL_TRACES_EXPORTER", "console, otlp")]).unwrap().endpoint.is_some());
    }

    #[test]
    fn what_is_said_of_traces_counts_more_and_is_taken_as_it_is() {
        let all = [
            (ENDPOINT, "http://one:1"),
            (TRACES_ENDPOINT, "http://two:2/here"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "7"),
            ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "250"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
            ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "http/protobuf"),
            ("OTEL_BSP_SCHEDULE_DELAY", "100"),
            ("OTEL_BSP_MAX_QUEUE_SIZE", "8"),
        ];
        let settings = read(&all).unwrap();
        assert_eq!(settings.endpoint.as_deref(), Some("http://two:2/here"));
        assert_eq!((settings.timeout, settings.delay), (Duration::from_millis(250), Duration::from_millis(100)));
        assert_eq!((settings.queue, settings.batch), (8, 8), "no batch is larger than the queue");
    }

    #[test]
    fn what_cannot_be_done_is_said() {
        let at = (ENDPOINT, "http://one:1");
        for (variable, value) in [
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
            ("OTEL_BSP_MAX_QUEUE_SIZE", "0"),
            ("OTEL_BSP_SCHEDULE_DELAY", "5s"),
        ] {
            let error = read(&[at, (variable, value)]).unwrap_err().to_string();
            assert!(error.contains(variable) && error.contains(value), "{error}");
        }
        assert!(read(&[("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")]).is_ok(), "nothing is sent");
    }
}
