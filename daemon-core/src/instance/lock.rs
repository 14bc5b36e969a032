//! The lock of an instance, and its PID file.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::error::LockError;
use super::held::{Claim, Purpose};
use crate::error::{DaemonError, DaemonErrorCode};

/// The lock of an instance: as long as it is held, nobody else has it, on this machine or in this process.
///
/// It is a lock of the kernel on the file, so it ends with the process, whatever ends it. The file holds the PID as
/// decimal digits and a newline, as `@outfitter/daemon` writes and reads it; nothing is decided by it. A child process
/// does not hold its parent's lock, whether it executes another program or not.
///
/// Clones share the lock. It is given back, and its file removed, when the last of them is released or dropped; so it is
/// after the last [`SocketClaim`](super::SocketClaim) made under it.
///
/// ```
/// use daemon_core::instance::{DaemonLock, is_daemon_alive, read_lock_pid};
///
/// let path = std::env::temp_dir().join(format!("daemon-lock-example-{}", std::process::id()));
/// let lock = DaemonLock::acquire(&path)?;
/// assert!(is_daemon_alive(&path));
/// assert_eq!(read_lock_pid(&path), Some(std::process::id()));
///
/// let refused = DaemonLock::acquire(&path).unwrap_err();
/// assert!(refused.is_already_running());
///
/// lock.release()?;
/// assert!(!path.exists());
/// # Ok::<(), daemon_core::instance::LockError>(())
/// ```
#[derive(Clone, Debug)]
pub struct DaemonLock {
    claim: Arc<Claim>,
    path: Arc<Path>,
}

impl DaemonLock {
    /// Takes the lock at `path`. The directory is made, for the user alone, if it is missing.
    ///
    /// It returns at once, unless it comes at the moment in which another takes the lock and has not written its PID yet.
    /// For that it waits, for two seconds at most.
    ///
    /// # Errors
    /// [`LockError`]: another has it, and is named if it is known; something that is no lock file has its path, which is
    /// left alone; the system refused to make, lock or write the file. In each case nothing is held.
    pub fn acquire(path: impl AsRef<Path>) -> Result<Self, LockError> {
        let path = path.as_ref();
        Ok(Self { claim: Arc::new(Claim::take(path, Purpose::Lock)?), path: path.into() })
    }

    /// The lock file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The process that holds the lock: this one.
    #[must_use]
    pub fn pid(&self) -> u32 {
        std::process::id()
    }

    /// Gives the lock back, and removes its file, unless a clone still has it.
    ///
    /// The file stays if its name or its content is another's by now.
    ///
    /// # Errors
    /// [`LockError`] if the file cannot be removed. The lock is given back all the same.
    pub fn release(self) -> Result<(), LockError> {
        let Some(mut claim) = Arc::into_inner(self.claim) else { return Ok(()) };
        claim.give_back().map_err(|error| LockError::io("Failed to remove lock file", &self.path, &error))
    }
}

/// A PID file: the PID alone, without a newline, for programs that look for one.
///
/// It is as exclusive as a [`DaemonLock`], and by the same means, so one that a dead process left behind is no obstacle.
/// A process may have its lock and its PID file in one file, as the documents of `@outfitter/daemon` have it. Dropping it
/// removes the file.
#[derive(Debug)]
pub struct PidFile {
    claim: Claim,
    path: PathBuf,
}

impl PidFile {
    /// Makes the PID file at `path` for this process.
    ///
    /// # Errors
    /// [`DaemonError`] with [`AlreadyRunning`](DaemonErrorCode::AlreadyRunning) if a living process has it, and with
    /// [`PidError`](DaemonErrorCode::PidError) if it cannot be written.
    pub fn create(path: impl AsRef<Path>) -> Result<Self, DaemonError> {
        let path = path.as_ref();
        match Claim::take(path, Purpose::Pid) {
            Ok(claim) => Ok(Self { claim, path: path.to_owned() }),
            Err(error) if error.is_already_running() => {
                let message = format!("PID file already exists: {}", path.display());
                Err(DaemonError::new(DaemonErrorCode::AlreadyRunning, message).with_pid(error.pid))
            }
            Err(error) => {
                let message = format!("Failed to write PID file: {error}");
                Err(DaemonError::new(DaemonErrorCode::PidError, message).with_io(error.io_kind()))
            }
        }
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Removes the file, unless its name or its content is another's by now.
    ///
    /// # Errors
    /// [`DaemonError`] with [`PidError`](DaemonErrorCode::PidError) if it cannot be removed.
    pub fn remove(mut self) -> Result<(), DaemonError> {
        self.claim.give_back().map_err(|error| {
            let message = format!("Failed to remove PID file: {error}");
            DaemonError::new(DaemonErrorCode::PidError, message).with_io(Some(error.kind()))
        })
    }
}
