//! Why a call brought no reply, here and as it is told to another process.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::BoxError;

/// Why a call brought no reply.
///
/// It is carried to other processes as `{"code": .., "data": ..}`, and read there as the same error. What the command itself failed with, and
/// what could not be read or written, is carried as text, with the texts of its sources.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// The host has no such daemon.
    #[error("no daemon named `{daemon}`; this host has: {known}")]
    UnknownDaemon {
        /// The name asked for.
        daemon: String,
        /// The daemons it has.
        known: String,
    },
    /// The daemon has no such command.
    #[error("daemon `{daemon}` has no command `{command}`; it has: {known}")]
    UnknownCommand {
        /// The daemon asked.
        daemon: String,
        /// The command asked for.
        command: String,
        /// The commands it has.
        known: String,
    },
    /// The daemon is not running.
    #[error("daemon `{daemon}` is {state}")]
    Unavailable {
        /// The daemon asked.
        daemon: String,
        /// Its state.
        state: String,
    },
    /// The daemon stopped before the command ended.
    #[error("daemon `{daemon}` is shutting down")]
    ShuttingDown {
        /// The daemon asked.
        daemon: String,
    },
    /// No reply came in time. The command may have taken effect, and may still be under way, unless the limit was its own.
    #[error("`{daemon}.{command}` did not answer within {limit:?}")]
    Timeout {
        /// The daemon asked.
        daemon: String,
        /// The command asked for.
        command: String,
        /// How long the caller waited, or the command may take.
        limit: Duration,
    },
    /// Commands call each other without end: this one waits, over that many steps, for itself.
    #[error("commands call each other in a circle: {chain}")]
    Circular {
        /// The last calls, in order, as `daemon.command`.
        chain: String,
    },
    /// The request cannot be read as what the command takes.
    #[error("the request does not fit the command")]
    Request(#[source] BoxError),
    /// The command returned an error.
    #[error("the command failed: {0}")]
    Failed(BoxError),
    /// The command panicked.
    #[error("the command panicked: {0}")]
    Panicked(String),
    /// The reply cannot be written or read as what the caller expects.
    #[error("the reply cannot be carried")]
    Reply(#[source] BoxError),
    /// The request or the reply could not be read, and the other program takes the commands of the daemon to look different: the two were
    /// built from different sources.
    #[error(
        "this program and the other take the commands of `{daemon}` to look different ({ours} here, {theirs} there); build both from the \
         same sources"
    )]
    Skewed {
        /// The daemon asked.
        daemon: String,
        /// The hash of its commands as this program knows them.
        ours: String,
        /// The hash of its commands as the other program does.
        theirs: String,
        /// What could not be read.
        source: Box<CallError>,
    },
    /// The call did not get through to the host, or the reply not back. The command may have taken effect.
    #[error("the call did not get through")]
    Transport(#[source] BoxError),
}

impl CallError {
    /// The request did not fit.
    pub fn request(error: impl Into<BoxError>) -> Self {
        Self::Request(error.into())
    }

    /// The command returned `error`.
    pub fn failed(error: impl Into<BoxError>) -> Self {
        Self::Failed(error.into())
    }

    /// The reply could not be carried.
    pub fn reply(error: impl Into<BoxError>) -> Self {
        Self::Reply(error.into())
    }

    /// The call did not get through.
    pub fn transport(error: impl Into<BoxError>) -> Self {
        Self::Transport(error.into())
    }

    /// Whether the same call may succeed later, because the daemon was not running.
    #[must_use]
    pub fn is_unavailable(&self) -> bool {
        matches!(self, Self::Unavailable { .. } | Self::ShuttingDown { .. })
    }

    /// Whether the reply did not come in time.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        matches!(self, Self::Timeout { .. })
    }

    /// Whether the two programs were built from different sources.
    #[must_use]
    pub fn is_skewed(&self) -> bool {
        matches!(self, Self::Skewed { .. })
    }

    /// Whether the request or the reply could not be read.
    pub(crate) fn is_unreadable(&self) -> bool {
        matches!(self, Self::Request(_) | Self::Reply(_))
    }

    /// With the errors of others as text, so that none of their code runs any more.
    pub(crate) fn in_words(self) -> Self {
        let words = |error: BoxError| -> BoxError { Words::of(&*error).into() };
        match self {
            Self::Request(error) => Self::Request(words(error)),
            Self::Failed(error) => Self::Failed(words(error)),
            Self::Reply(error) => Self::Reply(words(error)),
            Self::Transport(error) => Self::Transport(words(error)),
            other => other,
        }
    }
}

/// An error as text, with the texts of its sources.
#[derive(Debug, Serialize, Deserialize)]
struct Words {
    message: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    source: Option<Box<Words>>,
}

impl Words {
    fn of(error: &(dyn Error + 'static)) -> Self {
        Self { message: error.to_string(), source: error.source().map(|source| Box::new(Self::of(source))) }
    }
}

impl fmt::Display for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for Words {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

/// A call error as it is told to another process.
#[derive(Serialize, Deserialize)]
#[serde(tag = "code", content = "data", rename_all = "snake_case")]
enum Told {
    UnknownDaemon {
        daemon: String,
        known: String,
    },
    UnknownCommand {
        daemon: String,
        command: String,
        known: String,
    },
    Unavailable {
        daemon: String,
        state: String,
    },
    ShuttingDown {
        daemon: String,
    },
    #[serde(rename = "deadline_exceeded")]
    Timeout {
        daemon: String,
        command: String,
        limit_ms: u64,
    },
    Circular {
        chain: String,
    },
    #[serde(rename = "bad_request")]
    Request {
        error: Words,
    },
    #[serde(rename = "command_failed")]
    Failed {
        error: Words,
    },
    Panicked {
        message: String,
    },
    #[serde(rename = "bad_reply")]
    Reply {
        error: Words,
    },
    Skewed {
        daemon: String,
        ours: String,
        theirs: String,
        source: Box<Told>,
    },
    Transport {
        error: Words,
    },
}

impl From<&CallError> for Told {
    fn from(error: &CallError) -> Self {
        let words = |error: &BoxError| Words::of(&**error);
        match error {
            CallError::UnknownDaemon { daemon, known } => {
                Self::UnknownDaemon { daemon: daemon.clone(), known: known.clone() }
            }
            CallError::UnknownCommand { daemon, command, known } => {
                Self::UnknownCommand { daemon: daemon.clone(), command: command.clone(), known: known.clone() }
            }
            CallError::Unavailable { daemon, state } => {
                Self::Unavailable { daemon: daemon.clone(), state: state.clone() }
            }
            CallError::ShuttingDown { daemon } => Self::ShuttingDown { daemon: daemon.clone() },
            CallError::Timeout { daemon, command, limit } => {
                let limit_ms = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
                Self::Timeout { daemon: daemon.clone(), command: command.clone(), limit_ms }
            }
            CallError::Circular { chain } => Self::Circular { chain: chain.clone() },
            CallError::Request(error) => Self::Request { error: words(error) },
            CallError::Failed(error) => Self::Failed { error: words(error) },
            CallError::Panicked(message) => Self::Panicked { message: message.clone() },
            CallError::Reply(error) => Self::Reply { error: words(error) },
            CallError::Skewed { daemon, ours, theirs, source } => {
                let (ours, theirs, source) = (ours.clone(), theirs.clone(), Box::new((&**source).into()));
                Self::Skewed { daemon: daemon.clone(), ours, theirs, source }
            }
            CallError::Transport(error) => Self::Transport { error: words(error) },
        }
    }
}

impl From<Told> for CallError {
    fn from(told: Told) -> Self {
        match told {
            Told::UnknownDaemon { daemon, known } => Self::UnknownDaemon { daemon, known },
            Told::UnknownCommand { daemon, command, known } => Self::UnknownCommand { daemon, command, known },
            Told::Unavailable { daemon, state } => Self::Unavailable { daemon, state },
            Told::ShuttingDown { daemon } => Self::ShuttingDown { daemon },
            Told::Timeout { daemon, command, limit_ms } => {
                Self::Timeout { daemon, command, limit: Duration::from_millis(limit_ms) }
            }
            Told::Circular { chain } => Self::Circular { chain },
            Told::Request { error } => Self::request(error),
            Told::Failed { error } => Self::failed(error),
            Told::Panicked { message } => Self::Panicked(message),
            Told::Reply { error } => Self::reply(error),
            Told::Skewed { daemon, ours, theirs, source } => {
                Self::Skewed { daemon, ours, theirs, source: Box::new((*source).into()) }
            }
            Told::Transport { error } => Self::transport(error),
        }
    }
}

impl Serialize for CallError {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Told::from(self).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for CallError {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Told::deserialize(deserializer).map(Into::into)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("cannot open the store")]
    struct Outer(#[source] std::num::ParseIntError);

    fn every() -> Vec<CallError> {
        let text = || "x".to_owned();
        let outer = || Outer("x".parse::<u8>().unwrap_err());
        vec![
            CallError::UnknownDaemon { daemon: text(), known: "a, b".to_owned() },
            CallError::UnknownCommand { daemon: text(), command: text(), known: "a, b".to_owned() },
            CallError::Unavailable { daemon: text(), state: "backoff".to_owned() },
            CallError::ShuttingDown { daemon: text() },
            CallError::Timeout { daemon: text(), command: text(), limit: Duration::from_millis(1_500) },
            CallError::Circular { chain: text() },
            CallError::request(outer()),
            CallError::failed(outer()),
            CallError::Panicked(text()),
            CallError::reply(outer()),
            CallError::Skewed {
                daemon: text(),
                ours: text(),
                theirs: text(),
                source: CallError::reply(outer()).into(),
            },
            CallError::transport(outer()),
        ]
    }

    fn texts(error: &dyn Error) -> Vec<String> {
        let (mut texts, mut source) = (vec![error.to_string()], error.source());
        while let Some(error) = source {
            texts.push(error.to_string());
            source = error.source();
        }
        texts
    }

    #[test]
    fn every_kind_is_read_as_what_was_told() {
        for error in every() {
            let told = serde_json::to_string(&error).unwrap();
            let heard: CallError = serde_json::from_str(&told).unwrap();
            assert_eq!(std::mem::discriminant(&heard), std::mem::discriminant(&error), "{told}");
            assert_eq!(texts(&heard), texts(&error), "{told}");
            assert_eq!(serde_json::to_string(&heard).unwrap(), told, "also when it is told on");
        }
    }

    #[test]
    fn words_are_those_of_the_error_and_its_sources() {
        for error in every() {
            let before = texts(&error);
            assert_eq!(texts(&error.in_words()), before);
        }
    }

    #[test]
    fn a_code_is_what_others_look_for() {
        let error = CallError::Unavailable { daemon: "user".to_owned(), state: "starting".to_owned() };
        let told = serde_json::json!({"code": "unavailable", "data": {"daemon": "user", "state": "starting"}});
        assert_eq!(serde_json::to_value(&error).unwrap(), told);
        let error = CallError::failed("no such room");
        let told = serde_json::json!({"code": "command_failed", "data": {"error": {"message": "no such room"}}});
        assert_eq!(serde_json::to_value(&error).unwrap(), told);
    }
}
