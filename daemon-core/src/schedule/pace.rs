//! Time as schedules see it, and what tells them when to tick.

use std::sync::Arc;

/// A moment, in nanoseconds since the clock began. Time asleep counts.
pub(crate) type Moment = u64;

/// Time as it is now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Now {
    pub(crate) moment: Moment,
    /// What the clock on the wall shows, in nanoseconds since 1970.
    pub(crate) wall: i64,
}

impl Now {
    /// The time `by` nanoseconds before.
    pub(super) fn before(self, by: u64) -> Self {
        let wall = self.wall.saturating_sub_unsigned(by);
        Self { moment: self.moment.saturating_sub(by), wall }
    }

    /// When the wall clock will show `wall`.
    pub(super) fn when(self, wall: i64) -> Moment {
        let ahead = wall.saturating_sub(self.wall);
        self.moment.saturating_add_signed(ahead)
    }
}

/// Times told by the clock on the wall, such as those of a cron expression.
pub(crate) trait Calendar: Send + Sync {
    /// The first one after this, both in nanoseconds since 1970; `None` if there is none.
    fn next(&self, after: i64) -> Option<i64>;
    /// The text it was made of.
    fn text(&self) -> &str;
}

/// When an interval ticks.
#[derive(Clone)]
pub(crate) enum Pace {
    /// Only when it is run by hand.
    Off,
    /// At every multiple of so many nanoseconds, above zero.
    Every(u64),
    /// As the calendar says.
    Calendar(Arc<dyn Calendar>),
}
