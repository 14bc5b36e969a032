//! What has gone wrong with a daemon's work, and where it is told.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::Failure;
use crate::counter::Counters;
use crate::event::Ledger;
use crate::status::TaskKind;

/// Errors and panics of a daemon, over all its lives.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) errors: AtomicU64,
    pub(crate) panics: AtomicU64,
    /// How often in a row each piece of work has failed.
    streaks: Mutex<BTreeMap<String, u32>>,
    /// The accounts of its run-time subscriptions.
    pub(crate) ledger: Arc<Ledger>,
    /// What it counts itself.
    pub(crate) counters: Counters,
}

/// How many failures in a row degrade a daemon.
const DEGRADED_AFTER: u32 = 3;

impl Tally {
    /// What has failed often enough in a row.
    pub(crate) fn degraded(&self) -> Vec<String> {
        let streaks = self.streaks.lock().unwrap_or_else(PoisonError::into_inner);
        let often = streaks.iter().filter(|(_, times)| **times >= DEGRADED_AFTER);
        often.map(|(name, _)| format!("`{name}` fails on and on")).collect()
    }

    /// Forgets what failed in the life before.
    pub(crate) fn renew(&self) {
        self.streaks.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn streak(&self, name: &str, times: u32) -> Option<u32> {
        let mut streaks = self.streaks.lock().unwrap_or_else(PoisonError::into_inner);
        if times == 0 { streaks.remove(name) } else { streaks.insert(name.to_owned(), times) }
    }
}

/// Whose work it is.
#[derive(Clone, Debug)]
pub(crate) struct Owner {
    pub(crate) daemon: Arc<str>,
    /// What all its work runs in.
    pub(crate) span: tracing::Span,
    pub(crate) tally: Arc<Tally>,
}

impl Owner {
    /// The owner of work that is no daemon's.
    pub(crate) fn nobody() -> Self {
        Self { daemon: "".into(), span: tracing::Span::none(), tally: Arc::default() }
    }

    /// Logs and counts what went wrong with a piece of its work.
    pub(crate) fn failed(&self, kind: TaskKind, name: &str, failure: &Failure) {
        let tally = if failure.is_panic() { &self.tally.panics } else { &self.tally.errors };
        tally.fetch_add(1, Ordering::Relaxed);
        let _span = self.span.enter();
        tracing::error!(daemon = &*self.daemon, work = name, %failure, "{kind} failed");
    }

    /// Books that a handler or interval has failed `times` times in a row; 0: it has succeeded.
    pub(crate) fn streak(&self, name: &str, times: u32) {
        let before = self.tally.streak(name, times).unwrap_or(0);
        let _span = self.span.enter();
        if times == DEGRADED_AFTER {
            tracing::warn!(daemon = &*self.daemon, work = name, "degraded: it failed {times} times in a row");
        } else if times == 0 && before >= DEGRADED_AFTER {
            tracing::warn!(daemon = &*self.daemon, work = name, "recovered");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_failures_in_a_row_degrade_until_a_success_or_the_next_life() {
        let owner = Owner::nobody();
        let degraded = |times| {
            owner.streak("tick", times);
            owner.tally.degraded()
        };
        assert!(degraded(2).is_empty());
        assert_eq!(degraded(3), ["`tick` fails on and on"]);
        assert_eq!(degraded(4), ["`tick` fails on and on"]);
        assert!(degraded(0).is_empty());
        assert!(owner.tally.streaks.lock().unwrap().is_empty(), "of what goes well nothing is kept");
        assert_eq!(degraded(3), ["`tick` fails on and on"]);
        owner.tally.renew();
        assert!(owner.tally.degraded().is_empty());
    }
}
