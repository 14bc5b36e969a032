//! Points in time, as the [board](crate::board) keeps them: two for each answer, and all small. Pure; the [driver](crate::driver) reads the clock.

use std::time::Duration;
use tokio::time::Instant;

/// A point in time, in nanoseconds after the checker was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(u64);

impl Moment {
    /// One on the clock, for a checker made at `begun`.
    pub(crate) fn at(begun: Instant, at: Instant) -> Self {
        Self::default().after(at.duration_since(begun))
    }

    /// Where it is on the clock.
    pub(crate) fn on_the_clock(self, begun: Instant) -> Instant {
        begun + Duration::from_nanos(self.0)
    }

    /// The one that much later. There is none after the year 2500.
    pub(crate) fn after(self, time: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)))
    }

    /// How much later it is than another; nothing if it is earlier.
    pub(crate) fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_counts_from_the_beginning_and_overflows_nowhere() {
        let begun = Instant::now();
        let second = Duration::from_secs(1);
        let moment = Moment::at(begun, begun + second);
        assert_eq!((moment.on_the_clock(begun), moment.after(second).since(moment)), (begun + second, second));
        assert_eq!(
            (moment.since(moment.after(second)), Moment::at(begun + second, begun)),
            (Duration::ZERO, Moment::default())
        );
        assert!(moment.after(Duration::MAX) > moment);
    }
}
