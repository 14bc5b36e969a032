//! Who asks. Owns the registered checks, the running of them and the last answer of each.
//!
//! Invariants:
//! 1. Names are unique.
//! 2. An answer is waited for no longer than its check's timeout, counted from the moment all were asked. The wait is held here,
//!    not in the check's task, so it ends even if the check blocks the thread it runs on.
//! 3. What a check is called and how long it may take do not change after registration.

use crate::{CheckReport, HealthCheck, HealthReport, HealthStatus, Verdict};
use std::{
    any::Any,
    collections::BTreeMap,
    fmt,
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
    time::Duration,
};
use thiserror::Error;
use tokio::time::{Instant, timeout};
use tokio_util::task::AbortOnDropHandle;

#[cfg(test)]
mod tests;

/// Why a check was not registered.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum HealthError {
    /// There is a check of that name.
    #[error(
        "health check `{name}` is registered already; give each check its own name, or unregister the old one first"
    )]
    DuplicateName {
        /// The name.
        name: String,
    },
    /// The name is empty.
    #[error("a health check has no name; return one from `HealthCheck::name`")]
    NoName,
    /// The timeout is zero, so that no check could ever answer.
    #[error("health check `{name}` has a timeout of zero; give it time to answer")]
    NoTime {
        /// The name of the check.
        name: String,
    },
}

/// Runs health checks and remembers what they answered.
///
/// Share it in an [`Arc`]. Dropping it drops its checks.
pub struct HealthChecker {
    created: Instant,
    checks: RwLock<BTreeMap<String, Registered>>,
}

#[derive(Clone)]
struct Registered {
    check: Arc<dyn HealthCheck>,
    timeout: Duration,
    last: Option<Answer>,
}

#[derive(Clone)]
struct Answer {
    verdict: Verdict,
    duration: Duration,
    at: Instant,
}

impl HealthChecker {
    /// A checker without checks, whose uptime starts now.
    #[must_use]
    pub fn new() -> Self {
        Self { created: Instant::now(), checks: RwLock::default() }
    }

    /// Adds a check, with the timeout it asks for.
    ///
    /// # Errors
    ///
    /// [`HealthError`] if its name is empty or taken, or its timeout zero.
    pub fn register(&self, check: impl HealthCheck) -> Result<(), HealthError> {
        let timeout = check.timeout();
        self.register_with_timeout(check, timeout)
    }

    /// Adds a check that may take no longer than `timeout`, whatever it asks for.
    ///
    /// # Errors
    ///
    /// [`HealthError`] if its name is empty or taken, or `timeout` zero.
    pub fn register_with_timeout(&self, check: impl HealthCheck, timeout: Duration) -> Result<(), HealthError> {
        let name = check.name().to_owned();
        if name.is_empty() {
            return Err(HealthError::NoName);
        }
        if timeout.is_zero() {
            return Err(HealthError::NoTime { name });
        }
        let mut checks = self.write();
        if checks.contains_key(&name) {
            return Err(HealthError::DuplicateName { name });
        }
        checks.insert(name, Registered { check: Arc::new(check), timeout, last: None });
        Ok(())
    }

    /// Removes a check; `false` if there was none of that name. An answer under way is waited for no less.
    pub fn unregister(&self, name: &str) -> bool {
        self.write().remove(name).is_some()
    }

    /// Asks every check now, all at once.
    ///
    /// Takes as long as the slowest check, and no longer than the longest timeout. A check that panics, fails or does not answer
    /// in time is unhealthy. A check that blocks its thread is given up like any other, provided another thread is free to see
    /// that its time is up; but its thread stays blocked, and is joined by another at each further call.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime with its clock enabled.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future aborts the checks under way; what they would have answered is not remembered.
    pub async fn check(&self) -> HealthReport {
        self.check_older_than(Duration::ZERO).await
    }

    /// Asks the checks whose last answer is `max_age` old or older, and those that never answered; reports the others as they
    /// are, with their age.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime with its clock enabled.
    ///
    /// # Cancel safety
    ///
    /// As [`check`](Self::check).
    pub async fn check_older_than(&self, max_age: Duration) -> HealthReport {
        let mut report = self.read().clone();
        let asked_at = Instant::now();
        let mut asked = Vec::new();
        for (name, registered) in &report {
            if registered.last.as_ref().is_none_or(|answer| asked_at.duration_since(answer.at) >= max_age) {
                asked.push((name.clone(), registered.timeout, ask(registered, asked_at)));
            }
        }
        for (name, timeout, task) in asked {
            let answer = answer_of(task, asked_at, timeout).await;
            if let Some(registered) = report.get_mut(&name) {
                self.remember(&name, &registered.check, &answer);
                registered.last = Some(answer);
            }
        }
        self.told(&report)
    }

    /// The last answers, without asking: a check that never answered is unknown.
    #[must_use]
    pub fn last(&self) -> HealthReport {
        self.told(&self.read())
    }

    fn told(&self, checks: &BTreeMap<String, Registered>) -> HealthReport {
        let now = Instant::now();
        let checks = checks.iter().map(|(name, registered)| (name.clone(), registered.told(now))).collect();
        HealthReport::new(checks, now.duration_since(self.created))
    }

    /// Keeps an answer, unless a later one is there, or the check is gone or was replaced.
    fn remember(&self, name: &str, check: &Arc<dyn HealthCheck>, answer: &Answer) {
        if let Some(registered) = self.write().get_mut(name)
            && Arc::ptr_eq(&registered.check, check)
            && registered.last.as_ref().is_none_or(|last| last.at <= answer.at)
        {
            registered.last = Some(answer.clone());
        }
    }

    // No user code runs under the lock, so a poisoned map is as whole as any other.
    fn read(&self) -> RwLockReadGuard<'_, BTreeMap<String, Registered>> {
        self.checks.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, BTreeMap<String, Registered>> {
        self.checks.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for HealthChecker {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for HealthChecker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HealthChecker").field("report", &self.last()).finish()
    }
}

impl Registered {
    fn told(&self, now: Instant) -> CheckReport {
        match &self.last {
            Some(Answer { verdict, duration, at }) => CheckReport {
                status: verdict.status,
                message: verdict.message.clone(),
                duration: *duration,
                age: Some(now.duration_since(*at)),
            },
            None => CheckReport { status: HealthStatus::Unknown, message: None, duration: Duration::ZERO, age: None },
        }
    }
}

/// Starts one check as its own task, which ends in time by itself unless it blocks its thread.
fn ask(registered: &Registered, asked_at: Instant) -> AbortOnDropHandle<Answer> {
    let (check, limit) = (Arc::clone(&registered.check), registered.timeout);
    AbortOnDropHandle::new(tokio::spawn(async move {
        let verdict = match timeout(limit, check.check()).await {
            Ok(Ok(verdict)) => verdict,
            Ok(Err(error)) => Verdict::unhealthy(with_sources(&*error)),
            Err(_elapsed) => no_answer(limit),
        };
        let at = Instant::now();
        Answer { verdict, duration: at.duration_since(asked_at), at }
    }))
}

/// Waits for an answer until its time is up; an answer that came later does not count.
async fn answer_of(task: AbortOnDropHandle<Answer>, asked_at: Instant, limit: Duration) -> Answer {
    let verdict = match timeout(limit.saturating_sub(asked_at.elapsed()), task).await {
        Ok(Ok(answer)) if answer.duration <= limit => return answer,
        Ok(Ok(_)) | Err(_) => no_answer(limit),
        Ok(Err(fault)) => match fault.try_into_panic() {
            Ok(payload) => Verdict::unhealthy(format!("panicked: {}", panic_text(&*payload))),
            Err(_) => Verdict::unknown("the runtime is shutting down"),
        },
    };
    let at = Instant::now();
    Answer { verdict, duration: at.duration_since(asked_at).min(limit), at }
}

fn no_answer(limit: Duration) -> Verdict {
    Verdict::unhealthy(format!("no answer within {limit:?}"))
}

/// The error and what it comes from, as one line.
fn with_sources(error: &dyn std::error::Error) -> String {
    let sources = std::iter::successors(error.source(), |error| error.source());
    sources.fold(error.to_string(), |text, source| format!("{text}: {source}"))
}

fn panic_text(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<&str>().copied().or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("a value that is not text")
}
