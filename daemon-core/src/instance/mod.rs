//! One instance: where its files are, the lock that nobody else can have, the process that holds it.
//!
//! [`Host::run`](crate::Host::run) does all this by itself; here it is for programs that do it by hand, and for those that
//! look for a daemon from outside.
//!
//! ```
//! use daemon_core::instance;
//!
//! let lock = instance::lock_path("waymark")?; // "/run/user/1000/waymark/daemon.lock"
//! if instance::is_daemon_alive(&lock) {
//!     println!("it runs, with PID {:?}", instance::read_lock_pid(&lock));
//! }
//! # Ok::<(), instance::PathError>(())
//! ```

mod dir;
mod environment;
mod error;
mod held;
mod layout;
mod lock;
mod pid;
#[cfg(unix)]
mod socket;
#[cfg(unix)]
mod socket_error;
mod sys;

use std::path::PathBuf;

pub use environment::{Environment, Platform, is_unix_platform};
pub use error::{LockError, PathError};
pub use layout::{Layout, Scope};
pub use lock::{DaemonLock, PidFile};
pub use pid::{is_daemon_alive, is_process_alive, read_lock_pid};
#[cfg(unix)]
pub use socket::SocketClaim;
#[cfg(unix)]
pub use socket_error::{SocketError, SocketFault};

/// The directory of the socket, lock and PID file of the user's daemon `name`; see [`Layout`].
///
/// # Errors
/// [`PathError`]: the name is none, or on Windows no variable names a directory for it.
pub fn daemon_dir(name: &str) -> Result<PathBuf, PathError> {
    Layout::of(name)?.dir()
}

/// The socket of the user's daemon `name`; see [`Layout`].
///
/// # Errors
/// As [`daemon_dir`].
pub fn socket_path(name: &str) -> Result<PathBuf, PathError> {
    Layout::of(name)?.socket()
}

/// The lock file of the user's daemon `name`; see [`Layout`].
///
/// # Errors
/// As [`daemon_dir`].
pub fn lock_path(name: &str) -> Result<PathBuf, PathError> {
    Layout::of(name)?.lock()
}

/// The PID file of the user's daemon `name`; see [`Layout`].
///
/// # Errors
/// As [`daemon_dir`].
pub fn pid_path(name: &str) -> Result<PathBuf, PathError> {
    Layout::of(name)?.pid()
}

/// The directory of the logs of the user's daemon `name`; see [`Layout`].
///
/// # Errors
/// [`PathError`]: the name is none, or no variable says where the user's files are.
pub fn log_dir(name: &str) -> Result<PathBuf, PathError> {
    Layout::of(name)?.logs()
}

/// The directory of what the user's daemon `name` keeps from one run to the next; see [`Layout`].
///
/// # Errors
/// As [`log_dir`].
pub fn state_dir(name: &str) -> Result<PathBuf, PathError> {
    Layout::of(name)?.state()
}
