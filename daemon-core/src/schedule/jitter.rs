//! Random delays that keep intervals of many processes apart.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use daemon_grammar::Percent;

/// A stream of delays, each up to a share of a period.
#[derive(Debug)]
pub(crate) struct Jitter {
    share: Percent,
    keys: RandomState,
    drawn: u64,
}

impl Jitter {
    pub(crate) fn new(share: Percent) -> Self {
        Self { share, keys: RandomState::new(), drawn: 0 }
    }

    /// The next delay, in nanoseconds, as the period is.
    pub(crate) fn draw(&mut self, period: u64) -> u64 {
        self.drawn += 1;
        let random = u128::from(self.keys.hash_one(self.drawn));
        let most = self.share.of(Duration::from_nanos(period)).as_nanos();
        // A share of what fits, so it fits.
        ((most * random) >> u64::BITS) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_differ_and_keep_to_their_share() {
        let mut jitter = Jitter::new(Percent::from_hundredths(1_000));
        let drawn: Vec<u64> = (0..1_000).map(|_| jitter.draw(1_000_000)).collect();
        assert!(drawn.iter().all(|delay| *delay < 100_000));
        assert!(drawn.iter().any(|delay| *delay < 20_000) && drawn.iter().any(|delay| *delay > 80_000));
        assert_eq!(Jitter::new(Percent::default()).draw(u64::MAX), 0);
    }
}
