//! The driver without names, results and calls: what it costs to keep the times of many intervals, for the measurements.

use std::future::poll_fn;
use std::time::Duration;

use tokio::time::Instant;

use super::driver::Timer;
use super::pace::{Now, Pace};
use super::policy::{Missed, Overlap};
use super::slot::Slot;
use super::timetable::{Due, Timetable};

/// Intervals that have a place in a timetable and nothing else; their ticks are a call of one function. It is not part of the public
/// interface.
#[doc(hidden)]
#[derive(Default)]
pub struct BareIntervals(Timetable);

impl BareIntervals {
    /// Adds an interval, with the policies that are the defaults.
    pub fn add(&mut self, period: Duration) {
        let period = u64::try_from(period.as_nanos()).unwrap_or(u64::MAX);
        self.0.insert(Slot::new(Pace::Every(period), None, Overlap::Skip, Missed::Skip));
    }

    /// Ticks for ever; of each tick the number of its interval is told.
    pub async fn drive(mut self, mut tick: impl FnMut(u32)) {
        let (begun, mut timer) = (Instant::now(), Timer::default());
        let now = || Now { moment: u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX), wall: 0 };
        let mut at = now();
        self.0.start_all(at);
        loop {
            while let Some(due) = self.0.due(at, false) {
                if let Due::Begin { slot, .. } = due {
                    tick(slot);
                    self.0.ended(slot, at);
                    tokio::task::coop::consume_budget().await;
                }
            }
            let Some(next) = self.0.next() else { return };
            let deadline = begun + Duration::from_nanos(next);
            poll_fn(|cx| timer.poll(deadline, cx)).await;
            at = now();
        }
    }
}

impl std::fmt::Debug for BareIntervals {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BareIntervals").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn each_ticks_at_every_multiple_of_its_period() {
        let mut bare = BareIntervals::default();
        [10, 15].into_iter().for_each(|ms| bare.add(Duration::from_millis(ms)));
        let mut ticks = [0; 2];
        let driven = bare.drive(|slot| ticks[slot as usize] += 1);
        assert!(tokio::time::timeout(Duration::from_millis(305), driven).await.is_err());
        assert_eq!(ticks, [30, 20]);
    }
}
