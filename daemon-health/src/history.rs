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

/// The last transitions, by their numbers.
#[derive(Debug, Default)]
pub(crate) struct History(Mutex<VecDeque<(u64, Arc<HealthTransition>)>>);

impl History {
    /// Takes in a transition. Of two threads the one with the later transition may come first.
    pub(crate) fn book(&self, number: u64, transition: HealthTransition) {
        let HealthTransition { check, from, to, message, .. } = &transition;
        tracing::info!(check, %from, %to, message, "health changed");
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let later = all.iter().rev().take_while(|(other, _)| *other > number).count();
        let place = all.len() - later;
        all.insert(place, (number, Arc::new(transition)));
        if all.len() > REMEMBERED {
            all.pop_front();
        }
    }

    /// Them, oldest first.
    pub(crate) fn all(&self) -> Vec<HealthTransition> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter().map(|(_, transition)| (**transition).clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::{HealthTransition, History, REMEMBERED};
    use crate::HealthStatus::{Healthy, Unhealthy};

    fn checks(history: &History) -> Vec<String> {
        history.all().into_iter().map(|transition| transition.check).collect()
    }

    #[test]
    fn the_order_is_that_of_the_changes_whoever_tells_of_them_first() {
        let history = History::default();
        for number in [2, 1, 5, 3, 4] {
            history.book(number, HealthTransition::new(&number.to_string(), Healthy, Unhealthy, None));
        }
        assert_eq!(checks(&history), ["1", "2", "3", "4", "5"]);
    }

    #[test]
    fn the_latest_are_remembered_and_no_more() {
        let history = History::default();
        let all: u64 = 2 * REMEMBERED as u64;
        for number in 2..=all {
            history.book(number, HealthTransition::new(&number.to_string(), Healthy, Unhealthy, None));
        }
        history.book(1, HealthTransition::new("1", Healthy, Unhealthy, None));
        let kept: Vec<_> = (all - REMEMBERED as u64 + 1..=all).map(|number| number.to_string()).collect();
        assert_eq!(checks(&history), kept);
    }
}
