//! What happened, in order: the last transitions of the host and its daemons, with their times and causes.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use tokio::time::Instant;

use super::report::millis;
use crate::status::{State, Transition};

/// How many transitions are remembered.
const REMEMBERED: usize = 1000;

/// A bounded list of transitions.
#[derive(Debug)]
pub(crate) struct Journal {
    since: Instant,
    transitions: Mutex<VecDeque<Transition>>,
}

impl Journal {
    pub(crate) fn new(since: Instant) -> Self {
        Self { since, transitions: Mutex::default() }
    }

    /// When the host began.
    pub(crate) fn since(&self) -> Instant {
        self.since
    }

    /// Books a transition; `daemon` is `None` for the host itself.
    pub(crate) fn book(&self, daemon: Option<&str>, state: State, cause: Option<String>) {
        let transition =
            Transition { at_ms: millis(self.since.elapsed()), daemon: daemon.map(str::to_owned), state, cause };
        let mut transitions = self.transitions.lock().unwrap_or_else(PoisonError::into_inner);
        if transitions.len() == REMEMBERED {
            transitions.pop_front();
        }
        transitions.push_back(transition);
    }

    /// What is remembered, oldest first.
    pub(crate) fn transitions(&self) -> Vec<Transition> {
        self.transitions.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_make_room() {
        let journal = Journal::new(Instant::now());
        for at in 0..REMEMBERED + 5 {
            journal.book(Some(&at.to_string()), State::Running, None);
        }
        let transitions = journal.transitions();
        assert_eq!(transitions.len(), REMEMBERED);
        assert_eq!(transitions[0].daemon.as_deref(), Some("5"));
    }
}
