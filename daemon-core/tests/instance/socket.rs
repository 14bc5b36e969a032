use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use daemon_core::instance::{DaemonLock, SocketClaim, SocketError, SocketFault, is_daemon_alive};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, connect, listen, socket_with};
use tempfile::TempDir;

use super::{exists, mode};

struct Place {
    dir: TempDir,
    lock: DaemonLock,
    socket: PathBuf,
}

fn place() -> Place {
    let dir = TempDir::new().unwrap();
    let lock = DaemonLock::acquire(dir.path().join("daemon.lock")).unwrap();
    let socket = dir.path().join("daemon.sock");
    Place { dir, lock, socket }
}

impl Place {
    fn bind(&self) -> Result<(SocketClaim, UnixListener), SocketError> {
        SocketClaim::bind(&self.socket, &self.lock)
    }

    /// Binds in spite of what is there, and is connected to.
    #[track_caller]
    fn takes(&self) {
        let (claim, listener) = self.bind().unwrap();
        listener.set_nonblocking(false).unwrap();
        let client = UnixStream::connect(claim.path()).unwrap();
        drop(listener.accept().unwrap());
        drop(client);
        claim.release().unwrap();
        assert!(!exists(&self.socket));
    }
}

/// Leaves a socket on which nobody listens, as one that was killed does.
fn leave_dead(path: &Path) {
    drop(UnixListener::bind(path).unwrap());
    assert!(exists(path));
}

#[test]
fn a_socket_is_there_as_long_as_it_is_claimed() {
    let place = place();
    place.takes();
    place.takes();
}

#[test]
fn the_listener_waits_for_nothing_and_no_other_program_gets_it() {
    let place = place();
    let (_claim, listener) = place.bind().unwrap();
    assert!(rustix::io::fcntl_getfd(&listener).unwrap().contains(rustix::io::FdFlags::CLOEXEC));
    assert!(rustix::fs::fcntl_getfl(&listener).unwrap().contains(rustix::fs::OFlags::NONBLOCK));
}

#[test]
fn its_directory_is_made_for_the_user_alone() {
    let place = place();
    let socket = place.dir.path().join("run/daemon.sock");
    let (claim, _listener) = SocketClaim::bind(&socket, &place.lock).unwrap();
    assert_eq!(mode(claim.path().parent().unwrap()), 0o700);
}

#[test]
fn w20_nobody_else_may_connect() {
    let place = place();
    let (claim, _listener) = place.bind().unwrap();
    assert_eq!(mode(claim.path()), 0o600);
}

#[test]
fn a_dead_socket_is_cleared() {
    let place = place();
    leave_dead(&place.socket);
    place.takes();
}

#[test]
fn w10_a_living_socket_is_never_stolen() {
    let place = place();
    let owner = UnixListener::bind(&place.socket).unwrap();
    let refused = place.bind().unwrap_err();
    assert!(refused.is_live() && refused.path == place.socket, "{refused}");
    let client = UnixStream::connect(&place.socket).unwrap();
    drop((client, owner.accept().unwrap()));

    let (own, _listener) = SocketClaim::bind(place.dir.path().join("own"), &place.lock).unwrap();
    let again = SocketClaim::bind(own.path(), &place.lock).unwrap_err();
    assert!(again.is_live(), "not even from oneself");
}

#[test]
fn w10_a_living_socket_whose_queue_is_full_is_not_waited_for() {
    let place = place();
    let address = SocketAddrUnix::new(&place.socket).unwrap();
    let socket = || socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::NONBLOCK, None).unwrap();
    let owner = socket();
    bind(&owner, &address).unwrap();
    listen(&owner, 1).unwrap();
    let queued: Vec<_> =
        std::iter::repeat_with(socket).take_while(|client| connect(client, &address).is_ok()).collect();
    assert!(!queued.is_empty());
    assert!(place.bind().unwrap_err().is_live());
    assert!(exists(&place.socket));
}

#[test]
fn a_socket_of_another_kind_is_not_stolen_either() {
    let place = place();
    let _owner = UnixDatagram::bind(&place.socket).unwrap();
    assert!(place.bind().unwrap_err().is_live());
    assert!(exists(&place.socket));
}

#[test]
fn what_is_no_socket_is_refused_and_left_alone() {
    let place = place();
    let not_a_socket = |what: &str| match place.bind().unwrap_err().fault {
        SocketFault::NotASocket(found) => assert_eq!(found, what),
        other => panic!("{other}"),
    };
    fs::write(&place.socket, "precious").unwrap();
    not_a_socket("a file");
    assert_eq!(fs::read_to_string(&place.socket).unwrap(), "precious");
    fs::remove_file(&place.socket).unwrap();

    fs::create_dir(&place.socket).unwrap();
    not_a_socket("a directory");
    fs::remove_dir(&place.socket).unwrap();

    let dead = place.dir.path().join("dead");
    leave_dead(&dead);
    symlink(&dead, &place.socket).unwrap();
    not_a_socket("a symbolic link");
    assert!(exists(&dead));
    fs::remove_file(&place.socket).unwrap();

    assert!(std::process::Command::new("mkfifo").arg(&place.socket).status().unwrap().success());
    not_a_socket("something else");
    fs::remove_file(&place.socket).unwrap();
    place.takes();
}

#[test]
fn a_path_that_is_too_long_is_told_of() {
    let place = place();
    let longest = if cfg!(target_os = "linux") { 107 } else { 103 };
    let room = longest - place.dir.path().as_os_str().len() - 1;
    let fits = Place { socket: place.dir.path().join("s".repeat(room)), ..place };
    fits.takes();
    let too_long = Place { socket: fits.dir.path().join("s".repeat(room + 1)), ..fits };
    let refused = too_long.bind().unwrap_err();
    assert!(matches!(refused.fault, SocketFault::TooLong { limit } if limit == longest), "{refused}");
    assert!(refused.to_string().contains(&format!("longer than {longest} bytes; use a shorter one")), "{refused}");
}

#[test]
fn w10_only_what_is_ours_is_removed() {
    let place = place();
    let (claim, listener) = place.bind().unwrap();
    drop(listener); // its file's number is free again, were it not for the claim
    fs::remove_file(&place.socket).unwrap();
    let others = UnixListener::bind(&place.socket).unwrap();
    claim.release().unwrap();
    assert!(exists(&place.socket), "it is another's by now");
    drop(others);

    fs::remove_file(&place.socket).unwrap();
    let (claim, _listener) = place.bind().unwrap();
    fs::remove_file(&place.socket).unwrap();
    claim.release().unwrap();
}

#[test]
fn the_lock_is_not_given_back_before_the_socket() {
    let place = place();
    let path = place.lock.path().to_owned();
    let (claim, listener) = place.bind().unwrap();
    assert_eq!(claim.lock().path(), path);
    place.lock.release().unwrap();
    assert!(is_daemon_alive(&path));
    drop((claim, listener));
    assert!(!exists(&path) && !exists(&place.socket));
}

/// Nobody is there to be told by a value.
#[test]
fn what_cannot_be_removed_when_it_is_dropped_is_logged() {
    let told = crate::log::Log::default();
    let subscriber = tracing_subscriber::fmt().with_writer(told.clone()).finish();
    tracing::subscriber::with_default(subscriber, || {
        let place = place();
        let (claim, _listener) = place.bind().unwrap();
        let moved = place.dir.path().with_extension("moved");
        fs::rename(place.dir.path(), &moved).unwrap();
        fs::write(place.dir.path(), "in the way").unwrap();
        drop(claim);
        drop(place.lock);
        fs::remove_file(place.dir.path()).unwrap();
        fs::rename(moved, place.dir.path()).unwrap();
    });
    for line in ["cannot remove a socket", "cannot remove a lock file"] {
        assert!(told.line(line).is_some_and(|line| line.contains("WARN")), "{}", told.text());
    }
}
