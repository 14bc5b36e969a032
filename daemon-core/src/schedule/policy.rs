//! What becomes of a tick that comes while another runs, and of ticks that nothing could run.

use serde::{Deserialize, Serialize};

/// What becomes of a tick that is due while one of its interval is under way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Overlap {
    /// It is skipped, and counted.
    #[default]
    Skip,
    /// It begins when the one under way has ended. As many as this wait at most; further ones are skipped, and counted. 0
    /// is as [`Skip`](Self::Skip).
    Queue(u16),
    /// It begins all the same. As many as this run side by side at most; further ones are skipped, and counted. 0 and 1
    /// are as [`Skip`](Self::Skip).
    Concurrent(u16),
}

impl Overlap {
    /// [`Queue`](Self::Queue) with its default bound: 1,000.
    pub const QUEUE: Self = Self::Queue(1_000);
    /// [`Concurrent`](Self::Concurrent) with its default bound: 16.
    pub const CONCURRENT: Self = Self::Concurrent(16);

    /// Whether two ticks can run at the same time.
    #[must_use]
    pub const fn is_concurrent(self) -> bool {
        self.limit() > 1
    }

    /// How many ticks may run at the same time.
    pub(crate) const fn limit(self) -> u16 {
        match self {
            Self::Concurrent(most) if most > 1 => most,
            _ => 1,
        }
    }

    /// How many ticks may wait for one under way.
    pub(crate) const fn queue(self) -> u16 {
        match self {
            Self::Queue(most) => most,
            _ => 0,
        }
    }
}

/// What becomes of ticks that were missed: those that were due while nothing could run, since the process, the machine or its
/// clock made a pause.
///
/// A tick counts as missed when it could begin only later than half its period (but 10 ms at least, and 1 min at most) after
/// it was due.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Missed {
    /// They are counted, and none is made up; the next one comes when it is due.
    ///
    /// Where a process merely is slow, two are never left out in a row.
    #[default]
    Skip,
    /// One is made up at once for all of them; the next one comes when it is due.
    CatchUpOnce,
    /// All are made up at once, one after the other, but no more than [`BURST`](Self::BURST).
    Burst,
}

impl Missed {
    /// How many ticks a burst has at most.
    pub const BURST: u16 = 1_000;
}

/// The ticks that have become due by now, the one that is due at this moment included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Passed {
    /// How many, at least one.
    pub(super) count: u64,
    /// How long ago the first was due.
    pub(super) behind: u64,
    /// How long ago the last was due.
    pub(super) late: u64,
    /// From the last to the one after it.
    pub(super) gap: u64,
}

const MILLISECOND: u64 = 1_000_000;

impl Missed {
    /// How many of them begin now. `left_out`: the ticks before these were all skipped. `jumped`: there was a suspend or a
    /// step of the clock, so that being late says nothing of how fast the process is.
    pub(super) fn made(self, passed: Passed, left_out: bool, jumped: bool) -> u64 {
        match self {
            Self::Skip => {
                let grace = (passed.gap / 2).clamp(10 * MILLISECOND, 60_000 * MILLISECOND);
                u64::from(passed.late <= grace || (left_out && !jumped))
            }
            Self::CatchUpOnce => 1,
            Self::Burst => passed.count.min(u64::from(Self::BURST)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: u64 = 1_000 * MILLISECOND;

    #[test]
    fn none_is_made_up_but_what_is_late_by_no_more_than_half_a_period() {
        let made = |late, gap| Missed::Skip.made(Passed { count: 5, behind: 4 * gap + late, late, gap }, false, false);
        assert_eq!((made(0, S), made(S / 2, S), made(S / 2 + 1, S)), (1, 1, 0));
        // a period as short as the timers' grain goes on
        assert_eq!((made(10 * MILLISECOND, MILLISECOND), made(10 * MILLISECOND + 1, MILLISECOND)), (1, 0));
        // nothing runs in the morning that was due at night
        assert_eq!((made(60 * S, 86_400 * S), made(61 * S, 86_400 * S)), (1, 0));
    }

    #[test]
    fn a_slow_process_never_leaves_out_two_in_a_row() {
        let late = Passed { count: 2, behind: 19 * S, late: 9 * S, gap: 10 * S };
        assert_eq!(Missed::Skip.made(late, false, false), 0);
        assert_eq!(Missed::Skip.made(late, true, false), 1);
        assert_eq!(Missed::Skip.made(late, true, true), 0, "it was suspended, not slow");
    }

    #[test]
    fn catching_up_is_bounded() {
        let passed = |count| Passed { count, behind: count * S, late: S - 1, gap: S };
        assert_eq!(Missed::CatchUpOnce.made(passed(5_000), false, true), 1);
        assert_eq!(
            (Missed::Burst.made(passed(7), false, true), Missed::Burst.made(passed(5_000), true, false)),
            (7, 1_000)
        );
    }

    #[test]
    fn bounds_of_nothing_are_as_skip() {
        let all = [Overlap::Skip, Overlap::Queue(0), Overlap::Concurrent(0), Overlap::Concurrent(1)];
        assert!(all.iter().all(|overlap| (overlap.limit(), overlap.queue()) == (1, 0)));
        assert!(Overlap::CONCURRENT.is_concurrent() && !Overlap::QUEUE.is_concurrent());
    }
}
