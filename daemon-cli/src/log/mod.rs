//! The logs of the program: where they go, and how what is logged is changed while it runs.

mod filter;
#[cfg(all(target_os = "linux", feature = "journald"))]
mod journal;
mod rotate;
mod spans;

pub(crate) use rotate::{numbered, open};
pub(crate) use spans::Export;

use std::io::IsTerminal;
use std::sync::{Arc, Mutex};

use daemon_ipc::control::LogFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Registry, fmt, reload};

use crate::error::Error;
use crate::instance::Instance;
use filter::Steered;
use rotate::Rotating;

/// How large the file may get before another is begun.
const LARGEST: u64 = 10 * 1024 * 1024;
/// How many of those before it are kept.
const KEPT: usize = 4;

/// What a program logs by, if it is this crate that sees to it.
#[derive(Default)]
pub(crate) struct Log {
    /// Steers what is logged.
    pub(crate) filter: Option<Arc<dyn LogFilter>>,
    /// Sends spans to a collector.
    pub(crate) export: Export,
}

/// Has logs written to standard error, as `RUST_LOG` says \[warnings and errors\]: with fields if that is the journal.
pub(crate) fn to_stderr(name: &str) -> Result<Log, Error> {
    if tracing::dispatcher::has_been_set() {
        return Ok(Log::default());
    }
    #[cfg(all(target_os = "linux", feature = "journald"))]
    if let Some(journal) = journal::Journal::of_stderr(name) {
        return install(name, "warn", journal.boxed());
    }
    let refused = std::env::var_os("NO_COLOR").is_some_and(|no| !no.is_empty());
    install(name, "warn", lines(std::io::stderr, std::io::stderr().is_terminal() && !refused))
}

/// Has logs written to the file of the instance, as `RUST_LOG` says \[no details\].
pub(crate) fn to_file(instance: &Instance) -> Result<Log, Error> {
    if tracing::dispatcher::has_been_set() {
        return Ok(Log::default());
    }
    let path = instance.log_file()?;
    let file = Rotating::open(&path, LARGEST, KEPT)
        .map_err(|error| Error::failed(format!("cannot log to {}: {error}", path.display())))?;
    install(&instance.name, "info", lines(Mutex::new(file), false))
}

type Shown = Box<dyn Layer<Registry> + Send + Sync>;

/// Shows logs as lines.
fn lines<W>(writer: W, colour: bool) -> Shown
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    fmt::layer().with_writer(writer).with_ansi(colour).log_internal_errors(false).boxed()
}

/// Installs what shows logs, with a filter that is steered, and what sends spans, with its own.
fn install(name: &str, usual: &str, shown: Shown) -> Result<Log, Error> {
    let wanted = std::env::var("RUST_LOG").ok().filter(|text| !text.is_empty());
    let unread = wanted.as_ref().and_then(|text| text.parse::<Targets>().err());
    let text = wanted.filter(|_| unread.is_none()).unwrap_or_else(|| usual.to_owned());
    let (filter, handle) = reload::Layer::<Targets, Registry>::new(text.parse().unwrap_or_default());
    let export = Export::from_env(name)?;
    let layers = tracing_subscriber::registry().with(shown.with_filter(filter)).with(export.layer());
    let filter = layers.try_init().ok().map(|()| Arc::new(Steered::new(handle, text)) as Arc<dyn LogFilter>);
    if let Some(error) = unread {
        tracing::warn!(%error, "RUST_LOG cannot be read, and counts as `{usual}`; write it as in info,app::store=debug");
    }
    Ok(Log { filter, export })
}
