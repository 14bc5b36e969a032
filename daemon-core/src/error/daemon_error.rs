//! What can go wrong with a daemon as a process, in the codes and the words of `@outfitter/daemon`.

use std::fmt;
use std::io;

use serde::{Deserialize, Serialize};

/// What went wrong with a daemon's process; written as `@outfitter/daemon` writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[non_exhaustive]
pub enum DaemonErrorCode {
    /// It was to start, and runs already, here or in another process.
    AlreadyRunning,
    /// It was to stop, and does not run.
    NotRunning,
    /// The shutdown handlers took longer than they may; what was left of them was dropped.
    ShutdownTimeout,
    /// It stopped, but something went wrong in that, such as a shutdown handler that failed.
    ShutdownFailed,
    /// Its PID file could not be written or removed.
    PidError,
    /// It could not be started.
    StartFailed,
}

impl DaemonErrorCode {
    /// The code as text, such as `ALREADY_RUNNING`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AlreadyRunning => "ALREADY_RUNNING",
            Self::NotRunning => "NOT_RUNNING",
            Self::ShutdownTimeout => "SHUTDOWN_TIMEOUT",
            Self::ShutdownFailed => "SHUTDOWN_FAILED",
            Self::PidError => "PID_ERROR",
            Self::StartFailed => "START_FAILED",
        }
    }
}

impl fmt::Display for DaemonErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Why a daemon's process could not start or stop.
///
/// ```
/// use daemon_core::{DaemonError, DaemonErrorCode};
///
/// let error = DaemonError::new(DaemonErrorCode::AlreadyRunning, "Daemon is already running with PID 1234");
/// assert!(error.is_already_running());
/// assert_eq!(error.code.to_string(), "ALREADY_RUNNING");
/// ```
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
#[non_exhaustive]
pub struct DaemonError {
    /// What went wrong, for programs.
    pub code: DaemonErrorCode,
    /// What went wrong, for people.
    pub message: String,
    /// The process that is in the way, if there is one and it is known.
    pub pid: Option<u32>,
    io: Option<io::ErrorKind>,
}

impl DaemonError {
    /// An error with this code and text.
    pub fn new(code: DaemonErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), pid: None, io: None }
    }

    pub(crate) fn with_pid(self, pid: Option<u32>) -> Self {
        Self { pid, ..self }
    }

    pub(crate) fn with_io(self, io: Option<io::ErrorKind>) -> Self {
        Self { io, ..self }
    }

    /// Whether the daemon runs already.
    #[must_use]
    pub fn is_already_running(&self) -> bool {
        self.code == DaemonErrorCode::AlreadyRunning
    }

    /// Whether the daemon was not running.
    #[must_use]
    pub fn is_not_running(&self) -> bool {
        self.code == DaemonErrorCode::NotRunning
    }

    /// Whether the daemon has stopped, though not as it should.
    #[must_use]
    pub fn has_stopped(&self) -> bool {
        matches!(self.code, DaemonErrorCode::ShutdownTimeout | DaemonErrorCode::ShutdownFailed)
    }

    /// What the system refused, if that is what went wrong.
    #[must_use]
    pub fn io_kind(&self) -> Option<io::ErrorKind> {
        self.io
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_written_and_read_as_the_seed_writes_them() {
        for code in [
            DaemonErrorCode::AlreadyRunning,
            DaemonErrorCode::NotRunning,
            DaemonErrorCode::ShutdownTimeout,
            DaemonErrorCode::ShutdownFailed,
            DaemonErrorCode::PidError,
            DaemonErrorCode::StartFailed,
        ] {
            assert_eq!(serde_json::to_value(code).unwrap(), code.as_str());
            assert_eq!(serde_json::from_value::<DaemonErrorCode>(code.as_str().into()).unwrap(), code);
        }
    }
}
