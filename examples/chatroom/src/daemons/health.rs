//! `health`: answers ping, status and metrics.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use std::{fs, io};

use daemon_core::{BoxError, Context, DaemonBase, HostStatus, Result, daemon};
use daemon_health::metrics::Metrics as Figures;
use serde::{Deserialize, Serialize};

use crate::chaos::Strike;

#[daemon(name = "health")]
#[derive(Default)]
pub(crate) struct HealthDaemon {
    /// Where figures are written to.
    figures: Option<PathBuf>,
}

/// The program as a whole.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Status {
    pub(crate) state: String,
    pub(crate) uptime_ms: u64,
    pub(crate) daemons: BTreeMap<String, String>,
}

/// The program in numbers.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Metrics {
    pub(crate) uptime_ms: u64,
    /// Memory in use; only where the system tells it.
    pub(crate) resident_bytes: Option<u64>,
    pub(crate) subscriptions: usize,
    pub(crate) intervals: usize,
    pub(crate) tasks: usize,
    pub(crate) events_handled: u64,
    pub(crate) events_waiting: u64,
    pub(crate) errors: u64,
    pub(crate) panics: u64,
}

#[daemon]
impl HealthDaemon {
    /// Answers `pong`.
    #[command]
    fn ping(&self) -> Result<String> {
        Ok("pong".to_owned())
    }

    /// The state of every daemon.
    #[command]
    fn status(&self, cx: &Context) -> Result<Status> {
        let host = cx.host().status();
        Ok(Status {
            state: host.state.to_string(),
            uptime_ms: uptime_ms(&host),
            daemons: host.daemons.into_iter().map(|daemon| (daemon.name, daemon.state.to_string())).collect(),
        })
    }

    /// Uptime, memory, and what the daemons hold.
    #[command]
    async fn metrics(&self, cx: &Context) -> Result<Metrics> {
        let resident_bytes = cx.spawn_blocking("read memory use", resident_bytes)?.await?;
        let host = cx.host().status();
        let subscriptions = || host.daemons.iter().flat_map(|daemon| &daemon.subscriptions);
        Ok(Metrics {
            uptime_ms: uptime_ms(&host),
            resident_bytes,
            subscriptions: subscriptions().count(),
            intervals: host.daemons.iter().map(|daemon| daemon.intervals.len()).sum(),
            tasks: host.daemons.iter().map(|daemon| daemon.tasks.len()).sum(),
            events_handled: subscriptions().map(|subscription| subscription.handled).sum(),
            events_waiting: subscriptions().map(|subscription| subscription.queued).sum(),
            errors: host.daemons.iter().map(|daemon| daemon.errors).sum(),
            panics: host.daemons.iter().map(|daemon| daemon.panics).sum(),
        })
    }

    /// What goes wrong under `--chaos`.
    #[on_event(on_error = restart)]
    async fn struck(&self, strike: &Strike, cx: &Context) -> Result<()> {
        strike.suffer(cx.name()).await
    }
}

impl HealthDaemon {
    pub(crate) fn new(figures: Option<PathBuf>) -> Self {
        Self { figures }
    }
}

impl DaemonBase for HealthDaemon {
    async fn initialize(&self, cx: &Context) -> Result<()> {
        let Some(path) = self.figures.clone() else { return Ok(()) };
        let (path, figures) =
            (Arc::new(path), Arc::new(Figures::of(cx.host()).info("version", env!("CARGO_PKG_VERSION"))));
        let writing = cx.clone();
        cx.register_interval("write-figures", Duration::from_secs(1), move || {
            let (path, figures, cx) = (path.clone(), figures.clone(), writing.clone());
            async move {
                cx.spawn_blocking("write figures", move || write(&path, &figures))?.await??;
                Ok::<_, BoxError>(())
            }
        })?;
        Ok(())
    }
}

/// Whoever reads the file sees all of it or the one before.
fn write(path: &Path, figures: &Figures) -> io::Result<()> {
    let new = path.with_extension("new");
    fs::write(&new, figures.render(None).text)?;
    fs::rename(new, path)
}

fn uptime_ms(host: &HostStatus) -> u64 {
    u64::try_from(host.uptime.as_millis()).unwrap_or(u64::MAX)
}

/// Memory in use, where the system tells it in `/proc`.
fn resident_bytes() -> Option<u64> {
    parse_resident(&std::fs::read_to_string("/proc/self/status").ok()?)
}

fn parse_resident(status: &str) -> Option<u64> {
    let kilobytes = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?.trim().strip_suffix(" kB")?;
    Some(kilobytes.parse::<u64>().ok()? * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_from_the_line_that_has_it() {
        assert_eq!(parse_resident("Name:\tchatroom\nVmRSS:\t    5120 kB\nThreads:\t4\n"), Some(5120 * 1024));
        assert_eq!(parse_resident("Name:\tchatroom\n"), None);
    }
}
