//! How much time each part of a stop gets: pure arithmetic.

use std::time::Duration;

use tokio::time::Instant;

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
}
