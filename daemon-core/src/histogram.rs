//! How long things took: a histogram of fixed buckets, each twice as wide as the one before.
//!
//! It holds no lock and reads no clock. Recording is a few instructions and allocates nothing; whoever shares one puts it into
//! the lock that it has anyway.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A histogram of durations, from below a microsecond to above half an hour.
///
/// The first bucket holds what took less than 1 µs, the second less than 2 µs, then less than 4 µs and so on; the last
/// holds everything from about 36 minutes up. So a value is known to a factor of two, whatever its size.
///
/// ```
/// use daemon_core::Histogram;
/// use std::time::Duration;
///
/// let mut took = Histogram::new();
/// for millis in [3, 3, 3, 70] {
///     took.record(Duration::from_millis(millis));
/// }
/// assert_eq!(took.count(), 4);
/// assert_eq!(took.quantile(0.5), Some(Duration::from_micros(4_096)));
/// assert_eq!(took.max(), Some(Duration::from_millis(70)));
/// assert_eq!(took.total(), Duration::from_millis(79));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Written", into = "Written")]
pub struct Histogram {
    counts: [u64; Self::BUCKETS],
    max: Duration,
    total: Duration,
}

/// How a histogram is written: its buckets that are not empty, the smallest first.
#[derive(Clone, Serialize, Deserialize)]
struct Written {
    max_ns: u64,
    total_ns: u64,
    buckets: Vec<Bucket>,
}

#[derive(Clone, Serialize, Deserialize)]
struct Bucket {
    /// What it holds is below this; nothing in the last one.
    below_us: Option<u64>,
    count: u64,
}

impl Histogram {
    /// How many buckets there are.
    pub const BUCKETS: usize = 33;

    /// An empty one.
    #[must_use]
    pub const fn new() -> Self {
        Self { counts: [0; Self::BUCKETS], max: Duration::ZERO, total: Duration::ZERO }
    }

    /// Counts one duration.
    #[inline]
    pub fn record(&mut self, took: Duration) {
        self.counts[Self::index(took)] += 1;
        self.max = self.max.max(took);
        self.total = self.total.saturating_add(took);
    }

    /// What was counted elsewhere, bucket by bucket.
    pub(crate) fn of(counts: [u64; Self::BUCKETS], max: Duration, total: Duration) -> Self {
        Self { counts, max, total }
    }

    /// The bucket that a duration belongs to.
    #[inline]
    pub(crate) fn index(took: Duration) -> usize {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        ((u64::BITS - micros.leading_zeros()) as usize).min(Self::BUCKETS - 1)
    }

    /// What the bucket at `index` holds is below this; `None` for the last one.
    fn below(index: usize) -> Option<Duration> {
        (index < Self::BUCKETS - 1).then(|| Duration::from_micros(1 << index))
    }

    /// Adds all that `other` counted.
    pub fn merge(&mut self, other: &Self) {
        for (count, more) in self.counts.iter_mut().zip(other.counts) {
            *count += more;
        }
        self.max = self.max.max(other.max);
        self.total = self.total.saturating_add(other.total);
    }

    /// How many durations were counted.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The longest one, exactly; `None` if none was counted.
    #[must_use]
    pub fn max(&self) -> Option<Duration> {
        (self.count() > 0).then_some(self.max)
    }

    /// All the durations that were counted, added up.
    #[must_use]
    pub fn total(&self) -> Duration {
        self.total
    }

    /// All buckets, the smallest first: what each holds is below the duration, and how much it holds. The last one has no
    /// bound.
    pub fn buckets(&self) -> impl Iterator<Item = (Option<Duration>, u64)> {
        self.counts.iter().enumerate().map(|(index, count)| (Self::below(index), *count))
    }

    /// A duration that this share of what was counted is not above: the end of the bucket it falls into, at most twice
    /// the true value, or the longest one if that is less or the bucket is the last. `None` if nothing was counted.
    ///
    /// A `share` below 0 counts as 0, one above 1 as 1.
    #[must_use]
    pub fn quantile(&self, share: f64) -> Option<Duration> {
        let count = self.count();
        let rank = ((share.clamp(0.0, 1.0) * count as f64).ceil() as u64).max(1);
        let mut seen = 0;
        let index = self.counts.iter().position(|in_bucket| {
            seen += in_bucket;
            seen >= rank
        });
        Some(Self::below(index?).map_or(self.max, |below| below.min(self.max)))
    }
}

impl Default for Histogram {
    fn default() -> Self {
        Self::new()
    }
}

fn nanos(of: Duration) -> u64 {
    u64::try_from(of.as_nanos()).unwrap_or(u64::MAX)
}

impl From<Histogram> for Written {
    fn from(histogram: Histogram) -> Self {
        let micros = |below: Duration| u64::try_from(below.as_micros()).unwrap_or(u64::MAX);
        let bucket = |(below, count): (Option<Duration>, u64)| Bucket { below_us: below.map(micros), count };
        Self {
            max_ns: nanos(histogram.max),
            total_ns: nanos(histogram.total),
            buckets: histogram.buckets().filter(|(_, count)| *count > 0).map(bucket).collect(),
        }
    }
}

impl From<Written> for Histogram {
    fn from(written: Written) -> Self {
        let mut histogram = Self {
            max: Duration::from_nanos(written.max_ns),
            total: Duration::from_nanos(written.total_ns),
            ..Self::new()
        };
        for Bucket { below_us, count } in written.buckets {
            // Whatever lies just below the bound belongs to the bucket.
            let within = below_us.map_or(Duration::MAX, |below| Duration::from_micros(below.saturating_sub(1)));
            histogram.counts[Self::index(within)] += count;
        }
        histogram
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const US: fn(u64) -> Duration = Duration::from_micros;

    #[test]
    fn a_value_stands_in_the_bucket_whose_bounds_hold_it() {
        let bounds: Vec<_> = Histogram::new().buckets().map(|(below, _)| below).collect();
        assert_eq!(bounds.len(), Histogram::BUCKETS);
        assert_eq!(bounds[..4], [Some(US(1)), Some(US(2)), Some(US(4)), Some(US(8))]);
        assert_eq!((bounds[31], bounds[32]), (Some(US(1 << 31)), None));
        for (took, bucket) in [
            (Duration::ZERO, 0),
            (Duration::from_nanos(999), 0),
            (US(1), 1),
            (US(2), 2),
            (US(3), 2),
            (US(4), 3),
            (US((1 << 31) - 1), 31),
            (US(1 << 31), 32),
            (Duration::MAX, 32),
        ] {
            let mut histogram = Histogram::new();
            histogram.record(took);
            assert_eq!(histogram.counts[bucket], 1, "{took:?}");
        }
    }

    #[test]
    fn nothing_counted_has_no_quantile() {
        assert_eq!((Histogram::new().quantile(0.5), Histogram::new().max()), (None, None));
    }

    #[test]
    fn it_is_written_in_words_that_say_what_they_mean() {
        let mut histogram = Histogram::new();
        for took in [US(3), US(3), Duration::from_secs(86_400)] {
            histogram.record(took);
        }
        let json = serde_json::to_value(&histogram).unwrap();
        let expected = serde_json::json!({"max_ns": 86_400_000_000_000_u64, "total_ns": 86_400_000_006_000_u64, "buckets": [
            {"below_us": 4, "count": 2}, {"below_us": null, "count": 1},
        ]});
        assert_eq!(json, expected);
        assert_eq!(serde_json::from_value::<Histogram>(json).unwrap(), histogram);
    }

    fn some() -> impl Strategy<Value = Vec<Duration>> {
        prop::collection::vec((0_u64..2_147_483_648_000).prop_map(Duration::from_nanos), 1..50)
    }

    proptest! {
        #[test]
        fn a_quantile_is_between_the_true_one_and_twice_it(mut all in some(), share in 0.0_f64..=1.0) {
            let mut histogram = Histogram::new();
            all.iter().for_each(|took| histogram.record(*took));
            all.sort();
            let rank = ((share * all.len() as f64).ceil() as usize).max(1);
            let (told, exact) = (histogram.quantile(share).unwrap(), all[rank - 1]);
            prop_assert!(told >= exact && told <= (exact * 2).max(US(1)), "{:?} for {:?}", told, exact);
            prop_assert_eq!(histogram.quantile(1.0), all.last().copied());
            prop_assert_eq!(histogram.total(), all.iter().sum());
        }

        #[test]
        fn two_merged_are_as_one(first in some(), second in some()) {
            let (mut one, mut other, mut both) = (Histogram::new(), Histogram::new(), Histogram::new());
            first.iter().for_each(|took| one.record(*took));
            second.iter().for_each(|took| other.record(*took));
            first.iter().chain(&second).for_each(|took| both.record(*took));
            one.merge(&other);
            prop_assert_eq!(&one, &both);
            let json = serde_json::to_string(&one).unwrap();
            prop_assert_eq!(serde_json::from_str::<Histogram>(&json).unwrap(), both);
        }
    }
}
