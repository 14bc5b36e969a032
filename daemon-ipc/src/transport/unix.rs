//! Unix sockets: listening, connecting, and who is at the other end.

use super::socket::Socket;
use crate::{BindError, Peer};
use daemon_core::instance::{DaemonLock, LockError, SocketClaim, SocketError, SocketFault};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
    net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect as connect_socket, socket_with},
};
use std::{
    any::Any,
    io::{self, Read, Write},
    os::{
        fd::OwnedFd,
        unix::{fs::PermissionsExt, net as std_net},
    },
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::net::{UnixListener, UnixStream};

/// A listener and what gives its place back.
#[derive(Debug)]
pub(crate) struct Listener {
    listener: UnixListener,
    keep: Option<Box<dyn Any + Send + Sync>>,
}

impl Listener {
    pub(super) fn new(listener: std_net::UnixListener, keep: Option<Box<dyn Any + Send + Sync>>) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        Ok(Self { listener: UnixListener::from_std(listener)?, keep })
    }

    /// Takes the place at a path, for those whom the mode lets in: nobody but the user until it is as it should be.
    pub(super) fn claim(path: &Path, lock: &DaemonLock, mode: u32) -> Result<Self, BindError> {
        let failed = |source: io::Error| BindError::Io { path: path.to_owned(), source };
        let (claim, listener) = SocketClaim::bind(path, lock).map_err(refused)?;
        // Also if it is the usual one: the mask of the process may have taken something away.
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode & 0o777)).map_err(failed)?;
        Self::new(listener, Some(Box::new(claim))).map_err(failed)
    }

    pub(super) async fn accept(&self) -> io::Result<(Socket, Peer)> {
        let (stream, _) = self.listener.accept().await?;
        let peer = peer_of(&stream);
        Ok((Socket::new(stream.into_std()?)?, peer))
    }

    pub(super) fn withdraw(&mut self) {
        self.keep = None;
    }
}

/// Takes the lock beside a socket, for whoever has none.
pub(super) fn lock(socket: &Path) -> Result<DaemonLock, BindError> {
    let path = lock_beside(socket);
    DaemonLock::acquire(&path).map_err(|error| {
        if error.is_already_running() {
            return BindError::Live { path: socket.to_owned(), pid: error.pid };
        }
        let kind = error.io_kind().unwrap_or(io::ErrorKind::Other);
        BindError::Io { path, source: io::Error::new::<LockError>(kind, error) }
    })
}

/// Where the lock of a socket is: `daemon.lock` beside `daemon.sock`.
pub(crate) fn lock_beside(socket: &Path) -> PathBuf {
    match socket.extension() {
        Some(extension) if extension == "lock" => socket.with_extension("lock.lock"),
        _ => socket.with_extension("lock"),
    }
}

/// Why there is no claim.
fn refused(SocketError { path, fault, .. }: SocketError) -> BindError {
    match fault {
        SocketFault::TooLong { limit } => BindError::PathTooLong { path, limit },
        SocketFault::NotASocket(found) => BindError::NotASocket { path, found },
        SocketFault::Live => BindError::Live { path, pid: None },
        SocketFault::Io(source) => BindError::Io { path, source },
        // What there may be more in the future.
        fault => BindError::Io { path, source: io::Error::other(fault.to_string()) },
    }
}

/// Who connected. Somebody the system tells nothing about is nobody: no policy but one that lets everybody in lets them in.
fn peer_of(stream: &UnixStream) -> Peer {
    let mut peer = Peer::default();
    if let Ok(told) = stream.peer_cred() {
        peer.user = Some(told.uid());
        peer.group = Some(told.gid());
        peer.process = told.pid().and_then(|pid| u32::try_from(pid).ok());
    }
    peer
}

/// The user this process acts for.
pub(crate) fn current_user() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// Connects without waiting: `WouldBlock` if the queue of whoever listens is full.
pub(super) fn connect(path: &Path) -> io::Result<Socket> {
    Socket::new(connect_at_once(path)?)
}

fn connect_at_once(path: &Path) -> io::Result<std_net::UnixStream> {
    let socket = new_socket()?;
    let address = SocketAddrUnix::new(path)?;
    loop {
        match connect_socket(&socket, &address) {
            Ok(()) => return Ok(socket.into()),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// A connection for a thread that waits.
#[derive(Debug)]
pub(crate) struct Blocking {
    stream: std_net::UnixStream,
    /// What the system was told last.
    read_timeout: Option<Duration>,
    write_timeout: Option<Duration>,
}

impl Blocking {
    /// Connects without waiting: `WouldBlock` if the queue of whoever listens is full.
    pub(crate) fn connect(path: &Path) -> io::Result<Self> {
        let stream = connect_at_once(path)?;
        stream.set_nonblocking(false)?;
        Ok(Self { stream, read_timeout: None, write_timeout: None })
    }

    /// `WouldBlock` or `TimedOut` if nothing comes in time.
    pub(crate) fn read(&mut self, to: &mut [u8], timeout: Option<Duration>) -> io::Result<usize> {
        if self.read_timeout != timeout {
            self.stream.set_read_timeout(timeout)?;
            self.read_timeout = timeout;
        }
        self.stream.read(to)
    }

    /// `WouldBlock` or `TimedOut` if nothing is taken in time.
    pub(crate) fn write(&mut self, from: &[u8], timeout: Option<Duration>) -> io::Result<usize> {
        if self.write_timeout != timeout {
            self.stream.set_write_timeout(timeout)?;
            self.write_timeout = timeout;
        }
        self.stream.write(from)
    }
}

/// A socket that no other program gets and that never waits.
#[cfg(not(target_vendor = "apple"))]
fn new_socket() -> rustix::io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)
}

#[cfg(target_vendor = "apple")]
fn new_socket() -> rustix::io::Result<OwnedFd> {
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::empty(), None)?;
    rustix::io::fcntl_setfd(&socket, rustix::io::FdFlags::CLOEXEC)?;
    rustix::io::ioctl_fionbio(&socket, true)?;
    rustix::net::sockopt::set_socket_nosigpipe(&socket, true)?;
    Ok(socket)
}

/// Whether the other end is closed altogether, and not only for writing.
pub(super) fn is_gone(stream: &std_net::UnixStream) -> bool {
    // Others report a hang-up for one half, too.
    if cfg!(not(any(target_os = "linux", target_os = "android"))) {
        return false;
    }
    let mut asked = [PollFd::new(stream, PollFlags::empty())];
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut asked, Some(&now)).is_ok() && asked[0].revents().intersects(PollFlags::HUP | PollFlags::ERR)
}

/// Whether the system has bytes for this end.
pub(super) fn has_unread(stream: &std_net::UnixStream) -> bool {
    rustix::io::ioctl_fionread(stream).is_ok_and(|bytes| bytes > 0)
}
