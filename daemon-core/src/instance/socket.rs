//! The place of a socket in the file system: taken only under a lock, never from a living process, given back only if it
//! is still ours.

use std::fs::Metadata;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use rustix::fs::Mode;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, connect, listen, socket_with};

use super::dir;
use super::lock::DaemonLock;
use super::socket_error::{SocketError, SocketFault};
use super::sys::{self, Identity};

/// The longest path a socket can have: `sun_path` of `sockaddr_un` without its last byte, see unix(7).
const LONGEST: usize = if cfg!(any(target_os = "linux", target_os = "android")) { 107 } else { 103 };
/// How many connections wait to be accepted, at most; the system may allow fewer.
const BACKLOG: i32 = 1024;

/// A socket's place in the file system, which is this process's.
///
/// It is taken under the instance's lock, which it keeps: whoever has the lock is alone, so what is found at the path is
/// either dead and may go, or nothing of ours and stays. Dropping it removes the socket, unless the path has come to
/// name another; do so before the listener is closed, so that a client finds either somebody who answers or nothing.
#[derive(Debug)]
pub struct SocketClaim {
    path: PathBuf,
    identity: Identity,
    /// Keeps the number of the socket's file from being given to another while it is claimed.
    _pin: Option<OwnedFd>,
    given_back: bool,
    lock: DaemonLock,
}

impl SocketClaim {
    /// Clears what a dead process left at `path`, and listens there. The directory is made, for the user alone, if it is
    /// missing. Nobody but the user can connect (mode 0600); on Linux at no moment, elsewhere from a moment after the
    /// socket is there, until which its directory must keep others out.
    ///
    /// The listener does not block; it is ready for `tokio::net::UnixListener::from_std`.
    ///
    /// ```
    /// use daemon_core::instance::{DaemonLock, SocketClaim};
    ///
    /// let dir = std::env::temp_dir().join(format!("daemon-socket-example-{}", std::process::id()));
    /// let lock = DaemonLock::acquire(dir.join("daemon.lock"))?;
    /// let (claim, listener) = SocketClaim::bind(dir.join("daemon.sock"), &lock)?;
    /// // ... accept ...
    /// drop(claim);
    /// drop(listener);
    /// lock.release()?;
    /// std::fs::remove_dir(dir)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`SocketError`]: the path is too long; something else than a socket is there, or a living process listens there,
    /// and is left alone; the system refused.
    pub fn bind(path: impl AsRef<Path>, lock: &DaemonLock) -> Result<(Self, UnixListener), SocketError> {
        let path = path.as_ref();
        if path.as_os_str().len() > LONGEST {
            return Err(SocketError::new(path, SocketFault::TooLong { limit: LONGEST }));
        }
        let failed = |error: Errno| SocketError::io(path, error);
        dir::make_parent(path).map_err(|error| SocketError::io(path, error))?;
        let address = SocketAddrUnix::new(path).map_err(failed)?;
        clear(path, &address)?;
        let socket = socket().map_err(failed)?;
        // Linux gives the file the mode of the socket, so it is never open to others; see `unix_bind_bsd` in its source.
        #[cfg(any(target_os = "linux", target_os = "android"))]
        rustix::fs::fchmod(&socket, Mode::RUSR | Mode::WUSR).map_err(failed)?;
        bind(&socket, &address).map_err(failed)?;
        let claim = Self::of(path, lock).map_err(|error| SocketError::io(path, error))?;
        listen(&socket, BACKLOG).map_err(failed)?;
        Ok((claim, UnixListener::from(socket)))
    }

    /// The claim to a socket that was bound just now.
    fn of(path: &Path, lock: &DaemonLock) -> io::Result<Self> {
        #[cfg(not(any(target_os = "linux", target_os = "android")))]
        rustix::fs::chmod(path, Mode::RUSR | Mode::WUSR)?;
        let identity = sys::identity_at(path)?.ok_or(io::ErrorKind::NotFound)?;
        Ok(Self { path: path.to_owned(), identity, _pin: pin(path), given_back: false, lock: lock.clone() })
    }

    /// The socket's path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The lock it was taken under.
    #[must_use]
    pub fn lock(&self) -> &DaemonLock {
        &self.lock
    }

    /// Removes the socket, unless the path names another by now.
    ///
    /// # Errors
    /// [`SocketError`] if it cannot be removed.
    pub fn release(mut self) -> Result<(), SocketError> {
        self.remove().map_err(|error| SocketError::io(&self.path, error))
    }

    fn remove(&mut self) -> io::Result<()> {
        let was_given_back = std::mem::replace(&mut self.given_back, true);
        if was_given_back || sys::identity_at(&self.path)? != Some(self.identity) {
            return Ok(());
        }
        std::fs::remove_file(&self.path)
    }
}

impl Drop for SocketClaim {
    fn drop(&mut self) {
        if let Err(error) = self.remove() {
            tracing::warn!(path = %self.path.display(), %error, "cannot remove a socket");
        }
    }
}

/// A socket that no other program gets and that never waits.
#[cfg(not(target_vendor = "apple"))]
fn socket() -> rustix::io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)
}

#[cfg(target_vendor = "apple")]
fn socket() -> rustix::io::Result<OwnedFd> {
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::empty(), None)?;
    rustix::io::fcntl_setfd(&socket, rustix::io::FdFlags::CLOEXEC)?;
    rustix::io::ioctl_fionbio(&socket, true)?;
    Ok(socket)
}

/// Makes way: removes a socket on which nobody listens any more, and nothing else.
fn clear(path: &Path, address: &SocketAddrUnix) -> Result<(), SocketError> {
    let failed = |error: io::Error| SocketError::io(path, error);
    let found = match std::fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed(error)),
    };
    if let Some(what) = what_else(&found) {
        return Err(SocketError::new(path, SocketFault::NotASocket(what)));
    }
    if is_live(address).map_err(|error| SocketError::io(path, error))? {
        return Err(SocketError::new(path, SocketFault::Live));
    }
    if sys::identity_at(path).map_err(failed)? != Some(sys::identity(&found)) {
        return Ok(()); // it is not what was asked; binding tells what it is
    }
    match std::fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed.map_err(failed),
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
    match connect(socket()?, address) {
        // Not accepted yet, or a socket of another type: it is somebody's.
        Ok(()) | Err(Errno::AGAIN | Errno::INPROGRESS | Errno::PROTOTYPE | Errno::INTR) => Ok(true),
        Err(Errno::CONNREFUSED | Errno::NOENT) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Holds on to the file of a socket without opening the socket, which cannot be done.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn pin(path: &Path) -> Option<OwnedFd> {
    use rustix::fs::OFlags;

    rustix::fs::open(path, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty()).ok()
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn pin(_path: &Path) -> Option<OwnedFd> {
    None
}
