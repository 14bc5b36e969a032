//! The logs of the program: where they go, and how what is logged is changed while it runs.

mod filter;
mod rotate;

pub(crate) use rotate::{numbered, open};

use std::io::IsTerminal;
use std::sync::{Arc, Mutex};

use daemon_ipc::control::LogFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
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

/// Has logs written to standard error, as `RUST_LOG` says \[warnings and errors\]. `None` if the program has them go elsewhere.
pub(crate) fn to_stderr() -> Option<Arc<dyn LogFilter>> {
    let refused = std::env::var_os("NO_COLOR").is_some_and(|no| !no.is_empty());
    install("warn", std::io::stderr, std::io::stderr().is_terminal() && !refused)
}

/// Has logs written to the file of the instance, as `RUST_LOG` says \[no details\].
pub(crate) fn to_file(instance: &Instance) -> Result<Option<Arc<dyn LogFilter>>, Error> {
    if tracing::dispatcher::has_been_set() {
        return Ok(None);
    }
    let path = instance.log_file()?;
    let file = Rotating::open(&path, LARGEST, KEPT)
        .map_err(|error| Error::failed(format!("cannot log to {}: {error}", path.display())))?;
    Ok(install("info", Mutex::new(file), false))
}

fn install<W>(usual: &str, writer: W, colour: bool) -> Option<Arc<dyn LogFilter>>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    if tracing::dispatcher::has_been_set() {
        return None;
    }
    let wanted = std::env::var("RUST_LOG").ok().filter(|text| text.parse::<Targets>().is_ok());
    let text = wanted.unwrap_or_else(|| usual.to_owned());
    let (filter, handle) = reload::Layer::<Targets, Registry>::new(text.parse().unwrap_or_default());
    let layer = fmt::layer().with_writer(writer).with_ansi(colour).log_internal_errors(false);
    let installed = tracing_subscriber::registry().with(filter).with(layer).try_init();
    installed.ok().map(|()| Arc::new(Steered::new(handle, text)) as Arc<dyn LogFilter>)
}
