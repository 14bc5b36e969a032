//! One registered check: its call under way, its last answer, and what its answers come to.
//!
//! Invariants:
//! 1. At most one call is under way. Who asks meanwhile joins it.
//! 2. A call has one answer: what it returned, or, once its time is up, that there was none. What comes later does not count.
//! 3. A call whose time is up is aborted. While it blocks its thread all the same the check is not called again, so that it blocks one
//!    thread and no more.
//! 4. No lock is held while user code runs.

use crate::{
    CheckReport, HealthCheck, HealthStatus, Verdict,
    catch::{attempt, caught},
    history::{HealthTransition, History},
    tracker::{Tracker, softened},
};
use daemon_core::{BoxError, CheckKind, CheckOptions, with_sources};
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{
    runtime::Handle,
    sync::watch,
    task::AbortHandle,
    time::{Instant, timeout_at},
};

/// The longest time that is waited for anything: a clock that adds more would overflow.
const FOREVER: Duration = Duration::from_secs(60 * 60 * 24 * 365);
/// How soon a check is asked again that does not know: its daemon has not started yet, say, and nobody is let in meanwhile.
const SOON: Duration = Duration::from_secs(1);

/// One registered check.
pub(crate) struct Entry {
    pub(crate) name: Arc<str>,
    pub(crate) options: CheckOptions,
    check: Arc<dyn HealthCheck>,
    history: Arc<History>,
    state: Mutex<State>,
}

struct State {
    tracker: Tracker,
    last: Option<Answer>,
    /// When it was last asked.
    asked: Option<Instant>,
    call: Option<Call>,
    calls: u64,
}

#[derive(Clone)]
struct Answer {
    verdict: Verdict,
    duration: Duration,
    at: Instant,
}

/// A call under way, or one that blocks its thread though its time is up.
struct Call {
    number: u64,
    until: Instant,
    task: AbortHandle,
    answered: watch::Receiver<bool>,
    late: bool,
}

/// A wait for the answer of a call.
pub(crate) struct Pending {
    entry: Arc<Entry>,
    number: u64,
    until: Instant,
    answered: watch::Receiver<bool>,
}

impl State {
    /// How long an answer may last, whatever the options say.
    fn patience(&self) -> Duration {
        let knows = self.last.as_ref().is_none_or(|last| last.verdict.status != HealthStatus::Unknown);
        if knows { FOREVER } else { SOON }
    }
}

impl Entry {
    pub(crate) fn new(
        check: Arc<dyn HealthCheck>,
        name: Arc<str>,
        options: CheckOptions,
        history: Arc<History>,
    ) -> Self {
        let state = State { tracker: Tracker::new(), last: None, asked: None, call: None, calls: 0 };
        Self { name, options, check, history, state: Mutex::new(state) }
    }

    // No user code runs under the lock, so what is behind a poisoned one is as whole as ever.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn limit(&self) -> Duration {
        self.options.timeout.min(FOREVER)
    }

    /// When it is to be asked next, if that is not left to those who want to know; at once if it never was.
    pub(crate) fn due(&self, now: Instant) -> Option<Instant> {
        let state = self.state();
        if self.is_settled(&state) {
            return None;
        }
        let every = self.options.every?.min(state.patience());
        Some(state.asked.map_or(now, |asked| asked + every))
    }

    /// When the time of the call under way is up.
    pub(crate) fn until(&self) -> Option<Instant> {
        self.state().call.as_ref().filter(|call| !call.late).map(|call| call.until)
    }

    /// Whether its last answer is too old to be told.
    pub(crate) fn is_stale(&self, now: Instant, max_age: Duration) -> bool {
        let state = self.state();
        !self.is_settled(&state)
            && state.last.as_ref().is_none_or(|last| now.duration_since(last.at) >= max_age.min(state.patience()))
    }

    /// Whether it has been asked for good: what has started has started.
    fn is_settled(&self, state: &State) -> bool {
        let passes = matches!(state.tracker.status(), HealthStatus::Healthy | HealthStatus::Degraded);
        self.options.kind == CheckKind::Startup && passes
    }

    /// Calls the check on `runtime`, unless a call is under way, which is joined.
    pub(crate) fn ask(self: &Arc<Self>, runtime: &Handle) -> Pending {
        let now = Instant::now();
        let mut state = self.state();
        match state.call.as_ref() {
            Some(call) if !call.late => return self.pending(call),
            Some(call) if !call.task.is_finished() => {
                let pending = self.pending(call);
                state.asked = Some(now);
                drop(state);
                let verdict = Verdict::unhealthy("its last call still blocks its thread, and was not asked again");
                self.record(Answer { verdict, duration: Duration::ZERO, at: now });
                return pending;
            }
            _ => {}
        }
        state.calls += 1;
        let (number, until) = (state.calls, now + self.limit());
        let (told, answered) = watch::channel(false);
        let entry = self.clone();
        let task = runtime.spawn(async move {
            let check = entry.check.clone();
            let ended = timeout_at(until, caught(|| async move { check.check().await })).await;
            let late = ended.is_err();
            let verdict = match ended {
                Ok(answer) => verdict_of(answer),
                Err(_) => no_answer(entry.limit()),
            };
            entry.settle(number, now, verdict, late);
            told.send_replace(true); // nobody may wait for it
        });
        let call = Call { number, until, task: task.abort_handle(), answered, late: false };
        let pending = self.pending(&call);
        state.asked = Some(now);
        state.call = Some(call);
        pending
    }

    fn pending(self: &Arc<Self>, call: &Call) -> Pending {
        let answered = call.answered.clone();
        Pending { entry: self.clone(), number: call.number, until: call.until, answered }
    }

    /// Gives up the call under way if its time is up.
    pub(crate) fn give_up(&self, now: Instant) {
        let number = self.state().call.as_ref().filter(|call| !call.late && call.until <= now).map(|call| call.number);
        if let Some(number) = number {
            let limit = self.limit();
            self.settle(number, now.checked_sub(limit).unwrap_or(now), no_answer(limit), true);
        }
    }

    /// Takes the answer of a call, unless it has one.
    fn settle(&self, number: u64, asked: Instant, verdict: Verdict, late: bool) {
        let at = Instant::now();
        {
            let mut state = self.state();
            let Some(call) = state.call.as_mut().filter(|call| call.number == number && !call.late) else { return };
            call.late = true;
            if late {
                call.task.abort();
            } else {
                state.call = None;
            }
        }
        let duration = at.duration_since(asked);
        let duration = if late { duration.min(self.limit()) } else { duration };
        self.record(Answer { verdict, duration, at });
    }

    /// Books an answer, and tells the check if it has come to count as unhealthy.
    fn record(&self, answer: Answer) {
        let Verdict { status, message } = answer.verdict.clone();
        let change = {
            let mut state = self.state();
            state.last = Some(answer);
            let before = state.tracker.record(status, &self.options);
            before.map(|before| (before, state.tracker.status()))
        };
        let Some((from, to)) = change else { return };
        self.history.book(HealthTransition::new(&self.name, from, to, message.clone()));
        if to == HealthStatus::Unhealthy {
            let why = message.as_deref().unwrap_or("it is unhealthy");
            if let Err(panic) = attempt(|| self.check.became_unhealthy(why)) {
                tracing::error!(check = &*self.name, "what is done when it became unhealthy {panic}");
            }
        }
    }

    /// Its last answer as it was.
    pub(crate) fn answered(&self, now: Instant) -> CheckReport {
        let state = self.state();
        let status = state.last.as_ref().map_or(HealthStatus::Unknown, |last| last.verdict.status);
        self.told(&state, status, now)
    }

    /// What its answers come to.
    pub(crate) fn evaluated(&self, now: Instant) -> CheckReport {
        let state = self.state();
        self.told(&state, state.tracker.status(), now)
    }

    fn told(&self, state: &State, status: HealthStatus, now: Instant) -> CheckReport {
        let last = state.last.as_ref();
        CheckReport {
            status: softened(status, self.options.soft),
            kind: self.options.kind,
            group: self.options.group.as_deref().map(str::to_owned),
            message: last.and_then(|last| last.verdict.message.clone()),
            duration: last.map_or(Duration::ZERO, |last| last.duration),
            age: last.map(|last| now.duration_since(last.at)),
            failures: state.tracker.failures(),
        }
    }
}

impl Pending {
    /// Waits for the answer, or until its time is up.
    pub(crate) async fn wait(mut self) {
        let answered = timeout_at(self.until, self.answered.wait_for(|answered| *answered)).await;
        // The runtime went down with the call, or nobody answered: it has no other answer.
        if !matches!(answered, Ok(Ok(_))) {
            let limit = self.entry.limit();
            let verdict =
                if answered.is_ok() { Verdict::unknown("the runtime is shutting down") } else { no_answer(limit) };
            self.entry.settle(
                self.number,
                self.until.checked_sub(limit).unwrap_or(self.until),
                verdict,
                answered.is_err(),
            );
        }
    }
}

fn verdict_of(answer: Result<Result<Verdict, BoxError>, String>) -> Verdict {
    match answer {
        Ok(Ok(verdict)) => verdict,
        Ok(Err(error)) => Verdict::unhealthy(with_sources(&*error)),
        Err(panic) => Verdict::unhealthy(panic),
    }
}

fn no_answer(limit: Duration) -> Verdict {
    Verdict::unhealthy(format!("no answer within {limit:?}"))
}
