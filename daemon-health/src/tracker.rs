//! What a row of answers comes to: hysteresis. Pure: no clock, no I/O.
//!
//! Invariants:
//! 1. From healthy to unhealthy it takes `fails` failures in a row, back it takes `passes` passes in a row.
//! 2. Not knowing takes effect at once, and so does the difference between healthy and degraded.

use crate::HealthStatus;
use daemon_core::CheckOptions;

/// The health of one check, by its thresholds.
#[derive(Clone, Debug)]
pub(crate) struct Tracker {
    status: HealthStatus,
    passes: u32,
    failures: u32,
    /// How many in a row it takes.
    passes_wanted: u32,
    failures_wanted: u32,
}

impl Tracker {
    /// That of a check nobody has asked.
    pub(crate) fn new(options: &CheckOptions) -> Self {
        let (passes_wanted, failures_wanted) = (options.passes, options.fails);
        Self { status: HealthStatus::Unknown, passes: 0, failures: 0, passes_wanted, failures_wanted }
    }

    /// What it comes to.
    pub(crate) fn status(&self) -> HealthStatus {
        self.status
    }

    /// How many answers in a row were failures.
    pub(crate) fn failures(&self) -> u32 {
        self.failures
    }

    /// Takes an answer; returns the status before, if this one changed it.
    pub(crate) fn record(&mut self, answer: HealthStatus) -> Option<HealthStatus> {
        let before = self.status;
        match answer {
            HealthStatus::Healthy | HealthStatus::Degraded => {
                (self.passes, self.failures) = (self.passes.saturating_add(1), 0);
                let passes_already = matches!(before, HealthStatus::Healthy | HealthStatus::Degraded);
                if passes_already || self.passes >= self.passes_wanted {
                    self.status = answer;
                }
            }
            HealthStatus::Unhealthy => {
                (self.passes, self.failures) = (0, self.failures.saturating_add(1));
                if self.failures >= self.failures_wanted {
                    self.status = answer;
                }
            }
            HealthStatus::Unknown => (self.status, self.passes, self.failures) = (answer, 0, 0),
        }
        (self.status != before).then_some(before)
    }
}

/// What a status counts as where a check may only degrade.
pub(crate) fn softened(status: HealthStatus, soft: bool) -> HealthStatus {
    if soft { status.min(HealthStatus::Degraded) } else { status }
}

#[cfg(test)]
mod tests {
    use super::*;
    use HealthStatus::{Degraded, Healthy, Unhealthy, Unknown};

    /// The statuses after each of the answers.
    fn walk(fails: u32, passes: u32, answers: &[HealthStatus]) -> Vec<HealthStatus> {
        let mut tracker = Tracker::new(&CheckOptions::default().fails(fails).passes(passes));
        answers
            .iter()
            .map(|answer| {
                tracker.record(*answer);
                tracker.status()
            })
            .collect()
    }

    #[test]
    fn it_takes_fails_in_a_row_to_fall_and_passes_in_a_row_to_rise() {
        let answers = [Healthy, Unhealthy, Unhealthy, Healthy, Unhealthy, Unhealthy, Unhealthy, Healthy, Healthy];
        let expected = [Unknown, Unknown, Unknown, Unknown, Unknown, Unknown, Unhealthy, Unhealthy, Healthy];
        assert_eq!(walk(3, 2, &answers), expected);
        let expected = [Healthy, Healthy, Healthy, Healthy, Healthy, Healthy, Unhealthy, Healthy, Healthy];
        assert_eq!(walk(3, 1, &answers), expected);
    }

    #[test]
    fn degraded_is_a_pass_and_shows_at_once() {
        assert_eq!(walk(2, 2, &[Degraded, Degraded, Healthy, Degraded]), [Unknown, Degraded, Healthy, Degraded]);
    }

    #[test]
    fn not_knowing_shows_at_once_and_begins_anew() {
        let answers = [Healthy, Unhealthy, Unknown, Unhealthy, Unhealthy];
        assert_eq!(walk(2, 1, &answers), [Healthy, Healthy, Unknown, Unknown, Unhealthy]);
    }

    /// Every sequence of up to eight answers, against the rule in words.
    #[test]
    fn whatever_comes_a_fall_follows_fails_failures_and_a_rise_passes_passes() {
        for (fails, passes) in [(1, 1), (2, 1), (1, 2), (3, 2)] {
            for code in 0..2_u32.pow(8) {
                let answers: Vec<_> =
                    (0..8).map(|bit| if code >> bit & 1 == 1 { Unhealthy } else { Healthy }).collect();
                let statuses = walk(fails, passes, &answers);
                let row = |end: usize, of: HealthStatus| {
                    answers[..=end].iter().rev().take_while(|a| **a == of).count() as u32
                };
                for at in 0..8 {
                    let before = if at == 0 { Unknown } else { statuses[at - 1] };
                    let expected = if row(at, Unhealthy) >= fails {
                        Unhealthy
                    } else if row(at, Healthy) >= passes {
                        Healthy
                    } else {
                        before
                    };
                    assert_eq!(statuses[at], expected, "{answers:?} at {at}, fails {fails}, passes {passes}");
                }
            }
        }
    }

    #[test]
    fn what_is_soft_degrades_and_no_more() {
        assert_eq!(
            [Healthy, Degraded, Unknown, Unhealthy].map(|status| softened(status, true)),
            [Healthy, Degraded, Degraded, Degraded]
        );
        assert_eq!(softened(Unhealthy, false), Unhealthy);
    }
}
