//! The time a call has, and how much of it is left.

use std::{
    io,
    time::{Duration, Instant},
};

/// The time a call has.
pub(super) struct Until {
    pub(super) timeout: Option<Duration>,
    since: Instant,
}

impl Until {
    pub(super) fn of(timeout: Option<Duration>) -> Self {
        Self { timeout, since: Instant::now() }
    }

    /// What is left of it. All of it as long as next to nothing is gone: the system then need not be told another time.
    pub(super) fn left(&self) -> io::Result<Option<Duration>> {
        let Some(timeout) = self.timeout else { return Ok(None) };
        let gone = self.since.elapsed();
        if gone < timeout / 64 {
            return Ok(Some(timeout));
        }
        let left = timeout.saturating_sub(gone);
        if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(Some(left)) }
    }
}
