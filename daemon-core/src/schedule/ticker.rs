//! One interval as it was registered: what a tick calls, and what has become of its ticks.

use std::panic::Location;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::pace::Moment;
use super::schedule::Schedule;
use crate::BoxFuture;
use crate::error::Result;
use crate::histogram::Histogram;
use crate::task::Failure;

/// A registered call, bound to whatever it works on.
pub(crate) type Bound = Arc<dyn Fn() -> BoxFuture<'static, Result<()>> + Send + Sync>;

/// An interval.
pub(crate) struct Ticker {
    pub(crate) name: Arc<str>,
    /// Where it was registered.
    pub(crate) at: &'static Location<'static>,
    pub(crate) schedule: Schedule,
    pub(crate) tick: Bound,
    /// Whether a tick has held up the others, so that they get tasks of their own.
    heavy: AtomicBool,
    ledger: Mutex<Ledger>,
}

/// What has become of an interval's ticks.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    pub(super) ticks: u64,
    pub(super) failed: u64,
    pub(super) skipped: u64,
    pub(super) last_begun: Option<Moment>,
    pub(super) last_duration: Option<Duration>,
    pub(super) last_error: Option<String>,
    /// How many ticks in a row have failed.
    streak: u32,
    /// Made with the first tick, since most of ten thousand may not have come to that.
    pub(super) times: Option<Box<Times>>,
}

/// How ticks were in time.
#[derive(Clone, Debug, Default)]
pub(super) struct Times {
    /// How late they began.
    pub(super) lateness: Histogram,
    /// How long they took.
    pub(super) took: Histogram,
}

/// How a tick ended.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// It ran.
    Ran(Result<(), Failure>),
    /// Its condition for being skipped held.
    Skipped,
    /// It was dropped on the way.
    Aborted,
}

/// How many ticks in a row have failed, before the latest one and with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Streak {
    pub(crate) before: u32,
    pub(crate) now: u32,
}

impl Ticker {
    #[track_caller]
    pub(crate) fn new(name: &str, schedule: Schedule, tick: Bound) -> Self {
        let (heavy, ledger) = (AtomicBool::new(false), Mutex::default());
        Self { name: name.into(), at: Location::caller(), schedule, tick, heavy, ledger }
    }

    /// The span of a tick, for whoever looks at `daemon_core::ticks` at the level of debug; `None` if nobody does.
    #[inline]
    pub(crate) fn span(&self, daemon: &str) -> Option<tracing::Span> {
        const TARGET: &str = "daemon_core::ticks";
        tracing::span_enabled!(target: TARGET, tracing::Level::DEBUG).then(|| {
            tracing::debug_span!(
                target: TARGET,
                "tick",
                daemon,
                interval = &*self.name,
                otel.name = format_args!("tick {daemon}.{}", self.name),
                otel.kind = "internal",
                otel.status_code = tracing::field::Empty,
                "error.type" = tracing::field::Empty,
            )
        })
    }

    pub(super) fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is_heavy(&self) -> bool {
        self.heavy.load(Ordering::Relaxed)
    }

    pub(super) fn set_heavy(&self) {
        self.heavy.store(true, Ordering::Relaxed);
    }

    /// Whether the next tick is to be skipped.
    pub(super) fn is_to_skip(&self) -> bool {
        self.schedule.skip_if.as_ref().is_some_and(|skip| skip())
    }

    /// Books ticks that do not come.
    pub(super) fn skip(&self, ticks: u64) {
        self.ledger().skipped += ticks;
    }

    /// Books that a tick began.
    pub(super) fn begun(&self, at: Moment, late: Option<u64>) {
        self.ledger().begun(at, late);
    }

    /// Books how a tick that took so long ended.
    pub(super) fn ended(&self, outcome: &Outcome, took: Duration) -> Streak {
        let error = error_text(outcome);
        self.ledger().ended(outcome, took, error)
    }

    /// Books a tick from its beginning to its end.
    pub(super) fn whole(&self, at: Moment, late: Option<u64>, outcome: &Outcome, took: Duration) -> Streak {
        let error = error_text(outcome);
        let mut ledger = self.ledger();
        if !matches!(outcome, Outcome::Skipped) {
            ledger.begun(at, late);
        }
        ledger.ended(outcome, took, error)
    }
}

impl Ledger {
    fn begun(&mut self, at: Moment, late: Option<u64>) {
        self.last_begun = Some(at);
        if let Some(late) = late {
            self.times.get_or_insert_default().lateness.record(Duration::from_nanos(late));
        }
    }

    fn ended(&mut self, outcome: &Outcome, took: Duration, error: Option<String>) -> Streak {
        let before = self.streak;
        if let Outcome::Skipped = outcome {
            self.skipped += 1;
            return Streak { before, now: before };
        }
        self.ticks += 1;
        self.last_duration = Some(took);
        self.times.get_or_insert_default().took.record(took);
        if let Outcome::Ran(result) = outcome {
            self.failed += u64::from(result.is_err());
            self.streak = if result.is_err() { before.saturating_add(1) } else { 0 };
            self.last_error = error;
        }
        Streak { before, now: self.streak }
    }
}

/// Why a tick failed. The text is the user's code, so it is made outside the lock.
fn error_text(outcome: &Outcome) -> Option<String> {
    match outcome {
        Outcome::Ran(Err(failure)) => Some(failure.to_string()),
        _ => None,
    }
}

impl std::fmt::Debug for Ticker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ticker").field("name", &self.name).field("schedule", &self.schedule).finish_non_exhaustive()
    }
}
