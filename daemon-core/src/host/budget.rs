//! How much time each part of a stop gets: pure arithmetic.

use std::time::Duration;

use tokio::time::Instant;

/// A daemon's share of what is left of the stop budget, by ceilings along the longest chain still to stop.
///
/// `chain` is the sum of the ceilings along that chain, this daemon's own included.
pub(crate) fn share(ceiling: Duration, remaining: Duration, chain: Duration) -> Duration {
    debug_assert!(ceiling <= chain, "it is on its chain, also while it stops");
    if chain.is_zero() {
        return Duration::ZERO; // it needs none
    }
    ceiling.min(remaining.mul_f64(ceiling.as_secs_f64() / chain.as_secs_f64()))
}

/// When, after its beginning, each step of a daemon's stop must have ended. What a step leaves unused goes to the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Steps {
    /// Draining queues, ticks and commands.
    pub(crate) drain: Duration,
    /// Joining what was cancelled.
    pub(crate) join: Duration,
    /// Waiting for what was aborted to be gone.
    pub(crate) abort: Duration,
    /// `cleanup`.
    pub(crate) cleanup: Duration,
    /// Waiting for a `cleanup` that was aborted to be gone.
    pub(crate) abort_cleanup: Duration,
    /// Dropping what was registered.
    pub(crate) registered: Duration,
    /// Aborting what `cleanup` spawned.
    pub(crate) close: Duration,
    /// Everything.
    pub(crate) end: Duration,
}

impl Steps {
    pub(crate) fn of(share: Duration) -> Self {
        let at = |percent: u32| share * percent / 100;
        Self {
            drain: at(50),
            join: at(70),
            abort: at(75),
            cleanup: at(90),
            abort_cleanup: at(92),
            registered: at(95),
            close: at(97),
            end: share,
        }
    }
}

/// Until when each step of a stop under way may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timetable {
    since: Instant,
    steps: Steps,
}

impl Timetable {
    pub(crate) fn of(since: Instant, share: Duration) -> Self {
        Self { since, steps: Steps::of(share) }
    }

    /// When a step must have ended.
    pub(crate) fn by(&self, step: impl Fn(&Steps) -> Duration) -> Instant {
        self.since + step(&self.steps)
    }

    /// Leaves no more than `share` from `now` on, for what is still to do: each step gets its part of that.
    pub(crate) fn tighten(&mut self, now: Instant, share: Duration) {
        if now + share < self.by(|steps| steps.end) {
            *self = Self::of(now, share);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const S: fn(u64) -> Duration = Duration::from_secs;

    #[test]
    fn a_roomy_budget_gives_the_ceiling() {
        assert_eq!(share(S(5), S(25), S(15)), S(5));
    }

    #[test]
    fn a_tight_budget_is_shared_by_ceilings() {
        assert_eq!(share(S(5), S(6), S(30)), S(1));
        assert_eq!(share(S(10), S(6), S(30)), S(2));
    }

    #[test]
    fn nothing_left_gives_nothing() {
        assert_eq!(share(S(5), S(0), S(5)), S(0));
        assert_eq!(share(S(0), S(5), S(0)), S(0));
    }

    #[test]
    fn a_stop_under_way_is_only_ever_given_less_time() {
        let start = Instant::now();
        let mut times = Timetable::of(start, S(10));
        assert_eq!(times.by(|steps| steps.cleanup), start + S(9));
        times.tighten(start + S(8), S(5));
        assert_eq!(times.by(|steps| steps.end), start + S(10), "it has less anyway");
        times.tighten(start + S(2), S(1));
        assert_eq!(times.by(|steps| steps.end), start + S(3));
        assert_eq!(times.by(|steps| steps.drain), start + S(2) + S(1) / 2);
    }

    proptest! {
        /// Daemons of a chain stop one after the other, each using a part of its share.
        #[test]
        fn a_chain_never_gets_more_than_is_left_and_gives_back_what_it_does_not_use(
            daemons in prop::collection::vec((0_u64..60_000, 0.0..=1.0_f64), 1..12),
            budget in 0_u64..100_000,
        ) {
            let ceilings: Vec<_> = daemons.iter().map(|(ceiling, _)| Duration::from_millis(*ceiling)).collect();
            let budget = Duration::from_millis(budget);
            let mut remaining = budget;
            for (at, (_, used)) in daemons.iter().enumerate() {
                let chain: Duration = ceilings[at..].iter().sum();
                let share = share(ceilings[at], remaining, chain);
                prop_assert!(share <= ceilings[at]);
                prop_assert!(share <= remaining, "{share:?} of {remaining:?}");
                if chain <= remaining {
                    prop_assert_eq!(share, ceilings[at], "there is room for all");
                }
                if !remaining.is_zero() && !ceilings[at].is_zero() {
                    prop_assert!(!share.is_zero(), "whoever may take time gets some");
                }
                remaining -= share.mul_f64(*used).min(share);
            }
        }

        #[test]
        fn steps_follow_each_other_to_the_end(share in 0_u64..10_000_000_000) {
            let share = Duration::from_nanos(share);
            let Steps { drain, join, abort, cleanup, abort_cleanup, registered, close, end } = Steps::of(share);
            prop_assert!([drain, join, abort, cleanup, abort_cleanup, registered, close, end].is_sorted());
            prop_assert_eq!(end, share);
        }
    }
}
