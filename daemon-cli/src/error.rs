//! Why a command came to nothing, in words and as an exit code.

use std::io;
use std::time::Duration;

use daemon_core::{CallError, with_sources};
use daemon_ipc::{ConnectionError, Failure, RequestError, code};
use serde_json::json;

/// The kinds of failure, each with an exit code of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// What was asked for failed.
    Failed,
    /// The arguments make no sense.
    Usage,
    /// There is no such instance.
    NotRunning,
    /// It took too long.
    TimedOut,
    /// It does not talk to us, or the system does not let us.
    Refused,
    /// It runs, but cannot be talked to.
    Broken,
    /// A process that was started ended with this code.
    Exited(u8),
    /// Whoever reads what is written has read enough.
    Unread,
}

impl Kind {
    pub(crate) const fn exit_code(self) -> u8 {
        match self {
            Self::Unread => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::NotRunning => 3,
            Self::TimedOut => 4,
            Self::Refused => 5,
            Self::Broken => 6,
            Self::Exited(code) => code,
        }
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Unread => "unread",
            Self::Failed => "failed",
            Self::Usage => "usage",
            Self::NotRunning => "not_running",
            Self::TimedOut => "timed_out",
            Self::Refused => "refused",
            Self::Broken => "broken",
            Self::Exited(_) => "exited",
        }
    }
}

/// Why a command came to nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Error {
    pub(crate) kind: Kind,
    pub(crate) message: String,
}

impl Error {
    pub(crate) fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    pub(crate) fn failed(message: impl Into<String>) -> Self {
        Self::new(Kind::Failed, message)
    }

    pub(crate) fn timed_out(what: &str, limit: Duration) -> Self {
        Self::new(Kind::TimedOut, format!("{what} within {limit:?}"))
    }

    /// What could not be written.
    pub(crate) fn unwritten(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::new(Kind::Unread, ""),
            _ => Self::failed(format!("cannot write: {error}")),
        }
    }

    /// Why a call came to nothing, which had this long.
    pub(crate) fn of_call(error: &CallError, limit: Duration) -> Self {
        match error {
            CallError::Timeout { daemon, command, .. } => {
                Self::timed_out(&format!("`{daemon}.{command}` did not answer"), limit)
            }
            CallError::Transport(source) => match source.downcast_ref::<RequestError>() {
                Some(error) => Self::of_request(error),
                None => match source.downcast_ref::<ConnectionError>() {
                    Some(error) => Self::of_connection(error),
                    None => Self::new(Kind::Broken, with_sources(error)),
                },
            },
            CallError::Failed(error) => Self::failed(with_sources(&**error)),
            error => Self::failed(with_sources(error)),
        }
    }

    pub(crate) fn of_request(error: &RequestError) -> Self {
        match error {
            RequestError::Connection(error) => Self::of_connection(error),
            RequestError::Failed(failure) => Self::of_failure(failure),
            error => Self::new(Kind::Broken, with_sources(error)),
        }
    }

    fn of_failure(failure: &Failure) -> Self {
        let kind = match failure.code.as_deref() {
            Some(code::BUSY | code::FORBIDDEN) => Kind::Refused,
            Some(code::DEADLINE_EXCEEDED) => Kind::TimedOut,
            _ => Kind::Failed,
        };
        Self::new(kind, failure.message.clone())
    }

    pub(crate) fn of_connection(error: &ConnectionError) -> Self {
        let kind = match error {
            ConnectionError::StaleSocket { .. } => Kind::NotRunning,
            ConnectionError::Refused { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
                Kind::Refused
            }
            ConnectionError::Refused { .. } => Kind::NotRunning,
            ConnectionError::Timeout { .. } => Kind::TimedOut,
            ConnectionError::Rejected { .. } => Kind::Refused,
            _ => Kind::Broken,
        };
        Self::new(kind, with_sources(error))
    }

    /// As a script reads it.
    pub(crate) fn json(&self) -> String {
        json!({"error": {"code": self.kind.as_str(), "message": self.message}}).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_has_its_exit_code() {
        let limit = Duration::from_secs(2);
        let code = |error: CallError| Error::of_call(&error, limit).kind.exit_code();
        let lost = |error: ConnectionError| CallError::transport(RequestError::Connection(error));
        let socket_path = || std::path::PathBuf::from("/x");
        assert_eq!(code(CallError::failed("no such room")), 1);
        assert_eq!(code(lost(ConnectionError::StaleSocket { socket_path: socket_path(), pid: Some(1) })), 3);
        assert_eq!(code(CallError::Timeout { daemon: "a".into(), command: "b".into(), limit }), 4);
        let denied = io::ErrorKind::PermissionDenied.into();
        assert_eq!(code(lost(ConnectionError::Refused { socket_path: socket_path(), source: denied })), 5);
        let forbidden = Box::new(Failure::new("no").with_code(code::FORBIDDEN));
        assert_eq!(code(lost(ConnectionError::Rejected { socket_path: socket_path(), failure: forbidden })), 5);
        assert_eq!(code(lost(ConnectionError::Closed { socket_path: socket_path() })), 6);
        assert_eq!(code(CallError::transport(ConnectionError::Closed { socket_path: socket_path() })), 6);
    }

    #[test]
    fn a_script_reads_the_cause() {
        let error = Error::new(Kind::NotRunning, "chat is \"not\" running");
        assert_eq!(error.json(), r#"{"error":{"code":"not_running","message":"chat is \"not\" running"}}"#);
    }
}
