//! A socket's place in the file system: taken from the dead only, given back only if it is still ours.
//!
//! Invariants:
//! 1. Looking and acting are one step for all who claim through here: it is done with the directory locked.
//! 2. Nobody but the user can connect at any moment on Linux; elsewhere from a moment after the socket is there.
//! 3. Only sockets are ever removed.

use super::unix::new_socket;
use crate::error::BindError;
use rustix::{
    fs::{Mode, fchmod},
    io::Errno,
    net::{SocketAddrUnix, bind, connect, listen},
};
use std::{
    fs::{self, DirBuilder, File, Metadata, TryLockError},
    io,
    os::unix::{
        fs::{DirBuilderExt, FileTypeExt, MetadataExt},
        net::UnixListener,
    },
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

/// The longest path a socket can have: `sun_path` of `sockaddr_un` without its last byte, see unix(7).
const LONGEST: usize = if cfg!(any(target_os = "linux", target_os = "android")) { 107 } else { 103 };

/// How many connections wait to be accepted, at most; the system may allow fewer.
const BACKLOG: i32 = 1024;

/// How long another may keep the directory locked, who needs it for as long as it takes to bind a socket.
const PATIENCE: Duration = Duration::from_secs(2);

/// The place of a bound socket. Dropping it removes the socket, unless another has taken its place.
#[derive(Debug)]
pub(super) struct Claim {
    path: PathBuf,
    identity: (u64, u64),
}

impl Claim {
    /// Listens at a path, whose directory is made if it is missing.
    pub(super) fn bind(path: &Path, mode: u32) -> Result<(Self, UnixListener), BindError> {
        if path.as_os_str().len() > LONGEST {
            return Err(BindError::PathTooLong { path: path.to_owned(), limit: LONGEST });
        }
        let failed = |source: io::Error| BindError::Io { path: path.to_owned(), source };
        let refused = |error: Errno| failed(error.into());
        let directory = directory_of(path);
        DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(failed)?;
        let _lock = lock(directory).map_err(failed)?;
        let address = SocketAddrUnix::new(path).map_err(refused)?;
        clear(path, &address)?;

        let mode = Mode::from_raw_mode(rustix::fs::RawMode::try_from(mode & 0o777).unwrap_or(0o600));
        let socket = new_socket().map_err(refused)?;
        // Linux gives the file the mode of the socket, so it is never open to others; see `unix_bind_bsd` in its source. What
        // the process's mask takes away is given back below.
        #[cfg(any(target_os = "linux", target_os = "android"))]
        fchmod(&socket, mode).map_err(refused)?;
        bind(&socket, &address).map_err(refused)?;
        let found = fs::symlink_metadata(path).map_err(failed)?;
        let claim = Self { path: path.to_owned(), identity: identity(&found) };
        rustix::fs::chmod(path, mode).map_err(refused)?;
        listen(&socket, BACKLOG).map_err(refused)?;
        Ok((claim, UnixListener::from(socket)))
    }

    fn remove(&self) -> io::Result<()> {
        let _lock = lock(directory_of(&self.path))?;
        match fs::symlink_metadata(&self.path) {
            Ok(found) if identity(&found) == self.identity && found.file_type().is_socket() => {
                fs::remove_file(&self.path)
            }
            Ok(_) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if let Err(error) = self.remove()
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(path = %self.path.display(), %error, "cannot remove a socket");
        }
    }
}

fn directory_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Locks a directory until the file is dropped. Leaves nothing behind, and ends with its process.
fn lock(directory: &Path) -> io::Result<File> {
    let file = File::open(directory)?;
    let since = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::Error(error)) => return Err(error),
            Err(TryLockError::WouldBlock) if since.elapsed() > PATIENCE => {
                return Err(io::Error::new(io::ErrorKind::TimedOut, "another process keeps the directory locked"));
            }
            Err(TryLockError::WouldBlock) => thread::sleep(Duration::from_millis(1)),
        }
    }
}

/// Makes way: removes a socket on which nobody listens any more, and nothing else.
fn clear(path: &Path, address: &SocketAddrUnix) -> Result<(), BindError> {
    let failed = |source: io::Error| BindError::Io { path: path.to_owned(), source };
    let found = match fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed(error)),
    };
    if let Some(found) = what_else(&found) {
        return Err(BindError::NotASocket { path: path.to_owned(), found });
    }
    if is_live(address).map_err(|error| failed(error.into()))? {
        return Err(BindError::Live { path: path.to_owned() });
    }
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed(error)),
        _ => Ok(()),
    }
}

/// What something is that is not a socket.
fn what_else(found: &Metadata) -> Option<&'static str> {
    let kind = found.file_type();
    if kind.is_socket() {
        None
    } else if kind.is_symlink() {
        Some("a symbolic link")
    } else if kind.is_dir() {
        Some("a directory")
    } else if kind.is_file() {
        Some("a file")
    } else {
        Some("something else")
    }
}

/// Whether somebody listens there. Never waits: one whose queue is full is alive.
fn is_live(address: &SocketAddrUnix) -> rustix::io::Result<bool> {
    match connect(new_socket()?, address) {
        // Not accepted yet, or a socket of another type: it is somebody's.
        Ok(()) | Err(Errno::AGAIN | Errno::INPROGRESS | Errno::PROTOTYPE | Errno::INTR) => Ok(true),
        Err(Errno::CONNREFUSED | Errno::NOENT) => Ok(false),
        Err(error) => Err(error),
    }
}

fn identity(found: &Metadata) -> (u64, u64) {
    (found.dev(), found.ino())
}
