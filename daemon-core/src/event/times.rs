//! How long the calls of one handler took: a histogram that its dispatcher writes and anybody reads, without a lock.

use crate::Histogram;
use std::array;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// **Invariant:** one writer at a time, so a plain load and store suffice. Who reads meanwhile sees each number as it was or as it is.
#[derive(Debug)]
pub(crate) struct Times {
    counts: [AtomicU64; Histogram::BUCKETS],
    max_ns: AtomicU64,
    total_ns: AtomicU64,
}

impl Default for Times {
    fn default() -> Self {
        Self { counts: array::from_fn(|_| AtomicU64::new(0)), max_ns: AtomicU64::new(0), total_ns: AtomicU64::new(0) }
    }
}

impl Times {
    /// A call took so long, and stands for as many.
    pub(crate) fn record(&self, took: Duration, calls: u64) {
        let count = &self.counts[Histogram::index(took)];
        count.store(count.load(Ordering::Relaxed) + calls, Ordering::Relaxed);
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        let total = self.total_ns.load(Ordering::Relaxed).saturating_add(nanos.saturating_mul(calls));
        self.total_ns.store(total, Ordering::Relaxed);
        if nanos > self.max_ns.load(Ordering::Relaxed) {
            self.max_ns.store(nanos, Ordering::Relaxed);
        }
    }

    pub(crate) fn read(&self) -> Histogram {
        let counts = array::from_fn(|index| self.counts[index].load(Ordering::Relaxed));
        let nanos = |of: &AtomicU64| Duration::from_nanos(of.load(Ordering::Relaxed));
        Histogram::of(counts, nanos(&self.max_ns), nanos(&self.total_ns))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_stays_whatever_comes_later() {
        let (times, millis) = (Times::default(), Duration::from_millis);
        [1, 5, 2].into_iter().for_each(|took| times.record(millis(took), 3));
        let read = times.read();
        assert_eq!((read.count(), read.max(), read.total()), (9, Some(millis(5)), millis(24)));
    }
}
