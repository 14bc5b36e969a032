//! What the commands of a [`ControlServer`](super::ControlServer) take and give, beside what `daemon-core` has for it.

use daemon_core::{DaemonStatus, IntervalStatus, SubscriptionStatus};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Which daemons are meant.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Which {
    /// One of them; all if there is none.
    #[serde(default)]
    pub daemon: Option<String>,
}

/// A daemon.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DaemonName {
    /// Its name.
    pub daemon: String,
}

/// An interval of a daemon.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IntervalName {
    /// The daemon's name.
    pub daemon: String,
    /// The interval's name.
    pub interval: String,
}

/// Another period for an interval.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IntervalPeriod {
    /// The daemon's name.
    pub daemon: String,
    /// The interval's name.
    pub interval: String,
    /// The period, such as `30s`, or `off`.
    pub period: String,
}

/// How much is to be told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lines {
    /// The last so many; all if it does not say.
    #[serde(default)]
    pub last: Option<usize>,
}

/// Which logs are to be written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetLogLevel {
    /// A level, or several for parts of the program, in the form of `RUST_LOG`: `info,app::store=debug`.
    pub filter: String,
    /// For how many milliseconds; for good if it does not say.
    #[serde(default)]
    pub for_ms: Option<u64>,
}

/// A command and what it is asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CallByName {
    /// The daemon's name.
    pub daemon: String,
    /// The command's name.
    pub command: String,
    /// What the command takes.
    #[serde(default)]
    pub request: Value,
}

/// A subscription and whose it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DaemonSubscription {
    /// The daemon's name.
    pub daemon: String,
    /// The subscription.
    #[serde(flatten)]
    pub status: SubscriptionStatus,
}

/// An interval and whose it is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DaemonInterval {
    /// The daemon's name.
    pub daemon: String,
    /// The interval.
    #[serde(flatten)]
    pub status: IntervalStatus,
}

impl DaemonInterval {
    pub(super) fn of(daemon: DaemonStatus) -> impl Iterator<Item = Self> {
        let name = daemon.name;
        daemon.intervals.into_iter().map(move |status| Self { daemon: name.clone(), status })
    }
}

/// The host shuts down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShuttingDown {
    /// Its process.
    pub pid: u32,
}
