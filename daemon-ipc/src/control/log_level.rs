//! Which logs a program writes, changed from outside, and changed back when a given time is up.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use daemon_core::{BoxError, Result};
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

/// What decides which logs a program writes. Whoever installs its subscriber can make one.
pub trait LogFilter: Send + Sync + 'static {
    /// The filter in force, in the form of `RUST_LOG`.
    fn current(&self) -> String;

    /// Puts another in force.
    ///
    /// # Errors
    /// It is none. The one in force stays.
    fn set(&self, filter: &str) -> Result<(), BoxError>;
}

/// Which logs are written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLevel {
    /// The filter in force.
    pub filter: String,
    /// The filter that comes back when the time of this one is up; `None` if this one stays.
    pub returns_to: Option<String>,
    /// In how many milliseconds it comes back.
    pub returns_in_ms: Option<u64>,
}

/// The log levels of a program. Without a filter there is nothing to see or to change.
#[derive(Default)]
pub(super) struct Logs {
    filter: Option<Arc<dyn LogFilter>>,
    /// What comes back, and when.
    back: Mutex<Option<(String, Instant)>>,
    changed: Notify,
}

/// Further in the future than anybody waits, and near enough for every clock.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 3_600);

impl Logs {
    pub(super) fn of(filter: Arc<dyn LogFilter>) -> Self {
        Self { filter: Some(filter), ..Self::default() }
    }

    fn back(&self) -> MutexGuard<'_, Option<(String, Instant)>> {
        self.back.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn filter(&self) -> Result<&dyn LogFilter> {
        let none = "the logs of this program are not steered from here: it installs a subscriber of its own; give its filter to \
                    `ControlServer::log_filter`";
        self.filter.as_deref().ok_or_else(|| none.into())
    }

    pub(super) fn level(&self) -> Result<LogLevel> {
        let filter = self.filter()?;
        let back = self.back();
        Ok(LogLevel {
            filter: filter.current(),
            returns_to: back.as_ref().map(|(to, _)| to.clone()),
            returns_in_ms: back.as_ref().map(|(_, at)| millis(at.saturating_duration_since(Instant::now()))),
        })
    }

    /// Changes the filter, and says until when. What came before the first of several changes for a time comes back.
    pub(super) fn set(&self, text: &str, for_ms: Option<u64>) -> Result<LogLevel> {
        let filter = self.filter()?;
        let mut back = self.back();
        let before = back.as_ref().map_or_else(|| filter.current(), |(to, _)| to.clone());
        filter.set(text)?;
        *back = for_ms.map(|ms| (before, Instant::now() + Duration::from_millis(ms).min(LONGEST)));
        drop(back);
        self.changed.notify_one();
        self.level()
    }

    /// Takes changes back as their times come. Never ends.
    pub(super) async fn take_back_in_time(&self) {
        loop {
            let due = self.back().as_ref().map(|(_, at)| *at);
            tokio::select! {
                () = self.changed.notified() => {}
                () = until(due) => self.take_back(),
            }
        }
    }

    fn take_back(&self) {
        let mut back = self.back();
        let Some((to, _)) = back.take_if(|(_, at)| *at <= Instant::now()) else { return };
        let set = self.filter().and_then(|filter| filter.set(&to));
        if let Err(error) = set {
            tracing::warn!(%error, filter = to, "cannot take a change of the log level back");
        }
    }
}

async fn until(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due).await,
        None => std::future::pending().await,
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl fmt::Debug for Logs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Logs").field("is_steered", &self.filter.is_some()).finish_non_exhaustive()
    }
}
