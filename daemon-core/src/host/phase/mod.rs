//! Which daemon may start or stop next: a state machine without clock or I/O.
//!
//! Invariants:
//! 1. A daemon starts only when all it requires are running and all it wants have settled.
//! 2. A daemon stops only when none that requires it is up and, in a shutdown, none that wants it either.
//! 3. Once the shutdown has begun nothing starts.
//! 4. A restart stops and starts again exactly those that require, over any number of steps, the daemon that failed.
//! 5. In a shutdown no daemon of the operations plane stops before all others have and the farewell is said, or there is no time left
//!    to wait for that.

mod machine;
#[cfg(test)]
mod tests;

use std::sync::Arc;

pub(crate) use self::machine::Machine;

/// Where one daemon is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    Waiting,
    Starting,
    Running,
    Stopping,
    BackingOff,
    Stopped,
    Failed,
}

impl Stage {
    /// Whether those who merely want the daemon need wait no longer.
    fn is_settled(self) -> bool {
        matches!(self, Self::Running | Self::Stopped | Self::Failed)
    }

    fn is_over(self) -> bool {
        matches!(self, Self::Stopped | Self::Failed)
    }

    /// Whether a life of the daemon is under way.
    fn is_up(self) -> bool {
        matches!(self, Self::Starting | Self::Running | Self::Stopping)
    }
}

/// What becomes of a daemon once its life under way has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(test, derive(Hash))]
enum Fate {
    /// No end is in sight.
    Stay,
    /// It starts again after its delay.
    Retry,
    /// It starts again at once.
    Again,
    /// It starts again as soon as what it requires runs.
    Follow,
    /// It rests until somebody starts it.
    Rest,
    /// It has failed for good.
    Doomed,
}

/// What the supervisor says of a failure. Of one that [ends](Machine::goes_on) it is not asked: that is not retried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Retry,
    GiveUp,
}

/// What has happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Input {
    /// A start ended well.
    Started(usize),
    /// A start ended badly, its own cleaning up included; `cancelled` if only because it was asked to stop.
    StartFailed {
        at: usize,
        cancelled: bool,
        verdict: Verdict,
    },
    /// A start did not end though its time is up.
    Overdue(usize),
    /// A stop ended.
    Stopped(usize),
    /// A running daemon cannot go on.
    Broke {
        at: usize,
        verdict: Verdict,
    },
    /// The delay before a restart is over.
    BackedOff(usize),
    /// Somebody asked for one daemon to be stopped, started or stopped and started.
    Rest(usize),
    Wake(usize),
    Renew(usize),
    /// Somebody asked for the shutdown.
    Shutdown,
    /// The farewell is said, or has no time any more.
    FarewellSaid,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Start(usize),
    Stop(usize),
    /// Tell when the delay before this daemon's restart is over.
    BackOff(usize),
    /// The daemon will not start, or stops for good, because one that it requires failed.
    FailedBy(usize, Arc<str>),
    /// Every daemon has settled and none that is required failed.
    HostRunning,
    /// The shutdown has begun.
    HostStopping,
    /// All but the operations plane has stopped: what the program does last may begin.
    SayFarewell,
    /// Nothing is left to do.
    HostStopped,
}
