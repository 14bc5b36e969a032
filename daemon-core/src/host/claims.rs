//! What a host claims of the machine for as long as it lives: the lock of its instance, and its PID file.
//!
//! Both are taken before anything else begins, the lock first, and given back when all else has ended, the lock last.

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::error::{DaemonError, DaemonErrorCode, with_sources};
use crate::instance::{DaemonLock, Environment, Layout, LockError, PathError, PidFile, Scope};

/// Where one of a host's files is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Place {
    /// Where its name says, if the host runs by itself; nowhere if it is embedded.
    #[default]
    AsRun,
    /// Where its name says.
    Usual,
    /// Nowhere.
    Nowhere,
    /// Here.
    At(PathBuf),
}

/// What a host is to claim.
#[derive(Clone, Debug, Default)]
pub(super) struct Wanted {
    pub(super) lock: Place,
    pub(super) pid_file: Place,
    pub(super) scope: Scope,
}

/// What a host has claimed. Dropping it gives it back.
#[derive(Debug, Default)]
pub(super) struct Claims {
    // In the order in which they are given back.
    pid_file: Option<PidFile>,
    lock: Option<DaemonLock>,
}

impl Wanted {
    /// Another lock than the usual one. The PID file goes with that, unless it was named.
    pub(super) fn set_lock(&mut self, lock: Place) {
        self.lock = lock;
        if self.pid_file == Place::AsRun {
            self.pid_file = Place::Nowhere;
        }
    }

    /// Whether an embedded host wants nothing.
    fn is_nothing(&self) -> bool {
        let nowhere = |place: &Place| matches!(place, Place::AsRun | Place::Nowhere);
        nowhere(&self.lock) && nowhere(&self.pid_file)
    }

    /// Claims what is wanted for the host `name`, which `runs` by itself or is embedded. May wait for a moment; see
    /// [`DaemonLock::acquire`].
    pub(super) fn claim(&self, name: &str, runs: bool) -> Result<Claims, DaemonError> {
        let mut usual = None;
        let lock = self.path(&self.lock, name, runs, &mut usual, Layout::lock)?;
        let lock = lock.map(DaemonLock::acquire).transpose().map_err(|error| refused(name, &error))?;
        let pid_file = self.path(&self.pid_file, name, runs, &mut usual, Layout::pid)?;
        Ok(Claims { pid_file: pid_file.map(PidFile::create).transpose()?, lock })
    }

    /// Claims what is wanted for the embedded host `name`, on a thread that may wait for a moment.
    pub(super) async fn claim_embedded(self, name: &str) -> Result<Claims, DaemonError> {
        if self.is_nothing() {
            return Ok(Claims::default());
        }
        let name = name.to_owned();
        let claimed = tokio::task::spawn_blocking(move || self.claim(&name, false)).await;
        claimed.unwrap_or_else(|died| Err(DaemonError::new(DaemonErrorCode::StartFailed, died.to_string())))
    }

    /// The lock that the host `name` takes if it runs by itself.
    pub(super) fn lock_path(&self, name: &str) -> Result<Option<PathBuf>, PathError> {
        match &self.lock {
            Place::At(path) => Ok(Some(path.clone())),
            Place::Nowhere => Ok(None),
            Place::AsRun | Place::Usual => {
                Layout::new(name, self.scope, Environment::current()).and_then(|layout| layout.lock()).map(Some)
            }
        }
    }

    /// The path of a file, whose directory is there and the user's alone if it is the `usual` one, which is made once.
    fn path(
        &self,
        place: &Place,
        name: &str,
        runs: bool,
        usual: &mut Option<Layout>,
        file: impl Fn(&Layout) -> Result<PathBuf, PathError>,
    ) -> Result<Option<PathBuf>, DaemonError> {
        match place {
            Place::At(path) => return Ok(Some(path.clone())),
            Place::AsRun if runs => {}
            Place::Usual => {}
            Place::AsRun | Place::Nowhere => return Ok(None),
        }
        let path = match usual {
            Some(layout) => file(layout),
            None => self.usual(name).and_then(|layout| file(usual.insert(layout))),
        };
        path.map(Some).map_err(|error| {
            let message = format!("Daemon \"{name}\" has no place for its lock: {}", with_sources(&error));
            DaemonError::new(DaemonErrorCode::StartFailed, message)
        })
    }

    /// Where the files of a host of that name are usually, in a directory that is there and the user's alone.
    fn usual(&self, name: &str) -> Result<Layout, PathError> {
        let layout = Layout::new(name, self.scope, Environment::current())?;
        layout.create_dir()?;
        Ok(layout)
    }
}

/// Why a lock that could not be had keeps a host from starting.
fn refused(name: &str, error: &LockError) -> DaemonError {
    if error.is_already_running() {
        let by = error.pid.map_or_else(String::new, |pid| format!(" with PID {pid}"));
        let message = format!("Daemon \"{name}\" is already running{by}; its lock is {}", error.lock_path.display());
        return DaemonError::new(DaemonErrorCode::AlreadyRunning, message).with_pid(error.pid);
    }
    let message = format!("Daemon \"{name}\" cannot have its lock: {error}");
    DaemonError::new(DaemonErrorCode::StartFailed, message).with_io(error.io_kind())
}

impl Claims {
    fn give_back(self) -> Result<(), DaemonError> {
        let pid_file = self.pid_file.map_or(Ok(()), PidFile::remove);
        let lock = self.lock.map_or(Ok(()), DaemonLock::release);
        pid_file.and(
            lock.map_err(|error| {
                DaemonError::new(DaemonErrorCode::PidError, error.to_string()).with_io(error.io_kind())
            }),
        )
    }
}

/// What a host has claimed until it gives that back.
#[derive(Debug, Default)]
pub(super) struct Claimed(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    claims: Claims,
    unreturned: Option<DaemonError>,
}

impl Claimed {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn hold(&self, claims: Claims) {
        self.state().claims = claims;
    }

    pub(super) fn lock(&self) -> Option<DaemonLock> {
        self.state().claims.lock.clone()
    }

    /// Gives everything back.
    pub(super) fn give_back(&self) {
        let claims = std::mem::take(&mut self.state().claims);
        let unreturned = claims.give_back().err();
        self.state().unreturned = unreturned;
    }

    /// What could not be given back.
    pub(super) fn unreturned(&self) -> Option<DaemonError> {
        self.state().unreturned.clone()
    }
}
