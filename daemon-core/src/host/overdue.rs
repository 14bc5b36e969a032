//! Which starts have not told of their end though their time is up.
//!
//! A start is ended by its own life, on the workers. If every worker is blocked it never is; then the conductor hears nothing, and
//! what it expected by now is here.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use tokio::time::Instant;

/// How long after its deadline a start may take to be told of, on a busy machine.
const BUSY: Duration = Duration::from_secs(1);

/// What the conductor expects to hear.
#[derive(Debug, Default)]
pub(super) struct Overdue {
    /// Until when, of which daemon, in which of its lives, and whether it has been given time to clean up; what was told of meanwhile is
    /// passed over later.
    starts: BinaryHeap<Reverse<(Instant, usize, u64, bool)>>,
}

impl Overdue {
    /// Expects the end of a start whose deadline is given.
    pub(super) fn expect(&mut self, deadline: Instant, at: usize, life: u64) {
        self.starts.push(Reverse((deadline + BUSY, at, life, false)));
    }

    /// The next start that will be overdue, and when, of those that are `pending`.
    pub(super) fn next(&mut self, pending: impl Fn(usize, u64) -> bool) -> Option<(Instant, usize)> {
        while let Some(Reverse((by, at, life, _))) = self.starts.peek().copied() {
            if pending(at, life) {
                return Some((by, at));
            }
            self.starts.pop();
        }
        None
    }

    /// Gives the next, which has failed, so much time to clean up, once; returns whether it has that.
    pub(super) fn clean_up(&mut self, time: Duration) -> bool {
        let Some(mut next) = self.starts.peek_mut() else { return false };
        let Reverse((by, _, _, cleans_up)) = &mut *next;
        if !std::mem::replace(cleans_up, true) {
            *by += time;
            return true;
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_told_of_is_passed_over() {
        let (mut overdue, t0) = (Overdue::default(), Instant::now());
        let after = |s: u64| t0 + Duration::from_secs(s);
        for (s, at, life) in [(9, 0, 1), (3, 1, 1), (5, 1, 2)] {
            overdue.expect(after(s), at, life);
        }
        assert_eq!(overdue.next(|at, life| (at, life) != (1, 1)), Some((after(6), 1)), "of its second life");
        assert_eq!(overdue.next(|at, _| at == 0), Some((after(10), 0)));
        assert_eq!(overdue.next(|_, _| false), None);
    }

    #[test]
    fn what_cleans_up_is_given_time_for_that_once() {
        let (mut overdue, t0) = (Overdue::default(), Instant::now());
        let after = |s: u64| t0 + Duration::from_secs(s);
        overdue.expect(after(1), 0, 1);
        overdue.expect(after(3), 1, 1);
        assert!(overdue.clean_up(Duration::from_secs(5)));
        assert_eq!(overdue.next(|_, _| true), Some((after(4), 1)), "it is another's turn");
        assert_eq!(overdue.next(|at, _| at == 0), Some((after(7), 0)));
        assert!(!overdue.clean_up(Duration::from_secs(5)));
    }
}
