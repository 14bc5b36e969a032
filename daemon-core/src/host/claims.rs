//! What a host claims of the machine for as long as it lives: the lock of its instance, and its PID file.
//!
//! Both are taken before anything else begins, the lock first, and given back when all else has ended, the lock last.

use std::path::PathBuf;

use crate::error::{DaemonError, DaemonErrorCode};
use crate::instance::{DaemonLock, Environment, Layout, LockError, PidFile, Scope};

/// Which lock a host takes.
#[derive(Clone, Debug, Default)]
pub(super) enum Lock {
    /// That of its name, with its PID file, if it runs by itself; none if it is embedded.
    #[default]
    Usual,
    /// None.
    Without,
    /// This one.
    At(PathBuf),
}

/// What a host is to claim.
#[derive(Clone, Debug, Default)]
pub(super) struct Wanted {
    pub(super) lock: Lock,
    pub(super) pid_file: Option<PathBuf>,
    pub(super) scope: Scope,
}

/// What a host has claimed. Dropping it gives it back.
#[derive(Debug, Default)]
pub(crate) struct Claims {
    // In the order in which they are dropped.
    pid_file: Option<PidFile>,
    lock: Option<DaemonLock>,
}

impl Wanted {
    /// Claims what is wanted for the host `name`; `runs` if it does so by itself.
    pub(super) fn claim(&self, name: &str, runs: bool) -> Result<Claims, DaemonError> {
        let lock = match &self.lock {
            Lock::Usual if runs => Some(self.usual(name, Layout::lock)?),
            Lock::Usual | Lock::Without => None,
            Lock::At(path) => Some(path.clone()),
        };
        let lock = lock.map(DaemonLock::acquire).transpose().map_err(|error| refused(name, &error))?;
        let pid_file = match (&self.pid_file, &self.lock) {
            (Some(path), _) => Some(path.clone()),
            (None, Lock::Usual) if runs => Some(self.usual(name, Layout::pid)?),
            (None, _) => None,
        };
        let pid_file = pid_file.map(PidFile::create).transpose()?;
        Ok(Claims { pid_file, lock })
    }

    /// The path of one of the host's files, whose directory is there and the user's alone.
    fn usual(
        &self,
        name: &str,
        path: impl Fn(&Layout) -> Result<PathBuf, crate::instance::PathError>,
    ) -> Result<PathBuf, DaemonError> {
        let layout = Layout::new(name, self.scope, Environment::current());
        let path = layout.and_then(|layout| layout.create_dir().and_then(|_| path(&layout)));
        path.map_err(|error| {
            let mut why = error.to_string();
            if let Some(cause) = std::error::Error::source(&error) {
                why = format!("{why}: {cause}");
            }
            DaemonError::new(DaemonErrorCode::StartFailed, format!("Daemon \"{name}\" has no place for its lock: {why}"))
        })
    }
}

/// Why a lock that could not be had keeps a host from starting.
fn refused(name: &str, error: &LockError) -> DaemonError {
    let lock = error.lock_path.display();
    if error.is_already_running() {
        let by = error.pid.map_or_else(String::new, |pid| format!(" with PID {pid}"));
        let message = format!("Daemon \"{name}\" is already running{by}; its lock is {lock}");
        return DaemonError::new(DaemonErrorCode::AlreadyRunning, message).with_pid(error.pid);
    }
    let message = format!("Daemon \"{name}\" cannot have its lock: {error}");
    DaemonError::new(DaemonErrorCode::StartFailed, message).with_io(error.io_kind())
}

impl Claims {
    pub(super) fn lock(&self) -> Option<DaemonLock> {
        self.lock.clone()
    }

    /// Gives everything back; returns what could not be removed.
    pub(super) fn give_back(self) -> Option<DaemonError> {
        let pid_file = self.pid_file.map_or(Ok(()), PidFile::remove);
        let lock = self.lock.map_or(Ok(()), DaemonLock::release);
        let lock = lock.map_err(|error| DaemonError::new(DaemonErrorCode::PidError, error.to_string()));
        pid_file.and(lock).err()
    }
}
