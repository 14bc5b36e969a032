//! The spans of a program, its events and ticks among them, sent to an OpenTelemetry collector (feature `otlp`).
//!
//! [`Spans`] is two things: a layer for the subscriber, which makes OpenTelemetry's of `tracing`'s spans, and a daemon, which sends
//! them, as OTLP over HTTP. Between them is a bounded queue. So the program waits for no collector, neither while it runs nor, for longer than it
//! has time, at its end; and there is no thread but the host's.

// `settings` is what is asked for, `queue` what waits, `client` the way to the collector, `send` the daemon.

mod client;
mod error;
mod queue;
mod send;
mod settings;

pub use error::OtlpError;
pub use send::SpanExport;

use std::sync::Arc;
use std::time::Duration;

use opentelemetry::trace::TracerProvider;
use opentelemetry::{Key, KeyValue};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider, SpanExporter as _};
use tracing::Subscriber;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::Layer;
use tracing_subscriber::registry::LookupSpan;

use client::Client;
use queue::{Intake, Queue};
use settings::Settings;

/// What becomes spans unless a program says otherwise. The span `daemon` is left out, for it ends with its daemon, and so is what the way to
/// the collector has to say.
const USUAL: &str = "info,daemon_core=off,daemon_core::events=debug,daemon_core::ticks=debug,\
    daemon_health::otlp=off,hyper=off,opentelemetry=off,opentelemetry_sdk=off,opentelemetry_otlp=off";

/// The spans of a program on their way to an OpenTelemetry collector.
///
/// ```no_run
/// use daemon_core::{DaemonBase, Host, daemon};
/// use daemon_health::otlp::Spans;
/// use tracing_subscriber::layer::SubscriberExt;
/// use tracing_subscriber::util::SubscriberInitExt;
///
/// # #[daemon(no_handlers)]
/// # struct Store;
/// # impl DaemonBase for Store {}
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut host = Host::new("shop").daemon(Store);
/// // Where OTEL_EXPORTER_OTLP_ENDPOINT names a collector.
/// let spans = Spans::from_env("shop")?;
/// if let Some(spans) = &spans {
///     host = host.daemon(spans.export());
/// }
/// tracing_subscriber::registry().with(spans.map(|spans| spans.layer())).init();
/// host.run();
/// # Ok(())
/// # }
/// ```
///
/// A handler's span has a link to that of the publish that it follows from, which has one to where that was: see the guide.
#[derive(Clone, Debug)]
pub struct Spans {
    way: Arc<Way>,
    tracer: SdkTracer,
    filter: Targets,
}

/// The way of spans to their collector.
#[derive(Debug)]
struct Way {
    endpoint: String,
    queue: Arc<Queue>,
    client: Arc<Client>,
    exporter: SpanExporter,
    delay: Duration,
    batch: usize,
}

impl Spans {
    /// Sends them where `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT` or `OTEL_EXPORTER_OTLP_ENDPOINT` says; `None` if neither does, or if
    /// `OTEL_SDK_DISABLED` or `OTEL_TRACES_EXPORTER` says that nothing is to be sent. `service` is what the program is called there
    /// unless `OTEL_SERVICE_NAME` says otherwise.
    ///
    /// Of the [other variables](https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/) these are heard: `OTEL_EXPORTER_OTLP_HEADERS`
    /// and `_TIMEOUT`, and the same with `TRACES_`; `OTEL_BSP_SCHEDULE_DELAY`, `_MAX_QUEUE_SIZE` and `_MAX_EXPORT_BATCH_SIZE`; `OTEL_RESOURCE_ATTRIBUTES`;
    /// `OTEL_TRACES_SAMPLER` with `_ARG`; `OTEL_SPAN_*_LIMIT`.
    ///
    /// # Errors
    ///
    /// [`OtlpError`] if a variable says what cannot be done: an address that is none, TLS, or another protocol than `http/protobuf`.
    pub fn from_env(service: &str) -> Result<Option<Self>, OtlpError> {
        let settings = Settings::read(&|name| std::env::var(name).ok())?;
        settings.endpoint.clone().map(|endpoint| Self::new(service, endpoint, &settings)).transpose()
    }

    /// Sends them to a collector at an address such as `http://127.0.0.1:4318`, to which the path `/v1/traces` is added, whatever the
    /// variables say of it. The others are heard.
    ///
    /// # Errors
    ///
    /// As [`Spans::from_env`].
    pub fn to(service: &str, collector: &str) -> Result<Self, OtlpError> {
        let settings = Settings::read(&|name| std::env::var(name).ok())?;
        Self::new(service, settings::traces_of(collector), &settings)
    }

    fn new(service: &str, endpoint: String, settings: &Settings) -> Result<Self, OtlpError> {
        client::check(&endpoint)?;
        let resource = resource(service);
        let client = Arc::new(Client::new(settings.timeout));
        let mut exporter = SpanExporter::builder()
            .with_http()
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(endpoint.as_str())
            .with_timeout(settings.timeout)
            .with_shared_http_client(client.clone())
            .with_retry_policy(opentelemetry_otlp::RetryPolicy::disabled()) // the client tries again, without blocking its thread
            .build()
            .map_err(|source| OtlpError::Refused(source.into()))?;
        exporter.set_resource(&resource);
        let queue = Arc::new(Queue::new(settings.queue, settings.batch));
        let provider = SdkTracerProvider::builder().with_span_processor(Intake(queue.clone())).with_resource(resource);
        let way = Way { endpoint, queue, client, exporter, delay: settings.delay, batch: settings.batch };
        let filter =
            USUAL.parse().map_err(|error: tracing_subscriber::filter::ParseError| OtlpError::filter(&error))?;
        Ok(Self { way: Arc::new(way), tracer: provider.build().tracer("daemon-core"), filter })
    }

    /// Replaces which spans these are, by directives in the form of `RUST_LOG`, such as `my_program=debug`
    /// \[those of events and ticks, and the program's at the level of info\]. What they do not name stays as it is.
    ///
    /// # Errors
    ///
    /// [`OtlpError::Filter`] if they cannot be read.
    pub fn filter(mut self, directives: &str) -> Result<Self, OtlpError> {
        let both = format!("{USUAL},{directives}");
        self.filter =
            both.parse().map_err(|error: tracing_subscriber::filter::ParseError| OtlpError::filter(&error))?;
        Ok(self)
    }

    /// The layer that turns the spans of a subscriber into those that are sent.
    pub fn layer<S>(&self) -> impl Layer<S> + Send + Sync + use<S>
    where
        S: Subscriber + for<'span> LookupSpan<'span> + Send + Sync,
    {
        tracing_opentelemetry::layer().with_tracer(self.tracer.clone()).with_filter(self.filter.clone())
    }

    /// The daemon that sends them, to be added to the host. Where it is not, as many wait as the queue holds, and the others are lost.
    #[must_use]
    pub fn export(&self) -> SpanExport {
        SpanExport::new(self.way.clone())
    }
}

/// What is told of the program beside its spans.
fn resource(service: &str) -> Resource {
    let pid = KeyValue::new("process.pid", i64::from(std::process::id()));
    let told = Resource::builder().with_attributes([pid.clone()]).build();
    let named = told.get(&Key::from_static_str("service.name")).map(|name| name.to_string());
    match named {
        Some(name) if !name.starts_with("unknown_service") => told,
        _ => Resource::builder().with_attributes([pid]).with_service_name(service.to_owned()).build(),
    }
}
