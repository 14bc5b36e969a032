//! One registered check: its call under way, its last answer, and what its answers come to. Pure: no clock, no user code.

use crate::{
    CheckReport, HealthCheck, HealthStatus, Verdict,
    tracker::{Tracker, softened},
};
use daemon_core::{BoxError, CheckKind, CheckOptions};
use std::{future::Future, pin::Pin, sync::Arc, task::Waker, time::Duration};
use tokio::time::Instant;

/// The longest time that is waited for anything: a clock that adds more would overflow.
const FOREVER: Duration = Duration::from_secs(60 * 60 * 24 * 365);

/// How soon a check is asked again that does not know: its daemon has not started yet, say, and nobody is let in meanwhile.
const SOON: Duration = Duration::from_secs(1);

/// One registered check.
pub(crate) struct Entry {
    pub(crate) name: Arc<str>,
    pub(crate) options: CheckOptions,
    pub(crate) check: Arc<dyn HealthCheck>,
    daemon: Option<Box<str>>,
    tracker: Tracker,
    last: Option<Answer>,
    /// When it was last asked.
    asked: Option<Instant>,
    /// The call that has no answer yet.
    pub(crate) call: Option<Call>,
    /// The future of a call, while no hand polls it. Its call may be over.
    pub(crate) running: Option<Running>,
    /// Whether a hand has the future, or is making or dropping one. Without a call under way it blocks its thread.
    pub(crate) held: bool,
    /// Whether it is in line to be polled.
    pub(crate) queued: bool,
    /// Whether it is to be in line once it is no longer held.
    pub(crate) again: bool,
    /// Puts it in line; a hand has it while it polls.
    pub(crate) waker: Option<Waker>,
    /// Whether it is kept for those who asked before it was unregistered.
    pub(crate) is_kept: bool,
    pub(crate) is_registered: bool,
    /// When it is looked whether it is to be asked in the background.
    pub(crate) planned: Option<Instant>,
}

/// A call under way. Of two calls of whatever checks no number is the same.
pub(crate) struct Call {
    pub(crate) number: u64,
    pub(crate) until: Instant,
    asked: Instant,
    pub(crate) waiters: Vec<Waker>,
}

/// The way to an answer.
pub(crate) type Asking = Pin<Box<dyn Future<Output = Result<Verdict, BoxError>> + Send>>;

/// The future of a call.
pub(crate) struct Running {
    pub(crate) number: u64,
    pub(crate) asking: Asking,
}

/// An answer.
pub(crate) struct Answer {
    verdict: Verdict,
    duration: Duration,
    at: Instant,
}

/// That its answers come to something else.
pub(crate) struct Change {
    pub(crate) check: Arc<dyn HealthCheck>,
    pub(crate) name: Arc<str>,
    pub(crate) from: HealthStatus,
    pub(crate) to: HealthStatus,
    pub(crate) message: Option<String>,
}

impl Entry {
    pub(crate) fn new(check: Arc<dyn HealthCheck>, name: Arc<str>, options: CheckOptions) -> Self {
        Self {
            name,
            options,
            daemon: check.daemon().map(Box::from),
            check,
            tracker: Tracker::new(),
            last: None,
            asked: None,
            call: None,
            running: None,
            held: false,
            queued: false,
            again: false,
            waker: None,
            is_kept: false,
            is_registered: true,
            planned: None,
        }
    }

    fn limit(&self) -> Duration {
        self.options.timeout.min(FOREVER)
    }

    /// Asks it, once it is polled.
    pub(crate) fn asking(&self) -> Asking {
        let check = self.check.clone();
        Box::pin(async move { check.check().await })
    }

    /// Whether it has been asked for good: what has started has started.
    fn is_settled(&self) -> bool {
        let passes = matches!(self.tracker.status(), HealthStatus::Healthy | HealthStatus::Degraded);
        self.options.kind == CheckKind::Startup && passes
    }

    /// Whether its last answer was that it does not know.
    pub(crate) fn does_not_know(&self) -> bool {
        self.last.as_ref().is_some_and(|last| last.verdict.status == HealthStatus::Unknown)
    }

    /// How long an answer may last, whatever the options say.
    fn patience(&self) -> Duration {
        if self.does_not_know() { SOON } else { FOREVER }
    }

    /// Whether its last answer is too old to be told.
    pub(crate) fn is_stale(&self, now: Instant, max_age: Duration) -> bool {
        let max_age = max_age.min(self.patience());
        !self.is_settled() && self.last.as_ref().is_none_or(|last| now.duration_since(last.at) >= max_age)
    }

    /// When it is to be asked next, if that is not left to those who want to know; at once if it never was. One whose call is under
    /// way is looked at again when the time of that is up.
    pub(crate) fn due(&self, now: Instant) -> Option<Instant> {
        if self.is_settled() {
            return None;
        }
        let every = self.options.every?.min(self.patience());
        let due = self.asked.map_or(now, |asked| asked + every);
        Some(self.call.as_ref().map_or(due, |call| due.max(call.until).max(now + Duration::from_millis(1))))
    }

    /// Whether its last call still blocks a thread though its time is up.
    pub(crate) fn blocks(&self) -> bool {
        self.held && self.call.is_none()
    }

    /// Whether nothing and nobody needs it any more.
    pub(crate) fn is_over(&self) -> bool {
        !self.is_registered && !self.is_kept && self.call.is_none() && self.running.is_none() && !self.held
    }

    /// Notes that it is asked now.
    pub(crate) fn begin(&mut self, number: u64, now: Instant) -> Instant {
        let until = now + self.limit();
        self.asked = Some(now);
        self.call = Some(Call { number, until, asked: now, waiters: Vec::new() });
        until
    }

    /// Books that it could not be asked.
    pub(crate) fn could_not_be_asked(&mut self, now: Instant) -> Option<Change> {
        self.asked = Some(now);
        let verdict = Verdict::unhealthy("its last call still blocks its thread, and was not asked again");
        self.record(Answer { verdict, duration: Duration::ZERO, at: now })
    }

    /// Books what a call of it came to; none is that it gave no answer in its time.
    pub(crate) fn end(&mut self, call: &Call, verdict: Option<Verdict>, at: Instant) -> Option<Change> {
        let took = at.duration_since(call.asked);
        let (verdict, duration) = match verdict {
            Some(verdict) => (verdict, took),
            None => (Verdict::unhealthy(format!("no answer within {:?}", self.limit())), took.min(self.limit())),
        };
        self.record(Answer { verdict, duration, at })
    }

    fn record(&mut self, answer: Answer) -> Option<Change> {
        let from = self.tracker.record(answer.verdict.status, &self.options);
        let change = from.map(|from| Change {
            check: self.check.clone(),
            name: self.name.clone(),
            from,
            to: self.tracker.status(),
            message: answer.verdict.message.clone(),
        });
        self.last = Some(answer);
        change
    }

    /// Its last answer as it was.
    pub(crate) fn answered(&self, now: Instant) -> CheckReport {
        self.told(self.last.as_ref().map_or(HealthStatus::Unknown, |last| last.verdict.status), now)
    }

    /// What its answers come to.
    pub(crate) fn evaluated(&self, now: Instant) -> CheckReport {
        self.told(self.tracker.status(), now)
    }

    fn told(&self, status: HealthStatus, now: Instant) -> CheckReport {
        let last = self.last.as_ref();
        CheckReport {
            status: softened(status, self.options.soft),
            kind: self.options.kind,
            daemon: self.daemon.as_deref().map(str::to_owned),
            group: self.options.group.as_deref().map(str::to_owned),
            message: last.and_then(|last| last.verdict.message.clone()),
            duration: last.map_or(Duration::ZERO, |last| last.duration),
            age: last.map(|last| now.duration_since(last.at)),
            failures: self.tracker.failures(),
        }
    }
}
