//! What the integration tests look through: a shared log, conditions to wait for, guards that tell of their end.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, reason = "each test file uses a part of it")]

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use daemon_core::{ShutdownReport, SubscriptionStatus};

pub const S: fn(u64) -> Duration = Duration::from_secs;
pub const MS: fn(u64) -> Duration = Duration::from_millis;

/// Lines in the order they were said, whoever says them.
#[derive(Clone, Debug, Default)]
pub struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    pub fn say(&self, line: impl Into<String>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(line.into());
    }

    /// As [`say`](Self::say), where a future is wanted.
    pub fn tell(&self, line: &str) -> std::future::Ready<()> {
        self.say(line);
        std::future::ready(())
    }

    pub fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn count(&self, line: &str) -> usize {
        self.lines().iter().filter(|said| *said == line).count()
    }

    pub fn has(&self, line: &str) -> bool {
        self.count(line) > 0
    }

    /// Where a line was said; it must have been, and once.
    #[track_caller]
    pub fn at(&self, line: &str) -> usize {
        let lines = self.lines();
        assert_eq!(self.count(line), 1, "{line:?} in {lines:#?}");
        lines.iter().position(|said| said == line).unwrap()
    }

    /// Asserts that the lines were said in this order, each once, among others.
    #[track_caller]
    pub fn in_order(&self, lines: &[&str]) {
        for pair in lines.windows(2) {
            assert!(self.at(pair[0]) < self.at(pair[1]), "{pair:?} in {:#?}", self.lines());
        }
    }

    /// A guard that says `line` when it is dropped.
    pub fn on_drop(&self, line: &str) -> Says {
        Says { log: self.clone(), line: line.to_owned() }
    }

    /// Waits until the line has been said.
    pub async fn said(&self, line: &str) {
        until(line, || self.has(line)).await;
    }
}

/// Says its line when dropped.
#[derive(Debug)]
pub struct Says {
    log: Log,
    line: String,
}

impl Drop for Says {
    fn drop(&mut self) {
        self.log.say(self.line.clone());
    }
}

/// Panics when dropped.
#[derive(Debug)]
pub struct Bomb(pub &'static str);

impl Drop for Bomb {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            panic!("{}", self.0);
        }
    }
}

/// Waits for a condition; the clock moves on meanwhile.
pub async fn until(what: &str, mut is: impl FnMut() -> bool) {
    for _ in 0..200_000 {
        if is() {
            return;
        }
        tokio::time::sleep(MS(1)).await;
    }
    panic!("never came: {what}");
}

/// Every account of events is balanced.
#[track_caller]
pub fn assert_balanced(report: &ShutdownReport) {
    for account in &report.events {
        let ended = account.handled + account.failed + account.dropped + account.abandoned;
        assert_eq!(account.offered, ended, "{account:?}");
    }
}

/// Nothing is left, and every account is balanced.
#[track_caller]
pub fn assert_nothing_left(report: &ShutdownReport) {
    assert!(report.left.is_nothing(), "{report}");
    assert_balanced(report);
}

/// The account of one subscription.
#[track_caller]
pub fn account<'a>(of: &'a [SubscriptionStatus], name: &str) -> &'a SubscriptionStatus {
    of.iter().find(|account| account.name == name).unwrap_or_else(|| panic!("no subscription {name}"))
}
