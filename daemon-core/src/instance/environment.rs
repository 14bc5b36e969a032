//! What the places of a daemon's files depend on: the platform, the user, and some variables of the environment.
//!
//! [`Environment::current`] is the edge that reads them; everything else is given one.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};

/// A platform, as far as places differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Platform {
    /// Linux, and every other Unix that is not Apple's.
    Linux,
    /// macOS.
    MacOs,
    /// Windows, and whatever else is no Unix.
    Windows,
}

impl Platform {
    /// The platform this program was built for.
    #[must_use]
    pub const fn current() -> Self {
        if cfg!(target_vendor = "apple") {
            Self::MacOs
        } else if cfg!(unix) {
            Self::Linux
        } else {
            Self::Windows
        }
    }

    /// Whether it has Unix domain sockets and permissions as Unix knows them.
    #[must_use]
    pub const fn is_unix(self) -> bool {
        matches!(self, Self::Linux | Self::MacOs)
    }
}

/// Whether this program runs on a Unix, where sockets are files. On Windows they are named pipes.
///
/// ```
/// assert_eq!(daemon_core::instance::is_unix_platform(), cfg!(unix));
/// ```
#[must_use]
pub const fn is_unix_platform() -> bool {
    Platform::current().is_unix()
}

/// The variables that places depend on.
const VARIABLES: [&str; 11] = [
    "RUNTIME_DIRECTORY",
    "STATE_DIRECTORY",
    "LOGS_DIRECTORY",
    "XDG_RUNTIME_DIR",
    "XDG_STATE_HOME",
    "HOME",
    "TMPDIR",
    "TMP",
    "TEMP",
    "LOCALAPPDATA",
    "PROGRAMDATA",
];

/// All that the places of a daemon's files depend on besides its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Environment {
    pub(super) platform: Platform,
    pub(super) uid: u32,
    pub(super) has_run_user: bool,
    variables: BTreeMap<String, OsString>,
}

impl Environment {
    /// An environment without variables, in which `/run/user/<uid>` does not exist. `uid` is ignored on Windows.
    #[must_use]
    pub const fn new(platform: Platform, uid: u32) -> Self {
        Self { platform, uid, has_run_user: false, variables: BTreeMap::new() }
    }

    /// This process's own, read anew at each call.
    #[must_use]
    pub fn current() -> Self {
        let platform = Platform::current();
        let uid = super::sys::effective_uid();
        let mut environment = Self::new(platform, uid);
        environment.has_run_user = std::path::Path::new(&format!("/run/user/{uid}")).is_dir();
        for name in VARIABLES {
            if let Some(value) = std::env::var_os(name) {
                environment.variables.insert(name.to_owned(), value);
            }
        }
        if platform == Platform::MacOs && environment.absolute("TMPDIR").is_none() {
            // The user's own folder of temporary files, which the system knows without the variable.
            let temporary = std::env::temp_dir();
            if temporary != std::path::Path::new("/tmp") {
                environment.variables.insert("TMPDIR".to_owned(), temporary.into());
            }
        }
        environment
    }

    /// Sets a variable.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.variables.insert(name.to_owned(), value.into());
        self
    }

    /// Says that `/run/user/<uid>` exists.
    #[must_use]
    pub const fn with_run_user(mut self) -> Self {
        self.has_run_user = true;
        self
    }

    /// A variable that holds a path. One that is not absolute is as good as unset: see the XDG base directory
    /// specification.
    pub(super) fn absolute(&self, name: &str) -> Option<&OsStr> {
        let value = self.variables.get(name)?.as_os_str();
        self.is_absolute(value).then_some(value)
    }

    /// The paths of a variable that holds several of them.
    pub(super) fn list(&self, name: &str) -> impl Iterator<Item = &str> {
        // A list that is not text is none of a service manager's.
        let list = self.variables.get(name).and_then(|value| value.to_str()).unwrap_or_default();
        list.split(':').filter(|path| self.is_absolute(OsStr::new(path)))
    }

    fn is_absolute(&self, path: &OsStr) -> bool {
        let path = path.as_encoded_bytes();
        let is_slash = |at: usize| path.get(at).is_some_and(|byte| matches!(byte, b'/' | b'\\'));
        if self.platform.is_unix() {
            return path.first() == Some(&b'/');
        }
        let on_drive = path.first().is_some_and(u8::is_ascii_alphabetic) && path.get(1) == Some(&b':') && is_slash(2);
        on_drive || (is_slash(0) && is_slash(1))
    }
}
