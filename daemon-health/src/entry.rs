//! One registered check: its call under way, its last answer, and what its answers come to. Pure: no clock, no user code.

use crate::{
    CheckReport, HealthCheck, HealthStatus, Verdict,
    moment::Moment,
    seat::Seat,
    tracker::{Tracker, softened},
};
use daemon_core::{CheckKind, CheckOptions};
use std::{sync::Arc, task::Waker, time::Duration};

/// The longest time that is waited for anything: a clock that adds more would overflow.
const FOREVER: Duration = Duration::from_secs(60 * 60 * 24 * 365);

/// How soon a check is asked again that does not know: its daemon has not started yet, say, and nobody is let in meanwhile.
const SOON: Duration = Duration::from_secs(1);

/// One registered check.
pub(crate) struct Entry {
    pub(crate) name: Arc<str>,
    pub(crate) options: CheckOptions,
    pub(crate) check: Arc<dyn HealthCheck>,
    daemon: Option<Arc<str>>,
    group: Option<Arc<str>>,
    tracker: Tracker,
    last: Option<Answer>,
    /// When it was last asked.
    asked: Option<Moment>,
    /// The call whose answer is not booked yet.
    pub(crate) call: Option<Call>,
    /// Who is told that it is.
    pub(crate) waiters: Vec<Waker>,
    /// Where it is asked, while no hand polls it. It is made when it is first needed.
    pub(crate) seat: Option<Seat>,
    /// The call whose future is in the seat. It may be over.
    pub(crate) running: Option<u64>,
    /// Whether a hand has the seat, or is making or dropping a future in it. Without a call under way it blocks its thread.
    pub(crate) held: bool,
    /// Whether it is in line to be polled.
    pub(crate) queued: bool,
    /// Whether it is to be in line once it is no longer held.
    pub(crate) again: bool,
    /// Puts it in line, once it has a place.
    pub(crate) waker: Waker,
    /// Whether it is kept for those who asked before it was unregistered.
    pub(crate) is_kept: bool,
    pub(crate) is_registered: bool,
    /// When it is looked whether it is to be asked in the background.
    pub(crate) planned: Option<Moment>,
}

/// A call under way. Of two calls of whatever checks no number is the same.
#[derive(Clone, Copy)]
pub(crate) struct Call {
    pub(crate) number: u64,
    /// Whether its answer is there, and only has to be booked.
    pub(crate) is_answered: bool,
}

/// An answer.
struct Answer {
    status: HealthStatus,
    message: Option<Arc<str>>,
    duration: Duration,
    at: Moment,
}

/// That its answers come to something else.
pub(crate) struct Change {
    pub(crate) check: Arc<dyn HealthCheck>,
    pub(crate) name: Arc<str>,
    pub(crate) from: HealthStatus,
    pub(crate) to: HealthStatus,
    pub(crate) message: Option<Arc<str>>,
}

impl Entry {
    pub(crate) fn new(check: Arc<dyn HealthCheck>, name: Arc<str>, options: CheckOptions) -> Self {
        Self {
            name,
            daemon: check.daemon().map(Arc::from),
            group: options.group.as_deref().map(Arc::from),
            options,
            check,
            tracker: Tracker::new(),
            last: None,
            asked: None,
            call: None,
            waiters: Vec::new(),
            seat: None,
            running: None,
            held: false,
            queued: false,
            again: false,
            waker: Waker::noop().clone(),
            is_kept: false,
            is_registered: true,
            planned: None,
        }
    }

    fn limit(&self) -> Duration {
        self.options.timeout.min(FOREVER)
    }

    /// Where it is asked.
    pub(crate) fn take_seat(&mut self) -> Seat {
        self.seat.take().unwrap_or_else(|| Seat::new(self.check.clone(), self.waker.clone()))
    }

    /// When its call is given up.
    pub(crate) fn until(&self) -> Option<Moment> {
        self.asked.map(|asked| asked.after(self.limit()))
    }

    /// Whether it has been asked for good: what has started has started.
    fn is_settled(&self) -> bool {
        let passes = matches!(self.tracker.status(), HealthStatus::Healthy | HealthStatus::Degraded);
        self.options.kind == CheckKind::Startup && passes
    }

    /// Whether its last answer was that it does not know.
    pub(crate) fn does_not_know(&self) -> bool {
        self.last.as_ref().is_some_and(|last| last.status == HealthStatus::Unknown)
    }

    /// How long an answer may last, whatever the options say.
    fn patience(&self) -> Duration {
        if self.does_not_know() { SOON } else { FOREVER }
    }

    /// Whether its last answer is too old to be told.
    pub(crate) fn is_stale(&self, now: Moment, max_age: Duration) -> bool {
        let max_age = max_age.min(self.patience());
        !self.is_settled() && self.last.as_ref().is_none_or(|last| now.since(last.at) >= max_age)
    }

    /// When it is to be asked next, if that is not left to those who want to know; at once if it never was. One whose call is under
    /// way is looked at again when the time of that is up.
    pub(crate) fn due(&self, now: Moment) -> Option<Moment> {
        if self.is_settled() {
            return None;
        }
        let every = self.options.every?.min(self.patience());
        let due = self.asked.map_or(now, |asked| asked.after(every));
        let until = self.until().filter(|_| self.call.is_some());
        Some(until.map_or(due, |until| due.max(until).max(now.after(Duration::from_millis(1)))))
    }

    /// Whether its last call still blocks a thread though its time is up.
    pub(crate) fn blocks(&self) -> bool {
        self.held && self.call.is_none()
    }

    /// Whether nothing and nobody needs it any more.
    pub(crate) fn is_over(&self) -> bool {
        !self.is_registered && !self.is_kept && self.call.is_none() && self.running.is_none() && !self.held
    }

    /// Whether a call of that number is under way.
    pub(crate) fn is_called(&self, number: u64) -> bool {
        self.call.is_some_and(|call| call.number == number)
    }

    /// The number of the call that is to be polled, if any is.
    pub(crate) fn wanted(&self) -> Option<u64> {
        self.call.filter(|call| !call.is_answered).map(|call| call.number)
    }

    /// Notes that it is asked now, and tells when it is given up.
    pub(crate) fn begin(&mut self, number: u64, now: Moment) -> Moment {
        self.asked = Some(now);
        self.call = Some(Call { number, is_answered: false });
        now.after(self.limit())
    }

    /// Books that it could not be asked.
    pub(crate) fn could_not_be_asked(&mut self, now: Moment) -> Option<Change> {
        self.asked = Some(now);
        let verdict = Verdict::unhealthy("its last call still blocks its thread, and was not asked again");
        self.record(verdict, Duration::ZERO, now)
    }

    /// Books what the call under way came to; none is that it gave no answer in its time.
    pub(crate) fn end(&mut self, verdict: Option<Verdict>, at: Moment) -> Option<Change> {
        self.call = None;
        let took = self.asked.map_or(Duration::ZERO, |asked| at.since(asked));
        match verdict {
            Some(verdict) => self.record(verdict, took, at),
            None => {
                let limit = self.limit();
                self.record(Verdict::unhealthy(format!("no answer within {limit:?}")), took.min(limit), at)
            }
        }
    }

    fn record(&mut self, verdict: Verdict, duration: Duration, at: Moment) -> Option<Change> {
        let Verdict { status, message } = verdict;
        let message = message.map(Arc::from);
        let from = self.tracker.record(status, &self.options);
        let change = from.map(|from| Change {
            check: self.check.clone(),
            name: self.name.clone(),
            from,
            to: self.tracker.status(),
            message: message.clone(),
        });
        self.last = Some(Answer { status, message, duration, at });
        change
    }

    /// Its last answer as it was.
    pub(crate) fn answered(&self, now: Moment) -> CheckReport {
        self.told(self.last.as_ref().map_or(HealthStatus::Unknown, |last| last.status), now)
    }

    /// What its answers come to.
    pub(crate) fn evaluated(&self, now: Moment) -> CheckReport {
        self.told(self.tracker.status(), now)
    }

    fn told(&self, status: HealthStatus, now: Moment) -> CheckReport {
        let last = self.last.as_ref();
        CheckReport {
            status: softened(status, self.options.soft),
            kind: self.options.kind,
            daemon: self.daemon.clone(),
            group: self.group.clone(),
            message: last.and_then(|last| last.message.clone()),
            duration: last.map_or(Duration::ZERO, |last| last.duration),
            age: last.map(|last| now.since(last.at)),
            failures: self.tracker.failures(),
        }
    }
}
