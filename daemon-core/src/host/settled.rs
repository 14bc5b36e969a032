//! What the start of a host came to, for whoever waits for it outside.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::report::StartReport;
use crate::error::DaemonError;

/// What the start of a host came to; see [`Host::on_settled`](crate::Host::on_settled).
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Settled {
    /// It runs, and so does every daemon that it requires.
    Running(StartReport),
    /// A daemon that it requires did not start, or it was told to stop before it ran. What had started is being stopped.
    Failed(StartReport),
    /// Another instance runs. Nothing was started.
    AlreadyRunning {
        /// Who it is, in words.
        message: String,
        /// Its process, if its lock names it.
        pid: Option<u32>,
    },
    /// It cannot start at all. Nothing was started.
    Refused {
        /// Why, in words.
        message: String,
    },
}

impl Settled {
    pub(super) fn of(start: StartReport) -> Self {
        if start.started { Self::Running(start) } else { Self::Failed(start) }
    }

    pub(super) fn taken(error: &DaemonError) -> Self {
        Self::AlreadyRunning { message: error.to_string(), pid: error.pid }
    }

    /// That it cannot start, for who finds that out before there is a host.
    #[must_use]
    pub fn refused(why: impl Into<String>) -> Self {
        Self::Refused { message: why.into() }
    }

    /// Whether the host runs.
    #[must_use]
    pub fn is_running(&self) -> bool {
        matches!(self, Self::Running(_))
    }
}

/// What a person is told of it.
impl fmt::Display for Settled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Running(start) | Self::Failed(start) => write!(f, "{start}"),
            Self::AlreadyRunning { message, .. } | Self::Refused { message } => writeln!(f, "{message}"),
        }
    }
}

/// What is to be called with it.
pub(super) type OnSettled = Box<dyn FnOnce(&Settled) + Send>;
