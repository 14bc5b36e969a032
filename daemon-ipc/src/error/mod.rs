//! What can go wrong between two processes, for whoever must act on it.

mod failure;

pub use failure::{Failure, code};

use crate::FrameError;
use std::{io, path::PathBuf, time::Duration};
use thiserror::Error;

/// Why a server cannot listen.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BindError {
    /// The path is longer than the system can bind.
    #[error("the path {} is too long for a socket, which can have {limit} bytes; use a shorter one", path.display())]
    PathTooLong {
        /// The path.
        path: PathBuf,
        /// The longest path there is, in bytes.
        limit: usize,
    },
    /// Something that is no socket is in its place. It is left alone.
    #[error("{found} is in the place of the socket {}; move it away", path.display())]
    NotASocket {
        /// The path.
        path: PathBuf,
        /// What is there.
        found: &'static str,
    },
    /// Somebody listens there, or has the lock beside it. They are left alone.
    #[error("another server{} has {}; stop it, or use another path", of_process(*pid), path.display())]
    Live {
        /// The path.
        path: PathBuf,
        /// Their process, if the lock names it.
        pid: Option<u32>,
    },
    /// The system refused.
    #[error("cannot listen on {}", path.display())]
    Io {
        /// The path.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Why there is no connection, or none any more.
///
/// The first four are those of `@outfitter/daemon`, with its fields; [`tag`](Self::tag) tells its names for them.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ConnectionError {
    /// There is a socket, but nobody listens on it: the daemon was killed.
    #[error("nobody listens on the socket {}{}; start the daemon", socket_path.display(), of_process(*pid))]
    StaleSocket {
        /// The socket.
        socket_path: PathBuf,
        /// The process that the lock file beside the socket names, if there is one.
        pid: Option<u32>,
    },
    /// There is no socket, or it lets nobody in.
    #[error("cannot connect to {}; is the daemon running?", socket_path.display())]
    Refused {
        /// The socket.
        socket_path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Something took too long.
    #[error("no {awaited} from {} within {timeout:?}", socket_path.display())]
    Timeout {
        /// The socket.
        socket_path: PathBuf,
        /// How long it was waited for.
        timeout: Duration,
        /// What was waited for: a connection, or a reply.
        awaited: &'static str,
    },
    /// The other end says what is no message, or not what it should say.
    #[error("{} does not speak the protocol: {details}", socket_path.display())]
    Protocol {
        /// The socket.
        socket_path: PathBuf,
        /// What it said.
        details: String,
    },
    /// The server will not talk to us, now or ever: see the failure's code.
    #[error("{} refuses: {}", socket_path.display(), failure.message)]
    Rejected {
        /// The socket.
        socket_path: PathBuf,
        /// Its words.
        failure: Box<Failure>,
    },
    /// The connection ended before the reply, or was closed at this end. Whether the request took effect is not known.
    #[error("the connection to {} ended", socket_path.display())]
    Closed {
        /// The socket.
        socket_path: PathBuf,
    },
}

fn of_process(pid: Option<u32>) -> String {
    pid.map(|pid| format!(" of process {pid}")).unwrap_or_default()
}

impl ConnectionError {
    /// The name `@outfitter/daemon` has for it (`_tag`), or one of that form.
    #[must_use]
    pub fn tag(&self) -> &'static str {
        match self {
            Self::StaleSocket { .. } => "StaleSocketError",
            Self::Refused { .. } => "ConnectionRefusedError",
            Self::Timeout { .. } => "ConnectionTimeoutError",
            Self::Protocol { .. } => "ProtocolError",
            Self::Rejected { .. } => "ConnectionRejectedError",
            Self::Closed { .. } => "ConnectionClosedError",
        }
    }

    /// Whether there is no daemon: nobody listens.
    #[must_use]
    pub fn is_not_running(&self) -> bool {
        matches!(self, Self::StaleSocket { .. } | Self::Refused { .. })
    }

    /// Whether something took too long.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        matches!(self, Self::Timeout { .. })
    }
}

/// Why a request brought no reply that can be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RequestError {
    /// There is no connection, or the reply did not come.
    #[error(transparent)]
    Connection(#[from] ConnectionError),
    /// The server answered that it failed.
    #[error("{0}")]
    Failed(Failure),
    /// The request cannot be sent.
    #[error("the request cannot be sent")]
    Request(#[source] FrameError),
    /// The reply is not what is expected.
    #[error("the reply does not fit")]
    Reply(#[source] serde_json::Error),
}

impl RequestError {
    /// The server's words, if it is the server that failed.
    #[must_use]
    pub fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Failed(failure) => Some(failure),
            _ => None,
        }
    }

    /// Whether something took too long, here or at the server.
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        match self {
            Self::Connection(error) => error.is_timeout(),
            Self::Failed(failure) => failure.has_code(code::DEADLINE_EXCEEDED),
            Self::Request(_) | Self::Reply(_) => false,
        }
    }
}
