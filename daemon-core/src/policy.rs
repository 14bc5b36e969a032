//! What failures lead to: when a daemon or a task that ended is started again, how soon, and how often.

use std::time::Duration;

use daemon_grammar::{DurationRange, Rate};

/// Which ends lead to a restart. The words are those of systemd.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Restart {
    /// None.
    Never,
    /// An error or a panic.
    #[default]
    OnFailure,
    /// Any end, a good one included.
    Always,
}

/// A restart policy: which ends, after what delay, how often.
///
/// ```
/// use daemon_core::{Restart, RestartPolicy};
/// use std::time::Duration;
///
/// const PATIENT: RestartPolicy = RestartPolicy::new(Restart::OnFailure)
///     .backoff(Duration::from_secs(1), Duration::from_secs(60))
///     .limit(10, Duration::from_secs(3600));
/// assert_eq!(PATIENT.limit.count, 10);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RestartPolicy {
    /// Which ends lead to a restart \[on failure\].
    pub restart: Restart,
    /// The delay before the first restart, doubled for each further one up to the greatest \[100 ms to 30 s\].
    pub backoff: DurationRange,
    /// How many restarts there may be in any such period \[5 in 1 min\].
    pub limit: Rate,
    /// How long a life must last for the next delay to be the first again \[1 min\].
    pub stable_after: Duration,
}

impl RestartPolicy {
    /// A policy with the default delays and limit.
    #[must_use]
    pub const fn new(restart: Restart) -> Self {
        Self {
            restart,
            backoff: DurationRange { min: Duration::from_millis(100), max: Duration::from_secs(30) },
            limit: Rate { count: 5, per: Duration::from_secs(60) },
            stable_after: Duration::from_secs(60),
        }
    }

    /// Sets the first and the greatest delay.
    #[must_use]
    pub const fn backoff(mut self, first: Duration, greatest: Duration) -> Self {
        self.backoff = DurationRange { min: first, max: greatest };
        self
    }

    /// Allows `count` restarts in any `per`.
    #[must_use]
    pub const fn limit(mut self, count: u32, per: Duration) -> Self {
        self.limit = Rate { count, per };
        self
    }
}

impl Default for RestartPolicy {
    fn default() -> Self {
        Self::new(Restart::OnFailure)
    }
}

/// What an error or a panic of a handler or a tick leads to. It is logged and counted in any case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum OnError {
    /// Nothing more.
    #[default]
    Log,
    /// The daemon fails, and is restarted as its policy says.
    Restart,
    /// The daemon fails for good.
    Fail,
}
