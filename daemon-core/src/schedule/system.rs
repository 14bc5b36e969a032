//! The system's own clocks, as far as they differ from the one that tokio goes by.

use std::sync::OnceLock;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// How far the system's clocks were from the monotonic one, in nanoseconds. Only differences between readings mean anything.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reading {
    /// The clock that goes on while the machine sleeps.
    pub(super) asleep: i64,
    /// The clock on the wall.
    pub(super) ahead: i64,
}

/// How often a reading is taken anew because something came between.
const ATTEMPTS: usize = 8;

impl Reading {
    /// Reads the clocks, one right after the other: of several readings the one that took least.
    pub(super) fn take() -> Self {
        let attempts = (0..ATTEMPTS).map(|_| {
            let before = monotonic();
            let (awake, wall) = (with_sleep(before), wall());
            let took = monotonic() - before;
            let at = before + took / 2;
            (took, Self { asleep: awake - at, ahead: wall - at })
        });
        let best = attempts.min_by_key(|(took, _)| *took);
        best.map_or(Self { asleep: 0, ahead: 0 }, |(_, reading)| reading)
    }
}

/// The clock behind tokio's, in nanoseconds.
fn monotonic() -> i64 {
    static ORIGIN: OnceLock<Instant> = OnceLock::new();
    i64::try_from(ORIGIN.get_or_init(Instant::now).elapsed().as_nanos()).unwrap_or(i64::MAX)
}

fn wall() -> i64 {
    let after = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(after.as_nanos()).unwrap_or(i64::MAX)
}

/// A monotonic clock that goes on while the machine sleeps, in nanoseconds.
#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
fn with_sleep(_monotonic: i64) -> i64 {
    use rustix::time::{ClockId, clock_gettime};
    // Apple's monotonic clock goes on, and `Instant` is another one there.
    #[cfg(target_vendor = "apple")]
    const CLOCK: ClockId = ClockId::Monotonic;
    #[cfg(not(target_vendor = "apple"))]
    const CLOCK: ClockId = ClockId::Boottime;
    let time = clock_gettime(CLOCK);
    time.tv_sec.saturating_mul(1_000_000_000).saturating_add(time.tv_nsec)
}

/// Elsewhere the clock behind `Instant` goes on by itself, as on Windows, or nothing tells how long the machine slept.
#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
fn with_sleep(monotonic: i64) -> i64 {
    monotonic
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readings_of_clocks_that_nobody_touches_agree() {
        let (first, second) = (Reading::take(), Reading::take());
        assert!((first.asleep - second.asleep).abs() < 1_000_000);
        assert!((first.ahead - second.ahead).abs() < 1_000_000_000, "a clock may be set at any time");
    }
}
