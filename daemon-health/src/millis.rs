//! Times as reports tell them: in whole milliseconds.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A length of time.
pub(crate) fn of(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// A moment, as how long after 1970 it is by the clock on the wall.
pub(crate) fn after_1970(moment: SystemTime) -> u64 {
    of(moment.duration_since(UNIX_EPOCH).unwrap_or_default())
}
