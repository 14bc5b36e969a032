//! One registered check: its call under way, its last answer, and what its answers come to. Pure: no clock, no user code.
//!
//! What each call touches lies together, and apart from what none does: of ten thousand checks it is their memory that takes the time.

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
    pub(crate) calls: Calls,
    answers: Answers,
    pub(crate) about: Box<About>,
}

/// What a check is, and who is told of it.
pub(crate) struct About {
    pub(crate) name: Arc<str>,
    pub(crate) options: CheckOptions,
    pub(crate) check: Arc<dyn HealthCheck>,
    /// Who is told that the call under way has its answer.
    waiters: Vec<Waker>,
    /// When it is looked whether it is to be asked in the background.
    pub(crate) planned: Option<Moment>,
}

/// How it is asked.
pub(crate) struct Calls {
    /// The call whose answer is not booked yet.
    under_way: Option<Call>,
    /// When it was last asked.
    asked: Option<Moment>,
    /// How long an answer may take.
    limit: Duration,
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
    /// Whether it is kept for those who asked before it was unregistered.
    pub(crate) is_kept: bool,
    pub(crate) is_registered: bool,
    is_awaited: bool,
}

/// A call under way. Of two calls of whatever checks no number is the same.
#[derive(Clone, Copy)]
struct Call {
    number: u64,
    /// Whether its answer is there, and only has to be booked.
    is_answered: bool,
}

/// What it answered.
struct Answers {
    last: Option<Answer>,
    tracker: Tracker,
    kind: CheckKind,
    soft: bool,
    daemon: Option<Arc<str>>,
    group: Option<Arc<str>>,
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

impl Calls {
    fn new(limit: Duration) -> Self {
        Self {
            under_way: None,
            asked: None,
            limit,
            seat: None,
            running: None,
            held: false,
            queued: false,
            again: false,
            is_kept: false,
            is_registered: true,
            is_awaited: false,
        }
    }

    /// The number of the call whose answer is not booked yet.
    pub(crate) fn under_way(&self) -> Option<u64> {
        self.under_way.map(|call| call.number)
    }

    /// The number of the call that is to be polled.
    pub(crate) fn wanted(&self) -> Option<u64> {
        self.under_way.filter(|call| !call.is_answered).map(|call| call.number)
    }

    /// Notes that the answer is there.
    pub(crate) fn answered(&mut self) {
        if let Some(call) = &mut self.under_way {
            call.is_answered = true;
        }
    }

    /// When the call under way is given up.
    pub(crate) fn until(&self) -> Option<Moment> {
        self.under_way.and(self.asked).map(|asked| asked.after(self.limit))
    }

    /// Whether its last call still blocks a thread though its time is up.
    pub(crate) fn block(&self) -> bool {
        self.held && self.under_way.is_none()
    }

    /// Whether nothing and nobody needs the check any more.
    pub(crate) fn are_over(&self) -> bool {
        !self.is_registered && !self.is_kept && self.under_way.is_none() && self.running.is_none() && !self.held
    }
}

impl Entry {
    pub(crate) fn new(check: Arc<dyn HealthCheck>, name: Arc<str>, options: CheckOptions) -> Self {
        let answers = Answers {
            last: None,
            tracker: Tracker::new(&options),
            kind: options.kind,
            soft: options.soft,
            daemon: check.daemon().map(Arc::from),
            group: options.group.as_deref().map(Arc::from),
        };
        let calls = Calls::new(options.timeout.min(FOREVER));
        let about = About { name, options, check, waiters: Vec::new(), planned: None };
        Self { calls, answers, about: Box::new(about) }
    }

    /// Where it is asked; or what, if a place for that has to be made first.
    pub(crate) fn take_seat(&mut self) -> Result<Seat, Arc<dyn HealthCheck>> {
        self.calls.seat.take().ok_or_else(|| self.about.check.clone())
    }

    /// Whether it has been asked for good: what has started has started.
    fn is_settled(&self) -> bool {
        let passes = matches!(self.answers.tracker.status(), HealthStatus::Healthy | HealthStatus::Degraded);
        self.answers.kind == CheckKind::Startup && passes
    }

    /// Whether its last answer was that it does not know.
    pub(crate) fn does_not_know(&self) -> bool {
        self.answers.last.as_ref().is_some_and(|last| last.status == HealthStatus::Unknown)
    }

    /// How long an answer may last, whatever the options say.
    fn patience(&self) -> Duration {
        if self.does_not_know() { SOON } else { FOREVER }
    }

    /// Whether its last answer is too old to be told.
    pub(crate) fn is_stale(&self, now: Moment, max_age: Duration) -> bool {
        let max_age = max_age.min(self.patience());
        !self.is_settled() && self.answers.last.as_ref().is_none_or(|last| now.since(last.at) >= max_age)
    }

    /// When it is to be asked next, if that is not left to those who want to know; at once if it never was. One whose call is under
    /// way is looked at again when the time of that is up.
    pub(crate) fn due(&self, now: Moment) -> Option<Moment> {
        if self.is_settled() {
            return None;
        }
        let every = self.about.options.every?.min(self.patience());
        let due = self.calls.asked.map_or(now, |asked| asked.after(every));
        let busy = |until| due.max(until).max(now.after(Duration::from_millis(1)));
        Some(self.calls.until().map_or(due, busy))
    }

    /// Notes that it is asked now, and tells when it is given up.
    pub(crate) fn begin(&mut self, number: u64, now: Moment) -> Moment {
        self.calls.asked = Some(now);
        self.calls.under_way = Some(Call { number, is_answered: false });
        now.after(self.calls.limit)
    }

    /// Has `waker` told that the call under way has its answer.
    pub(crate) fn wait(&mut self, waker: Waker) {
        self.calls.is_awaited = true;
        self.about.waiters.push(waker);
    }

    /// Takes those who are to be told.
    pub(crate) fn waiters(&mut self, to: &mut Vec<Waker>) {
        if std::mem::take(&mut self.calls.is_awaited) {
            to.append(&mut self.about.waiters);
        }
    }

    /// Books that it could not be asked.
    pub(crate) fn could_not_be_asked(&mut self, now: Moment) -> Option<Change> {
        self.calls.asked = Some(now);
        let verdict = Verdict::unhealthy("its last call still blocks its thread, and was not asked again");
        self.record(verdict, Duration::ZERO, now)
    }

    /// Books what the call under way came to; none is that it gave no answer in its time.
    pub(crate) fn end(&mut self, verdict: Option<Verdict>, at: Moment) -> Option<Change> {
        self.calls.under_way = None;
        let (took, limit) = (self.calls.asked.map_or(Duration::ZERO, |asked| at.since(asked)), self.calls.limit);
        match verdict {
            Some(verdict) => self.record(verdict, took, at),
            None => self.record(Verdict::unhealthy(format!("no answer within {limit:?}")), took.min(limit), at),
        }
    }

    fn record(&mut self, verdict: Verdict, duration: Duration, at: Moment) -> Option<Change> {
        let Self { answers, about, .. } = self;
        let Verdict { status, message } = verdict;
        let message = message.map(Arc::from);
        let from = answers.tracker.record(status);
        let change = from.map(|from| Change {
            check: about.check.clone(),
            name: about.name.clone(),
            from,
            to: answers.tracker.status(),
            message: message.clone(),
        });
        answers.last = Some(Answer { status, message, duration, at });
        change
    }

    /// Its last answer as it was.
    pub(crate) fn answered(&self, now: Moment) -> CheckReport {
        self.answers.told(self.answers.last.as_ref().map_or(HealthStatus::Unknown, |last| last.status), now)
    }

    /// What its answers come to.
    pub(crate) fn evaluated(&self, now: Moment) -> CheckReport {
        self.answers.told(self.answers.tracker.status(), now)
    }
}

impl Answers {
    fn told(&self, status: HealthStatus, now: Moment) -> CheckReport {
        let last = self.last.as_ref();
        CheckReport {
            status: softened(status, self.soft),
            kind: self.kind,
            daemon: self.daemon.clone(),
            group: self.group.clone(),
            message: last.and_then(|last| last.message.clone()),
            duration: last.map_or(Duration::ZERO, |last| last.duration),
            age: last.map(|last| now.since(last.at)),
            failures: self.tracker.failures(),
        }
    }
}
