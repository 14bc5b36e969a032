//! Random delays that keep intervals of many processes apart.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use daemon_grammar::Percent;

use super::FOREVER;

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

    pub(crate) fn draw(&mut self, period: Duration) -> Duration {
        self.drawn += 1;
        let random = self.keys.hash_one(self.drawn) >> 32;
        let most = self.share.of(period.min(FOREVER));
        most.mul_f64(f64::from(u32::try_from(random).unwrap_or(0)) / f64::from(u32::MAX))
    }
}
