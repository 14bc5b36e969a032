//! Random delays that keep intervals of many processes apart.

use std::time::Duration;

use daemon_grammar::Percent;

use super::{FOREVER, chance};

/// A stream of delays, each up to a share of a period.
#[derive(Debug)]
pub(crate) struct Jitter {
    share: Percent,
}

impl Jitter {
    pub(crate) fn new(share: Percent) -> Self {
        Self { share }
    }

    pub(crate) fn draw(&self, period: Duration) -> Duration {
        self.share.of(period.min(FOREVER)).mul_f64(chance())
    }
}
