//! A cron expression as a calendar.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use daemon_grammar::Cron;

use super::pace::Calendar;

/// An expression with the text that shows it.
pub(super) struct Dates {
    cron: Cron,
    text: String,
}

impl From<Cron> for Dates {
    fn from(cron: Cron) -> Self {
        Self { text: cron.to_string(), cron }
    }
}

impl Calendar for Dates {
    fn next(&self, after: i64) -> Option<i64> {
        let next = self.cron.next(from_nanos(after)?)?;
        i64::try_from(next.duration_since(UNIX_EPOCH).ok()?.as_nanos()).ok()
    }

    fn text(&self) -> &str {
        &self.text
    }
}

/// A moment so many nanoseconds after 1970; those before count as 1970, when there were no daemons.
fn from_nanos(nanos: i64) -> Option<SystemTime> {
    UNIX_EPOCH.checked_add(Duration::from_nanos(nanos.max(0).unsigned_abs()))
}
