//! Faults that a test asks for: what is called in the place of user code.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::error::Result;

/// What is called in the place of the user's code.
pub(crate) type Fault = fn() -> Result<()>;

/// The faults still to come, and the calls made so far.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    /// Whether anybody asks: a host that no test drives pays one load for each call.
    on: AtomicBool,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    armed: Vec<(String, Fault)>,
    calls: BTreeMap<String, u64>,
}

impl Faults {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins to count calls.
    pub(crate) fn watch(&self) {
        self.on.store(true, Ordering::Relaxed);
    }

    /// Puts `fault` in the place of the next call named `name` or `daemon.name`.
    pub(crate) fn arm(&self, name: &str, fault: Fault) {
        self.inner().armed.push((name.to_owned(), fault));
    }

    /// Counts a call, and gives out the first fault that is for it.
    pub(crate) fn take(&self, daemon: &str, name: &str) -> Option<Fault> {
        if !self.on.load(Ordering::Relaxed) {
            return None;
        }
        let mut inner = self.inner();
        let short = if name == "initialize" { "init" } else { name };
        let full = format!("{daemon}.{name}");
        let names = [name, short, &full, &format!("{daemon}.{short}")];
        let at = inner.armed.iter().position(|(armed, _)| names.contains(&armed.as_str()));
        *inner.calls.entry(full).or_default() += 1;
        at.map(|at| inner.armed.remove(at).1)
    }

    /// The names of the faults that never came.
    pub(crate) fn left(&self) -> Vec<String> {
        self.inner().armed.iter().map(|(name, _)| name.clone()).collect()
    }

    /// Every call made so far, as `daemon.name`, with how often.
    pub(crate) fn calls(&self) -> Vec<(String, u64)> {
        self.inner().calls.iter().map(|(name, times)| (name.clone(), *times)).collect()
    }
}
