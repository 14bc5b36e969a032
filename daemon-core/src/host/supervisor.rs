//! Whether what ended is started again, and when: a decision of policy, history and the time, without clock or I/O.
//!
//! Invariant: in no period as long as the limit's does it decide for more restarts than the limit allows.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use crate::policy::{Restart, RestartPolicy};
use crate::task::FOREVER;

/// How a life or a task ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// With an error or a panic.
    Failed,
    /// By itself, without an error.
    Done,
}

/// What is to be done about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// Start it again after this delay.
    Restart { after: Duration },
    /// Leave it ended; that is no failure.
    Leave,
    /// It has failed for good.
    GiveUp { exhausted: bool },
}

/// What a supervisor remembers of one daemon or task.
#[derive(Clone, Debug, Default)]
pub(crate) struct History {
    /// When restarts were decided on, no longer ago than the limit's period.
    restarts: VecDeque<Instant>,
    /// How many in a row without a stable life between them.
    streak: u32,
}

impl History {
    /// Decides. `began`: when the life that ended had begun; `chance`: a number from 0 to 1 that spreads delays.
    pub(crate) fn decide(
        &mut self,
        policy: &RestartPolicy,
        ending: Ending,
        began: Instant,
        now: Instant,
        chance: f64,
    ) -> Decision {
        match (policy.restart, ending) {
            (Restart::Never, Ending::Failed) => return Decision::GiveUp { exhausted: false },
            (Restart::Never | Restart::OnFailure, Ending::Done) => return Decision::Leave,
            (Restart::OnFailure, Ending::Failed) | (Restart::Always, _) => {}
        }
        if now.saturating_duration_since(began) >= policy.stable_after {
            self.streak = 0;
        }
        while self.restarts.front().is_some_and(|at| now.saturating_duration_since(*at) >= policy.limit.per) {
            self.restarts.pop_front();
        }
        if self.restarts.len() >= usize::try_from(policy.limit.count).unwrap_or(usize::MAX) {
            return Decision::GiveUp { exhausted: true };
        }
        self.restarts.push_back(now);
        let after = delay(policy, self.streak, chance);
        self.streak = self.streak.saturating_add(1);
        Decision::Restart { after }
    }
}

/// The first delay doubled `streak` times, up to the greatest, less up to a quarter of it by chance.
fn delay(policy: &RestartPolicy, streak: u32, chance: f64) -> Duration {
    let greatest = policy.backoff.max.min(FOREVER);
    let doubled = policy.backoff.min.as_nanos().saturating_mul(1_u128.checked_shl(streak).unwrap_or(u128::MAX));
    let full = u64::try_from(doubled).map_or(greatest, |nanos| Duration::from_nanos(nanos).min(greatest));
    full.mul_f64(1.0 - chance / 4.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const S: fn(u64) -> Duration = Duration::from_secs;

    fn failed(history: &mut History, policy: &RestartPolicy, began: Instant, now: Instant) -> Decision {
        history.decide(policy, Ending::Failed, began, now, 0.0)
    }

    #[test]
    fn every_policy_and_ending() {
        let now = Instant::now();
        let decide = |restart, ending| History::default().decide(&RestartPolicy::new(restart), ending, now, now, 0.0);
        let again = Decision::Restart { after: Duration::from_millis(100) };
        assert_eq!(decide(Restart::Never, Ending::Failed), Decision::GiveUp { exhausted: false });
        assert_eq!(decide(Restart::Never, Ending::Done), Decision::Leave);
        assert_eq!(decide(Restart::OnFailure, Ending::Failed), again);
        assert_eq!(decide(Restart::OnFailure, Ending::Done), Decision::Leave);
        assert_eq!(decide(Restart::Always, Ending::Failed), again);
        assert_eq!(decide(Restart::Always, Ending::Done), again);
    }

    #[test]
    fn delays_double_up_to_the_greatest_and_begin_anew_after_a_stable_life() {
        let policy = RestartPolicy::default().backoff(S(1), S(5)).limit(100, S(1));
        let (mut history, mut now) = (History::default(), Instant::now());
        for expected in [1, 2, 4, 5, 5] {
            assert_eq!(failed(&mut history, &policy, now, now), Decision::Restart { after: S(expected) });
            now += S(2);
        }
        assert_eq!(failed(&mut history, &policy, now - S(60), now), Decision::Restart { after: S(1) });
    }

    #[test]
    fn a_delay_that_was_doubled_more_often_than_a_word_has_bits_is_no_greater_for_that() {
        let policy = RestartPolicy::default().backoff(Duration::from_nanos(1), S(3_600));
        assert_eq!(delay(&policy, 33, 0.0), Duration::from_nanos(1 << 33));
        assert_eq!(delay(&policy, 200, 0.0), S(3_600));
    }

    #[test]
    fn neither_a_delay_nor_the_number_of_failures_in_a_row_goes_beyond_its_end() {
        let policy = RestartPolicy::default().backoff(S(1), Duration::MAX);
        assert_eq!(delay(&policy, 200, 0.0), FOREVER);
        let (mut history, now) = (History { streak: u32::MAX, ..History::default() }, Instant::now());
        for _ in 0..2 {
            assert_eq!(failed(&mut history, &policy, now, now), Decision::Restart { after: FOREVER });
        }
    }

    #[test]
    fn the_limit_is_for_any_period_of_its_length() {
        let policy = RestartPolicy::default().limit(2, S(60));
        let (mut history, start) = (History::default(), Instant::now());
        let at = |history: &mut History, s| failed(history, &policy, start, start + S(s));
        assert!(matches!(at(&mut history, 0), Decision::Restart { .. }));
        assert!(matches!(at(&mut history, 59), Decision::Restart { .. }));
        assert_eq!(at(&mut history, 59), Decision::GiveUp { exhausted: true });
        assert!(matches!(at(&mut history, 60), Decision::Restart { .. }));
        assert_eq!(at(&mut history, 118), Decision::GiveUp { exhausted: true });
        assert!(matches!(at(&mut history, 119), Decision::Restart { .. }));
    }

    proptest! {
        #[test]
        fn restarts_never_exceed_their_limit(
            lives in prop::collection::vec((0_u64..40_000, 0_u64..90_000, any::<bool>()), 0..200),
            restart in prop::sample::select(vec![Restart::Never, Restart::OnFailure, Restart::Always]),
            count in 0_u32..6,
            per in 1_u64..100_000,
        ) {
            let policy = RestartPolicy::new(restart).limit(count, Duration::from_millis(per));
            let (mut history, mut now) = (History::default(), Instant::now() + FOREVER);
            let mut restarts: Vec<Instant> = Vec::new();
            for (gap, lived, fails) in lives {
                now += Duration::from_millis(gap);
                let (ending, began) = (if fails { Ending::Failed } else { Ending::Done }, now - Duration::from_millis(lived));
                let decision = history.decide(&policy, ending, began, now, 0.0);
                let full = restarts.iter().filter(|at| now - **at < policy.limit.per).count() >= count as usize;
                match (restart, ending) {
                    (Restart::Never, Ending::Failed) => prop_assert_eq!(decision, Decision::GiveUp { exhausted: false }),
                    (Restart::Never | Restart::OnFailure, Ending::Done) => prop_assert_eq!(decision, Decision::Leave),
                    _ if full => prop_assert_eq!(decision, Decision::GiveUp { exhausted: true }),
                    _ => prop_assert!(matches!(decision, Decision::Restart { .. }), "{decision:?} although there is room"),
                }
                if let Decision::Restart { after } = decision {
                    prop_assert!(after <= policy.backoff.max);
                    restarts.push(now);
                }
                let window = restarts.iter().filter(|at| now - **at < policy.limit.per).count();
                prop_assert!(window <= count as usize);
            }
        }

        #[test]
        fn a_delay_is_the_doubled_first_one_less_up_to_a_quarter(
            (first, more) in prop_oneof![Just(1_u64), Just(1_000), Just(1_000_000)]
                .prop_flat_map(|unit| (0..100_000_u64, 0..10_000_000_u64).prop_map(move |(first, more)| (first * unit, more * unit))),
            streak in 0_u32..200,
            chance in 0.0..=1.0_f64,
        ) {
            let (first, greatest) = (Duration::from_nanos(first), Duration::from_nanos(first + more));
            let policy = RestartPolicy::default().backoff(first, greatest);
            let after = delay(&policy, streak, chance);
            // Doubled step by step, as long as it is not the greatest.
            let full = (0..streak).fold(first, |full, _| (full * 2).min(greatest)).min(greatest);
            prop_assert!(after <= full, "{after:?} of {full:?}");
            prop_assert!(after >= full.mul_f64(0.749) || full < Duration::from_micros(1), "{after:?} of {full:?}");
            prop_assert_eq!(delay(&policy, streak, 0.0), full);
        }
    }
}
