//! Who asks: the public face of the [board](crate::board), which has the checks, and of their [driver](crate::driver).
//!
//! Invariants:
//! 1. An answer is waited for no longer than its check's timeout, even if the check blocks the thread it runs on.
//! 2. What a check is called and its options do not change after registration.

use crate::{
    CheckReport, Checks, HealthCheck, HealthReport, HealthTransition, board::Question, driver::Driver, entry::Entry,
    moment::Moment,
};
use daemon_core::{CheckKind, CheckOptions};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeSet, fmt, sync::Arc, time::Duration};
use thiserror::Error;
use tokio::runtime::Handle;

#[cfg(test)]
mod tests;

/// The name under which reports tell of the host itself.
pub(crate) const HOST: &str = "host";

/// Why a check was not registered, or a question not answered.
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
    /// Its options make no sense.
    #[error("health check `{name}` {fault}")]
    Options {
        /// The name of the check.
        name: String,
        /// What is wrong with them.
        fault: String,
    },
    /// No check is in that group.
    #[error("no health check is in a group `{group}`; {}", there_are(known))]
    UnknownGroup {
        /// The group asked for.
        group: String,
        /// The groups there are.
        known: String,
    },
}

fn there_are(known: &str) -> String {
    if known.is_empty() { "there are no groups".to_owned() } else { format!("there are: {known}") }
}

/// Which checks a question is about: all of them, those of a kind, those of a group, or both.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct HealthQuery {
    /// The kind.
    pub kind: Option<CheckKind>,
    /// The group.
    pub group: Option<String>,
}

impl HealthQuery {
    /// All checks.
    #[must_use]
    pub const fn all() -> Self {
        Self { kind: None, group: None }
    }

    /// Those of a kind.
    #[must_use]
    pub const fn of(kind: CheckKind) -> Self {
        Self { kind: Some(kind), group: None }
    }

    /// Of these, those of a group.
    #[must_use]
    pub fn in_group(mut self, group: impl Into<String>) -> Self {
        self.group = Some(group.into());
        self
    }

    pub(crate) fn is_all(&self) -> bool {
        self.kind.is_none() && self.group.is_none()
    }

    pub(crate) fn picks(&self, options: &CheckOptions) -> bool {
        self.kind.is_none_or(|kind| kind == options.kind)
            && self.group.as_deref().is_none_or(|group| options.group.as_deref() == Some(group))
    }
}

/// Runs health checks and remembers what they answered.
///
/// Share it in an [`Arc`]. One task asks all checks, and ends when none is under way; a check that blocks its thread keeps that task from
/// the others for some 20 ms, then another one takes over. Of one check at most one call is under way, which whoever asks meanwhile
/// joins; so a flood of questions costs no more than one.
pub struct HealthChecker {
    driver: Arc<Driver>,
}

/// Checks that were picked; they stay to be told of until this is dropped.
struct Picked<'a> {
    driver: &'a Driver,
    question: Question,
}

impl Drop for Picked<'_> {
    fn drop(&mut self) {
        self.driver.with(|board, after| board.let_go(&self.question, after));
    }
}

impl HealthChecker {
    /// A checker without checks, whose uptime starts now.
    #[must_use]
    pub fn new() -> Self {
        Self { driver: Arc::default() }
    }

    /// Calls the checks on `runtime` from now on, and not on that of who asks: for who must answer while checks block their
    /// threads. Only the first such call counts.
    pub fn run_on(&self, runtime: Handle) {
        self.driver.run_on(runtime);
    }

    /// Adds a check, with the options it asks for.
    ///
    /// # Errors
    ///
    /// [`HealthError`] if its name is empty or taken, or its options make no sense.
    pub fn register(&self, check: impl HealthCheck) -> Result<(), HealthError> {
        let (name, options): (Arc<str>, _) = (check.name().into(), check.options());
        if name.is_empty() {
            return Err(HealthError::NoName);
        }
        if let Some(fault) = options.fault() {
            return Err(HealthError::Options { name: name.to_string(), fault });
        }
        let entry = Box::new(Entry::new(Arc::new(check), name.clone(), options));
        let registered = match &*name {
            HOST => Err(entry),
            _ => self.driver.board().register(entry, self.driver.now()),
        };
        // What is given back is dropped here, where no lock is held.
        registered.map_err(|_entry| HealthError::DuplicateName { name: name.to_string() })?;
        self.driver.sooner.notify_one();
        Ok(())
    }

    /// Removes a check; `false` if there was none of that name. An answer under way is waited for no less.
    pub fn unregister(&self, name: &str) -> bool {
        self.driver.with(|board, after| board.unregister(name, after))
    }

    /// Asks every check now, all at once, and tells what they answered, whatever their thresholds.
    ///
    /// Takes as long as the slowest check, and no longer than the longest timeout. A check that panics, fails or does not answer
    /// in time is unhealthy. A check that blocks its thread is given up like any other, provided another thread is free to see
    /// that its time is up; until that thread is free again the check is not called again.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime with its clock enabled.
    ///
    /// # Cancel safety
    ///
    /// Calls under way go on to their end or their timeout, and their answers are remembered.
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
        let picked = self.pick(&HealthQuery::all());
        self.ask(&picked, |entry, now| entry.is_stale(now, max_age)).await;
        self.told(None, &picked, Entry::answered)
    }

    /// The last answers, without asking: a check that never answered is unknown.
    #[must_use]
    pub fn last(&self) -> HealthReport {
        self.told(None, &self.pick(&HealthQuery::all()), Entry::answered)
    }

    /// What the answers of the checks that `query` picks come to, by their thresholds. Only those are asked anew whose last answer is
    /// older than their options allow; while [`run`](Self::run) runs these are those without a period of their own.
    ///
    /// # Errors
    ///
    /// [`HealthError::UnknownGroup`].
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime with its clock enabled.
    ///
    /// # Cancel safety
    ///
    /// As [`check`](Self::check).
    pub async fn health(&self, query: &HealthQuery) -> Result<HealthReport, HealthError> {
        if let Some(group) = &query.group {
            let known = self.groups();
            if !known.contains(group) {
                let known = known.into_iter().collect::<Vec<_>>().join(", ");
                return Err(HealthError::UnknownGroup { group: group.clone(), known });
            }
        }
        let picked = self.pick(query);
        self.ask(&picked, |entry, now| entry.is_stale(now, entry.about.options.max_age())).await;
        Ok(self.told(query.kind, &picked, Entry::evaluated))
    }

    /// The groups that checks are in.
    #[must_use]
    pub fn groups(&self) -> BTreeSet<String> {
        let board = self.driver.board();
        board.registered().filter_map(|entry| entry.about.options.group.as_deref().map(str::to_owned)).collect()
    }

    /// The last changes of what checks' answers come to, at most 256, oldest first.
    #[must_use]
    pub fn history(&self) -> Vec<HealthTransition> {
        self.driver.history.all()
    }

    /// Asks each check at every multiple of its period, for as long as it is polled, and one that does not know after a second. A
    /// check whose call is under way is not asked again.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime with its clock enabled.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe; calls under way go on.
    pub async fn run(&self) {
        loop {
            let sooner = self.driver.sooner.notified();
            let now = self.driver.now();
            let next = self.driver.begin(|board, after| board.ask_planned(now, after));
            tokio::select! {
                () = sooner => {}
                () = self.driver.reached(next) => {}
            }
        }
    }

    fn pick(&self, query: &HealthQuery) -> Picked<'_> {
        Picked { driver: &self.driver, question: self.driver.board().pick(query) }
    }

    /// Asks those of the picked checks that are due side by side, and waits for their answers.
    async fn ask(&self, picked: &Picked<'_>, is_due: impl Fn(&Entry, Moment) -> bool) {
        let now = self.driver.now();
        let calls =
            self.driver.begin(|board, after| board.ask(&picked.question, now, |entry| is_due(entry, now), after));
        self.driver.answers(calls).await;
    }

    fn told(
        &self,
        kind: Option<CheckKind>,
        picked: &Picked<'_>,
        tell: fn(&Entry, Moment) -> CheckReport,
    ) -> HealthReport {
        let of = &picked.question.of;
        let mut reports = Vec::with_capacity(of.names.len());
        let now = self.driver.with(|board, after| {
            let now = self.driver.now();
            board.book(now, after);
            reports.extend(board.picked(&picked.question).map(|entry| tell(entry, now)));
            now
        });
        HealthReport::new(kind, Checks::new(of.names.clone(), reports), now.since(Moment::default()))
    }
}

impl Drop for HealthChecker {
    fn drop(&mut self) {
        // Each holds the driver, which holds them. What is under way still goes on to its end or its timeout.
        self.driver.with(|board, after| board.unregister_all(after));
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
