//! Runs one interval: a tick at each multiple of its period, one at a time.
//!
//! A multiple that passes while a tick runs, or while nothing could run, is counted as skipped and never made up: the
//! next tick comes at the next multiple. A wake-up that is only a little late still ticks, so that an interval whose
//! period is as short as the timer's grain keeps going.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use daemon_grammar::Percent;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::FOREVER;
use super::catch::{Failure, caught};
use super::jitter::Jitter;
use crate::BoxFuture;
use crate::error::Result;
use crate::policy::OnError;
use crate::status::IntervalStatus;

/// How late a tick of any period may be and still count as on time.
const GRAIN: Duration = Duration::from_millis(10);

/// What an interval is.
#[derive(Clone, Debug)]
pub(crate) struct Schedule {
    pub(crate) name: String,
    pub(crate) period: Duration,
    pub(crate) immediately: bool,
    pub(crate) jitter: Option<Percent>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) on_error: OnError,
}

#[derive(Debug, Default)]
struct Seen {
    ticks: u64,
    failed: u64,
    skipped: u64,
    running: bool,
    last_duration: Option<Duration>,
    last_error: Option<String>,
    /// How many ticks in a row have failed.
    streak: u32,
}

/// An interval and what has become of it.
#[derive(Debug)]
pub(crate) struct Periodic {
    schedule: Schedule,
    seen: Mutex<Seen>,
}

impl Periodic {
    pub(crate) fn new(schedule: Schedule) -> Self {
        Self { schedule, seen: Mutex::default() }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn status(&self) -> IntervalStatus {
        let seen = self.seen();
        IntervalStatus {
            name: self.schedule.name.clone(),
            period: self.schedule.period,
            ticks: seen.ticks,
            failed: seen.failed,
            skipped: seen.skipped,
            running: seen.running,
            last_duration: seen.last_duration,
            last_error: seen.last_error.clone(),
        }
    }

    /// Ticks until `stop` is cancelled; a tick under way then ends first. `book` hears of each tick's end, and of how
    /// many in a row have failed.
    pub(crate) async fn run(
        &self,
        stop: CancellationToken,
        mut tick: impl FnMut() -> BoxFuture<'static, Result<()>> + Send,
        book: impl Fn(&Result<(), Failure>, u32) + Send,
    ) {
        let period = self.schedule.period;
        let origin = Instant::now();
        let jitter = self.schedule.jitter.map(Jitter::new);
        let mut due: u32 = u32::from(!self.schedule.immediately);
        loop {
            let Some(at) = multiple(origin, period, due) else { return stop.cancelled().await };
            let delay = jitter.as_ref().map_or(Duration::ZERO, |jitter| jitter.draw(period));
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = tokio::time::sleep_until(at + delay) => {}
            }
            let latest = latest_multiple(origin, period, Instant::now()).max(due);
            let skipped = latest - due;
            let late = multiple(origin, period, latest)
                .map_or(Duration::ZERO, |at| Instant::now().saturating_duration_since(at));
            if skipped > 0 && late > (period / 2).max(GRAIN).max(delay) {
                self.seen().skipped += u64::from(skipped) + 1;
                due = latest.saturating_add(1);
                continue;
            }
            self.tick(&mut tick, &book, skipped).await;
            due = latest.saturating_add(1);
            let now = latest_multiple(origin, period, Instant::now());
            let passed = now.saturating_sub(due)
                + u32::from(now >= due && multiple(origin, period, now) != Some(Instant::now()));
            self.seen().skipped += u64::from(passed);
            due = due.saturating_add(passed);
        }
    }

    async fn tick(
        &self,
        tick: &mut (impl FnMut() -> BoxFuture<'static, Result<()>> + Send),
        book: &(impl Fn(&Result<(), Failure>, u32) + Send),
        skipped: u32,
    ) {
        {
            let mut seen = self.seen();
            seen.skipped += u64::from(skipped);
            seen.running = true;
        }
        let ended = Ended { periodic: self, since: Instant::now() };
        let call = caught(tick);
        let outcome = match self.schedule.timeout {
            Some(limit) => tokio::time::timeout(limit, call).await.unwrap_or(Err(Failure::Timeout(limit))),
            None => call.await,
        };
        drop(ended);
        let mut seen = self.seen();
        seen.last_error = outcome.as_ref().err().map(ToString::to_string);
        seen.failed += u64::from(outcome.is_err());
        seen.streak = if outcome.is_err() { seen.streak.saturating_add(1) } else { 0 };
        let streak = seen.streak;
        drop(seen);
        book(&outcome, streak);
    }
}

/// Books the end of a tick, also when it is aborted.
struct Ended<'a> {
    periodic: &'a Periodic,
    since: Instant,
}

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        let mut seen = self.periodic.seen();
        seen.running = false;
        seen.ticks += 1;
        seen.last_duration = Some(self.since.elapsed());
    }
}

/// When the `n`th multiple of `period` after `origin` is; `None` if no host will see it.
fn multiple(origin: Instant, period: Duration, n: u32) -> Option<Instant> {
    period.checked_mul(n).filter(|after| *after < FOREVER).and_then(|after| origin.checked_add(after))
}

/// The number of the latest multiple at or before `now`.
fn latest_multiple(origin: Instant, period: Duration, now: Instant) -> u32 {
    let passed = now.saturating_duration_since(origin).as_nanos() / period.as_nanos().max(1);
    u32::try_from(passed).unwrap_or(u32::MAX)
}
