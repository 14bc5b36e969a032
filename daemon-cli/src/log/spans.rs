//! The spans of a program, sent to a collector where the variables of OpenTelemetry name one (feature `otlp`).

use daemon_core::Host;

use crate::error::Error;

/// What sends spans; without the feature, nothing does.
#[derive(Default)]
pub(crate) struct Export {
    #[cfg(feature = "otlp")]
    spans: Option<daemon_health::otlp::Spans>,
}

#[cfg(feature = "otlp")]
impl Export {
    /// As the variables say.
    pub(super) fn from_env(name: &str) -> Result<Self, Error> {
        let spans = daemon_health::otlp::Spans::from_env(name);
        let spans = spans.map_err(|error| Error::failed(daemon_core::with_sources(&error)))?;
        Ok(Self { spans })
    }

    pub(super) fn layer<S>(&self) -> Option<impl tracing_subscriber::Layer<S> + Send + Sync + use<S>>
    where
        S: tracing::Subscriber + for<'span> tracing_subscriber::registry::LookupSpan<'span> + Send + Sync,
    {
        self.spans.as_ref().map(daemon_health::otlp::Spans::layer)
    }

    /// The host with the daemon that sends them.
    pub(crate) fn add_to(&self, host: Host) -> Host {
        match &self.spans {
            Some(spans) => host.daemon(spans.export()),
            None => host,
        }
    }
}

#[cfg(not(feature = "otlp"))]
impl Export {
    #[expect(clippy::unnecessary_wraps, reason = "with the feature it can fail")]
    pub(super) fn from_env(_name: &str) -> Result<Self, Error> {
        Ok(Self {})
    }

    pub(super) fn layer(&self) -> Option<tracing_subscriber::layer::Identity> {
        None
    }

    pub(crate) fn add_to(&self, host: Host) -> Host {
        host
    }
}
