//! What can go wrong with the place of a socket.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Why a socket could not be had, or given back.
#[derive(Debug, thiserror::Error)]
#[error("{fault}: {}", path.display())]
#[non_exhaustive]
pub struct SocketError {
    /// The socket's path.
    pub path: PathBuf,
    /// What is wrong with it.
    pub fault: SocketFault,
}

/// What is wrong with the place of a socket.
#[derive(Debug)]
#[non_exhaustive]
pub enum SocketFault {
    /// The path is longer than the system can bind.
    TooLong {
        /// The longest path there is, in bytes.
        limit: usize,
    },
    /// Something that is no socket is in its place: what. It is left alone.
    NotASocket(&'static str),
    /// A living process listens there. It is left alone.
    Live,
    /// The system refused.
    Io(io::Error),
}

impl fmt::Display for SocketFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong { limit } => {
                write!(f, "the path of the socket is longer than {limit} bytes; use a shorter one")
            }
            Self::NotASocket(what) => write!(f, "{what} is in the place of the socket; move it away"),
            Self::Live => f.write_str("another process listens on the socket"),
            Self::Io(error) => write!(f, "cannot have the socket: {error}"),
        }
    }
}

impl SocketError {
    pub(super) fn new(path: &Path, fault: SocketFault) -> Self {
        Self { path: path.to_owned(), fault }
    }

    pub(super) fn io(path: &Path, error: impl Into<io::Error>) -> Self {
        Self::new(path, SocketFault::Io(error.into()))
    }

    /// Whether a living process listens there.
    #[must_use]
    pub fn is_live(&self) -> bool {
        matches!(self.fault, SocketFault::Live)
    }
}
