//! Where the files of a daemon are: a function of its name, whose it is, and the environment. No I/O, but for
//! [`Layout::create_dir`].
//!
//! The table is that of `@outfitter/daemon`, so that its programs and ours find each other; what it leaves open (a
//! missing `/run/user/<uid>`, logs, state, a service manager's folders) is written down at [`Layout`].

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use super::dir::make_private;
use super::environment::{Environment, Platform};
use super::error::PathError;

/// Whose a daemon is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Scope {
    /// That of the user who runs it.
    #[default]
    User,
    /// The machine's.
    System,
}

/// Where one daemon's files are.
///
/// For a user, with the first that applies:
///
/// | | Linux | macOS | Windows |
/// |---|---|---|---|
/// | [`dir`](Self::dir) | `$RUNTIME_DIRECTORY`; `$XDG_RUNTIME_DIR/<name>`; `/run/user/<uid>/<name>`; for root `/run/<name>`, for others `/tmp/<name>-<uid>` | `$RUNTIME_DIRECTORY`; `$XDG_RUNTIME_DIR/<name>`; `$TMPDIR/<name>`; `/tmp/<name>-<uid>` | `%TEMP%` |
/// | [`socket`](Self::socket) | `daemon.sock` in it | the same | `\\.\pipe\<name>-daemon` |
/// | [`lock`](Self::lock) | `daemon.lock` in it | the same | `<name>-daemon.lock` in it |
/// | [`pid`](Self::pid) | `daemon.pid` in it | the same | `<name>-daemon.pid` in it |
/// | [`state`](Self::state) | `$STATE_DIRECTORY`; `$XDG_STATE_HOME/<name>`; `~/.local/state/<name>` | `~/Library/Application Support/<name>` | `%LOCALAPPDATA%\<name>` |
/// | [`logs`](Self::logs) | `$LOGS_DIRECTORY`; `$XDG_STATE_HOME/log/<name>`; `~/.local/state/log/<name>` | `~/Library/Logs/<name>` | `%LOCALAPPDATA%\<name>\logs` |
///
/// For the [system](Scope::System): `/run/<name>`, `/var/lib/<name>` and `/var/log/<name>` on Linux; `/var/run/<name>`,
/// `/Library/Application Support/<name>` and `/Library/Logs/<name>` on macOS; `%PROGRAMDATA%\<name>` on Windows.
///
/// A service manager's folders (systemd.exec(5), `RuntimeDirectory=` and the like) come first everywhere but on
/// Windows. Of several, the one whose last part is the daemon's name is taken; if there is none, a folder of that name
/// in the first. A variable that is empty or not absolute counts as unset.
#[derive(Clone, Debug)]
pub struct Layout {
    name: String,
    scope: Scope,
    environment: Environment,
}

impl Layout {
    /// Where the files of the daemon `name` are, in this environment.
    ///
    /// # Errors
    /// [`PathError::Name`]: a name is `a-z`, `0-9`, `.`, `_` and `-`, begins with a letter or a digit, and has at most
    /// 64 characters, so that it is one part of a path everywhere.
    pub fn new(name: &str, scope: Scope, environment: Environment) -> Result<Self, PathError> {
        daemon_grammar::name::check(name)?;
        Ok(Self { name: name.to_owned(), scope, environment })
    }

    /// As [`new`](Self::new), for the user who runs this process.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn of(name: &str) -> Result<Self, PathError> {
        Self::new(name, Scope::User, Environment::current())
    }

    /// As [`new`](Self::new), for a daemon of the system.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn system(name: &str) -> Result<Self, PathError> {
        Self::new(name, Scope::System, Environment::current())
    }

    /// The directory of its socket, lock and PID file.
    ///
    /// # Errors
    /// [`PathError::Unset`] on Windows, if no variable names a directory for it.
    pub fn dir(&self) -> Result<PathBuf, PathError> {
        if let Some(given) = self.given("RUNTIME_DIRECTORY") {
            return Ok(given);
        }
        let environment = &self.environment;
        match (environment.platform, self.scope) {
            (Platform::Linux, Scope::System) => Ok(self.under("/run")),
            (Platform::MacOs, Scope::System) => Ok(self.under("/var/run")),
            (Platform::Windows, Scope::System) => {
                self.first("its files", &["PROGRAMDATA"]).map(|base| self.under(base))
            }
            (Platform::Windows, Scope::User) => Ok(self.windows_temporary()?.into()),
            (Platform::Linux | Platform::MacOs, Scope::User) => Ok(self.unix_runtime_dir()),
        }
    }

    fn unix_runtime_dir(&self) -> PathBuf {
        let environment = &self.environment;
        let is_mac = environment.platform == Platform::MacOs;
        if let Some(given) = environment.absolute("XDG_RUNTIME_DIR") {
            return self.under(given);
        }
        if let Some(temporary) = environment.absolute("TMPDIR").filter(|_| is_mac) {
            return self.under(temporary);
        }
        if environment.has_run_user && !is_mac {
            return self.under(format!("/run/user/{}", environment.uid));
        }
        if environment.uid == 0 && !is_mac {
            return self.under("/run");
        }
        // Everybody may write there: whoever makes the directory looks whether it is really ours.
        join("/tmp".into(), '/', &format!("{}-{}", self.name, environment.uid)).into()
    }

    /// Its socket: a file, or on Windows the name of a pipe.
    ///
    /// # Errors
    /// As [`dir`](Self::dir).
    pub fn socket(&self) -> Result<PathBuf, PathError> {
        match self.environment.platform {
            Platform::Windows => Ok(format!(r"\\.\pipe\{}-daemon", self.name).into()),
            Platform::Linux | Platform::MacOs => self.file("sock"),
        }
    }

    /// Its lock file.
    ///
    /// # Errors
    /// As [`dir`](Self::dir).
    pub fn lock(&self) -> Result<PathBuf, PathError> {
        self.file("lock")
    }

    /// Its PID file.
    ///
    /// # Errors
    /// As [`dir`](Self::dir).
    pub fn pid(&self) -> Result<PathBuf, PathError> {
        self.file("pid")
    }

    /// The directory of what it keeps from one run to the next.
    ///
    /// # Errors
    /// [`PathError::Unset`] if no variable says where the user's files are.
    pub fn state(&self) -> Result<PathBuf, PathError> {
        if let Some(given) = self.given("STATE_DIRECTORY") {
            return Ok(given);
        }
        match (self.environment.platform, self.scope) {
            (Platform::Linux, Scope::System) => Ok(self.under("/var/lib")),
            (Platform::Linux, Scope::User) => match self.user_state() {
                Ok(base) => Ok(self.under(base)),
                Err(_) if self.environment.uid == 0 => Ok(self.under("/var/lib")),
                Err(error) => Err(error),
            },
            (Platform::MacOs, Scope::System) => Ok(self.under("/Library/Application Support")),
            (Platform::MacOs, Scope::User) => Ok(self.under(self.home("Library/Application Support")?)),
            (Platform::Windows, scope) => self.windows_data(scope),
        }
    }

    /// The directory of its logs.
    ///
    /// # Errors
    /// As [`state`](Self::state).
    pub fn logs(&self) -> Result<PathBuf, PathError> {
        if let Some(given) = self.given("LOGS_DIRECTORY") {
            return Ok(given);
        }
        match (self.environment.platform, self.scope) {
            (Platform::Linux, Scope::System) => Ok(self.under("/var/log")),
            (Platform::Linux, Scope::User) => match self.user_state() {
                Ok(base) => Ok(self.under(join(base, '/', "log"))),
                Err(_) if self.environment.uid == 0 => Ok(self.under("/var/log")),
                Err(error) => Err(error),
            },
            (Platform::MacOs, Scope::System) => Ok(self.under("/Library/Logs")),
            (Platform::MacOs, Scope::User) => Ok(self.under(self.home("Library/Logs")?)),
            (Platform::Windows, scope) => Ok(join(self.windows_data(scope)?.into(), '\\', "logs").into()),
        }
    }

    /// Makes [`dir`](Self::dir) a directory in which nobody else can put anything (mode 0700), and returns it. One that a
    /// service manager made for this daemon is taken as it is.
    ///
    /// # Errors
    /// As [`dir`](Self::dir); [`PathError::Unsafe`] if it is there, but a link, somebody else's, or open to others;
    /// [`PathError::Io`] if it cannot be made.
    pub fn create_dir(&self) -> Result<PathBuf, PathError> {
        let dir = self.dir()?;
        let is_given = self.of_manager("RUNTIME_DIRECTORY").iter().any(|given| self.is_own(given));
        make_private(&dir, is_given)?;
        Ok(dir)
    }

    /// The directory for this daemon that a service manager has made, or one in that.
    fn given(&self, variable: &str) -> Option<PathBuf> {
        let paths = self.of_manager(variable);
        match paths.iter().find(|path| self.is_own(path)) {
            Some(own) => Some((*own).into()),
            None => paths.first().map(|first| self.under(*first)),
        }
    }

    /// The directories that a service manager has made.
    fn of_manager(&self, variable: &str) -> Vec<&str> {
        let paths = self.environment.list(variable).filter(|_| self.environment.platform.is_unix());
        paths.map(|path| path.trim_end_matches('/')).collect()
    }

    /// Whether a directory was made for this daemon alone.
    fn is_own(&self, path: &str) -> bool {
        path.rsplit('/').next() == Some(&self.name)
    }

    fn file(&self, kind: &str) -> Result<PathBuf, PathError> {
        let dir = self.dir()?.into_os_string();
        Ok(match self.environment.platform {
            Platform::Windows => join(dir, '\\', &format!("{}-daemon.{kind}", self.name)),
            Platform::Linux | Platform::MacOs => join(dir, '/', &format!("daemon.{kind}")),
        }
        .into())
    }

    fn under(&self, base: impl Into<OsString>) -> PathBuf {
        join(base.into(), self.separator(), &self.name).into()
    }

    fn separator(&self) -> char {
        if self.environment.platform.is_unix() { '/' } else { '\\' }
    }

    /// `$XDG_STATE_HOME`, or what stands for it.
    fn user_state(&self) -> Result<OsString, PathError> {
        match self.environment.absolute("XDG_STATE_HOME") {
            Some(given) => Ok(given.to_owned()),
            None => self.home(".local/state"),
        }
    }

    fn home(&self, below: &str) -> Result<OsString, PathError> {
        Ok(join(self.first("what it keeps", &["HOME"])?.to_owned(), '/', below))
    }

    fn windows_data(&self, scope: Scope) -> Result<PathBuf, PathError> {
        let variables: &[_] = if scope == Scope::System { &["PROGRAMDATA"] } else { &["LOCALAPPDATA"] };
        self.first("what it keeps", variables).map(|base| self.under(base))
    }

    /// The folder of temporary files, by the rules of Node, whose programs look for ours there.
    fn windows_temporary(&self) -> Result<OsString, PathError> {
        let found = self.first("its files", &["TEMP", "TMP"])?;
        let path = found.to_str().map(|path| path.trim_end_matches('\\'));
        Ok(path.map_or_else(|| found.to_owned(), OsString::from))
    }

    fn first(&self, of: &'static str, variables: &'static [&'static str]) -> Result<&OsStr, PathError> {
        let found = variables.iter().find_map(|variable| self.environment.absolute(variable));
        found.ok_or_else(|| PathError::Unset { of, variables: variables.join(" or ") })
    }
}

/// A path in the syntax of the platform it is for, which need not be this one.
fn join(mut base: OsString, separator: char, part: &str) -> OsString {
    let ends = base.as_encoded_bytes().last().is_some_and(|last| *last == b'/' || char::from(*last) == separator);
    if !ends {
        base.push(separator.encode_utf8(&mut [0; 4]));
    }
    base.push(part);
    base
}

#[cfg(test)]
mod tests;
