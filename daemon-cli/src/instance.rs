//! Which instance is meant, where its files are, and who holds its lock.

use std::path::{Path, PathBuf};

use daemon_core::Host;
use daemon_core::instance::{Environment, Layout, PathError, Scope, is_daemon_alive, read_lock_pid};

use crate::error::{Error, Kind};
use daemon_core::with_sources;

/// An instance of a host.
#[derive(Clone, Debug)]
pub(crate) struct Instance {
    pub(crate) name: String,
    layout: Layout,
    lock: Option<PathBuf>,
}

impl Instance {
    /// That of a name.
    pub(crate) fn of_name(name: &str, scope: Scope) -> Result<Self, Error> {
        let layout = layout(name, scope)?;
        let lock = layout.lock().map_err(|error| unfit(&error))?;
        Ok(Self { name: name.to_owned(), layout, lock: Some(lock) })
    }

    /// That of a host.
    pub(crate) fn of_host(host: &Host) -> Result<Self, Error> {
        let layout = layout(host.name(), host.scope())?;
        let lock = host.lock_path().map_err(|error| unfit(&error))?;
        Ok(Self { name: host.name().to_owned(), layout, lock })
    }

    pub(crate) fn socket(&self) -> Result<PathBuf, Error> {
        self.layout.socket().map_err(|error| unfit(&error))
    }

    /// Where its logs are.
    pub(crate) fn log_dir(&self) -> Result<PathBuf, Error> {
        self.layout.logs().map_err(|error| unfit(&error))
    }

    /// The file it logs to in the background.
    pub(crate) fn log_file(&self) -> Result<PathBuf, Error> {
        Ok(self.log_dir()?.join(format!("{}.log", self.name)))
    }

    /// The file that takes what it prints in the background.
    pub(crate) fn output_file(&self) -> Result<PathBuf, Error> {
        Ok(self.log_dir()?.join(format!("{}.out", self.name)))
    }

    pub(crate) fn lock(&self) -> Option<&Path> {
        self.lock.as_deref()
    }

    /// Who holds the lock.
    pub(crate) fn holder(&self) -> Holder {
        let Some(lock) = self.lock() else { return Holder::Unknown };
        match is_daemon_alive(lock) {
            true => Holder::Process(read_lock_pid(lock)),
            false => Holder::Nobody,
        }
    }
}

/// Who holds the lock of an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Holder {
    /// A process, and which if its lock file says so.
    Process(Option<u32>),
    /// Nobody.
    Nobody,
    /// There is no lock to tell.
    Unknown,
}

fn layout(name: &str, scope: Scope) -> Result<Layout, Error> {
    Layout::new(name, scope, Environment::current()).map_err(|error| unfit(&error))
}

fn unfit(error: &PathError) -> Error {
    Error::new(Kind::Usage, with_sources(error))
}
