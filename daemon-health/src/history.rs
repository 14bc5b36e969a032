//! What changed, and when: the last transitions of all checks.

use crate::{HealthStatus, millis};
use serde::{Deserialize, Serialize};
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
    time::SystemTime,
};

/// How many are remembered.
const REMEMBERED: usize = 256;

/// One change of what a check's answers come to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct HealthTransition {
    /// When, in milliseconds since 1970, by the clock on the wall.
    pub at_ms: u64,
    /// The check.
    pub check: String,
    /// What it was.
    pub from: HealthStatus,
    /// What it came to be.
    pub to: HealthStatus,
    /// The message of the answer that did it.
    pub message: Option<String>,
}

impl HealthTransition {
    pub(crate) fn new(check: &str, from: HealthStatus, to: HealthStatus, message: Option<String>) -> Self {
        Self { at_ms: millis::after_1970(SystemTime::now()), check: check.to_owned(), from, to, message }
    }
}

/// The last transitions.
#[derive(Debug, Default)]
pub(crate) struct History(Mutex<VecDeque<Arc<HealthTransition>>>);

impl History {
    pub(crate) fn book(&self, transition: HealthTransition) {
        let HealthTransition { check, from, to, message, .. } = &transition;
        tracing::info!(check, %from, %to, message, "health changed");
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() == REMEMBERED {
            all.pop_front();
        }
        all.push_back(Arc::new(transition));
    }

    /// Them, oldest first.
    pub(crate) fn all(&self) -> Vec<HealthTransition> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().map(|transition| (**transition).clone()).collect()
    }
}
