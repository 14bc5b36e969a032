//! What can go wrong with the files of an instance.

use std::io;
use std::path::{Path, PathBuf};

use daemon_grammar::GrammarError;

/// Why there is no place for a file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PathError {
    /// The daemon's name is none.
    #[error(transparent)]
    Name(#[from] GrammarError),
    /// No variable of the environment says where.
    #[error("there is no place for {of}; set {variables}")]
    Unset {
        /// What has no place.
        of: &'static str,
        /// The variables any of which would do.
        variables: String,
    },
    /// The directory is there, but others could put their own files in it.
    #[error("{} {fault}", dir.display())]
    Unsafe {
        /// The directory.
        dir: PathBuf,
        /// What is wrong with it, and what to do.
        fault: String,
    },
    /// The directory cannot be made.
    #[error("cannot make the directory {}", dir.display())]
    Io {
        /// The directory.
        dir: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Why a lock could not be had, or given back.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message} ({})", lock_path.display())]
#[non_exhaustive]
pub struct LockError {
    /// What went wrong, for people.
    pub message: String,
    /// The lock file.
    pub lock_path: PathBuf,
    /// The process that has the lock, or this one where the PID could not be written.
    pub pid: Option<u32>,
    io: Option<io::ErrorKind>,
    taken: bool,
}

impl LockError {
    /// An error with this text; one that names a process says that it has the lock.
    pub fn new(message: impl Into<String>, lock_path: impl Into<PathBuf>, pid: Option<u32>) -> Self {
        Self { message: message.into(), lock_path: lock_path.into(), pid, io: None, taken: pid.is_some() }
    }

    /// The lock is another's.
    pub(super) fn taken(lock_path: &Path, pid: Option<u32>) -> Self {
        let by = pid.map_or_else(|| "; its lock file names no PID".to_owned(), |pid| format!(" with PID {pid}"));
        Self { taken: true, ..Self::new(format!("Daemon already running{by}"), lock_path, pid) }
    }

    /// Something that is no lock file is in its place.
    pub(super) fn unfit(lock_path: &Path, fault: &str) -> Self {
        Self::new(format!("the lock file {fault}"), lock_path, None)
    }

    /// The system refused.
    pub(super) fn io(what: &str, lock_path: &Path, error: &io::Error) -> Self {
        Self { io: Some(error.kind()), ..Self::new(format!("{what}: {error}"), lock_path, None) }
    }

    /// The system refused to write this process's PID.
    pub(super) fn unwritten(lock_path: &Path, error: &io::Error) -> Self {
        let pid = Some(std::process::id());
        Self { pid, ..Self::io("Failed to write lock file", lock_path, error) }
    }

    /// Whether another has the lock.
    #[must_use]
    pub fn is_already_running(&self) -> bool {
        self.taken
    }

    /// What the system refused, if that is what went wrong.
    #[must_use]
    pub fn io_kind(&self) -> Option<io::ErrorKind> {
        self.io
    }
}
