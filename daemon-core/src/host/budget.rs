//! How much time each part of a stop gets: pure arithmetic.

use std::time::Duration;

/// A daemon's share of what is left of the stop budget, by ceilings along the longest chain still to stop.
///
/// `chain` is the sum of the ceilings along that chain, this daemon's own included.
pub(crate) fn share(ceiling: Duration, remaining: Duration, chain: Duration) -> Duration {
    if chain.is_zero() {
        return ceiling.min(remaining);
    }
    ceiling.min(remaining.mul_f64((ceiling.as_secs_f64() / chain.as_secs_f64()).min(1.0)))
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

#[cfg(test)]
mod tests {
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
}
