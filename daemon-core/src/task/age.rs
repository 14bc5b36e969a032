//! The clock of reports: for how long work has been under way, and when it was last polled. It is read at every poll, so it costs little, and is
//! a few milliseconds slow where the system has such a clock.

use std::time::Duration;

/// Counts from when it was made.
#[derive(Debug)]
pub(super) struct Ages(Reading);

impl Ages {
    pub(super) fn new() -> Self {
        Self(read())
    }

    /// Nanoseconds since it was made.
    #[inline]
    pub(super) fn now(&self) -> u64 {
        u64::try_from(since(self.0).as_nanos()).unwrap_or(u64::MAX)
    }
}

#[cfg(all(not(feature = "testing"), any(target_os = "linux", target_os = "android")))]
use coarse::{Reading, read, since};
/// A test may steer tokio's clock, which this one then goes by.
#[cfg(any(feature = "testing", not(any(target_os = "linux", target_os = "android"))))]
use exact::{Reading, read, since};

#[cfg(any(feature = "testing", not(any(target_os = "linux", target_os = "android"))))]
mod exact {
    use super::Duration;

    pub(super) type Reading = tokio::time::Instant;

    pub(super) fn read() -> Reading {
        Reading::now()
    }

    pub(super) fn since(then: Reading) -> Duration {
        then.elapsed()
    }
}

#[cfg(all(any(test, not(feature = "testing")), any(target_os = "linux", target_os = "android")))]
mod coarse {
    use super::Duration;
    use rustix::time::{ClockId, Timespec, clock_gettime};

    pub(super) type Reading = Timespec;

    pub(super) fn read() -> Reading {
        clock_gettime(ClockId::MonotonicCoarse)
    }

    pub(super) fn since(then: Reading) -> Duration {
        Duration::try_from(read() - then).unwrap_or_default()
    }
}

#[cfg(all(test, any(target_os = "linux", target_os = "android")))]
mod tests {
    use super::{Duration, coarse};
    use std::time::Instant;

    #[test]
    fn the_coarse_clock_goes_with_the_exact_one() {
        let (begun, coarse) = (Instant::now(), coarse::read());
        while coarse::since(coarse) < Duration::from_millis(20) {
            std::hint::spin_loop();
        }
        let (took, slack) = (begun.elapsed(), Duration::from_millis(10));
        assert!(took + slack > Duration::from_millis(20), "{took:?}");
        assert!(coarse::since(coarse) < begun.elapsed() + slack);
    }
}
