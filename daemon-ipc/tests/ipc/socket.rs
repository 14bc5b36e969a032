//! Real sockets: their place in the file system, who may use them, and how many.

use crate::acts::{Act, Acts};
use crate::raw::Raw;
use daemon_ipc::{BindError, Connection, ConnectionError, Limits, Policy, RequestError, Server, code};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;
use tokio::time::timeout;

const SOON: Duration = Duration::from_secs(30);
const ECHO: &str = r#"{"id":"e","type":"request","payload":{"act":"echo"}}"#;

fn place() -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("daemon.sock");
    (dir, path)
}

fn listen(path: &Path) -> Result<Server, BindError> {
    Server::builder(Acts::new().0).listen(path)
}

fn mode(path: &Path) -> u32 {
    path.metadata().unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn a_socket_is_there_while_its_server_is_and_for_its_owner_alone() {
    let (dir, path) = place();
    let nested = dir.path().join("new/er/daemon.sock");
    for path in [path, nested] {
        let server = listen(&path).unwrap();
        assert!(path.metadata().unwrap().file_type().is_socket());
        assert_eq!(mode(&path), 0o600);
        let handle = server.handle();
        assert_eq!(handle.endpoint().path(), Some(&*path));
        let running = tokio::spawn(server.run());
        let connection = Connection::connect(&path).await.unwrap();
        assert_eq!(connection.call::<_, u64>(&Act::After { ms: 1 }).await.unwrap(), 1);
        handle.close();
        timeout(SOON, running).await.unwrap().unwrap();
        assert!(!path.exists());
    }
    assert_eq!(mode(&dir.path().join("new")), 0o700);
}

#[tokio::test]
async fn a_socket_may_be_for_others_if_that_is_wanted() {
    let (_dir, path) = place();
    let server = Server::builder(Acts::new().0).mode(0o666).policy(Policy::anyone()).listen(&path).unwrap();
    assert_eq!(mode(&path), 0o666);
    drop(server);
    assert!(!path.exists());
}

#[tokio::test]
async fn the_socket_of_a_dead_server_is_cleared_away() {
    let (_dir, path) = place();
    drop(UnixListener::bind(&path).unwrap()); // its file stays, as after a kill -9
    assert!(path.exists());
    std::fs::write(path.with_extension("lock"), "4711\n").unwrap();
    let error = Connection::connect(&path).await.unwrap_err();
    let ConnectionError::StaleSocket { socket_path, pid } = &error else { panic!("{error:?}") };
    assert_eq!((socket_path, *pid, error.tag()), (&path, Some(4711), "StaleSocketError"));
    assert!(error.is_not_running());

    let server = listen(&path).unwrap();
    tokio::spawn(server.run());
    Connection::connect(&path).await.unwrap();
}

#[tokio::test]
async fn a_server_holds_the_lock_beside_its_socket_and_a_second_one_is_told_who_does() {
    let (_dir, path) = place();
    let lock = path.with_extension("lock");
    let first = listen(&path).unwrap();
    assert_eq!(std::fs::read_to_string(&lock).unwrap(), format!("{}\n", std::process::id()));
    let Err(BindError::Live { pid, .. }) = listen(&path) else { panic!("a second server") };
    assert_eq!(pid, Some(std::process::id()));
    drop(first);
    assert!(!lock.exists() && !path.exists());

    // A socket whose own name looks like that of a lock has another.
    let odd = path.with_extension("lock");
    let server = listen(&odd).unwrap();
    assert!(odd.metadata().unwrap().file_type().is_socket());
    assert!(path.with_extension("lock.lock").exists());
    drop(server);
}

#[tokio::test]
async fn whoever_has_the_lock_already_listens_under_it() {
    let (_dir, path) = place();
    let lock = daemon_core::instance::DaemonLock::acquire(path.with_extension("lock")).unwrap();
    assert!(matches!(listen(&path), Err(BindError::Live { .. })));
    let server = Server::builder(Acts::new().0).listen_under(&lock, &path).unwrap();
    let handle = server.handle();
    let running = tokio::spawn(server.run());
    let connection = Connection::connect(&path).await.unwrap();
    assert_eq!(connection.call::<_, u64>(&Act::After { ms: 1 }).await.unwrap(), 1);
    handle.close();
    timeout(SOON, running).await.unwrap().unwrap();
    assert!(!path.exists() && lock.path().exists(), "the lock is still the caller's");
    lock.release().unwrap();
}

#[tokio::test]
async fn a_living_server_without_a_lock_keeps_its_socket() {
    let (_dir, path) = place();
    let first = UnixListener::bind(&path).unwrap();
    let before = path.metadata().unwrap().ino();
    assert!(matches!(listen(&path), Err(BindError::Live { pid: None, .. })));
    // Also one that has no room for more, and one of another kind.
    let full: Vec<_> = (0..5000).map_while(|_| connect_at_once(&path)).collect();
    assert!(full.len() < 5000, "its queue has an end");
    assert!(matches!(listen(&path), Err(BindError::Live { .. })));
    assert_eq!(path.metadata().unwrap().ino(), before);
    drop(first);
    std::fs::remove_file(&path).unwrap();

    let datagrams = std::os::unix::net::UnixDatagram::bind(&path).unwrap();
    assert!(matches!(listen(&path), Err(BindError::Live { .. })));
    drop(datagrams);
}

/// A connection, unless the queue is full.
fn connect_at_once(path: &Path) -> Option<rustix::fd::OwnedFd> {
    use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None).unwrap();
    connect(&socket, &SocketAddrUnix::new(path).unwrap()).ok().map(|()| socket)
}

#[tokio::test]
async fn a_full_queue_is_waited_for_and_not_for_ever() {
    let (_dir, path) = place();
    let server = listen(&path).unwrap();
    let full: Vec<_> = (0..5000).map_while(|_| connect_at_once(&path)).collect();
    let hasty = Connection::builder(&path).connect_timeout(Duration::from_millis(200)).build();
    let error = hasty.reconnect().await.unwrap_err();
    assert!(matches!(error, ConnectionError::Timeout { awaited: "connection", .. }), "{error}");
    let error = daemon_ipc::blocking::Connection::builder(&path).connect_timeout(Duration::from_millis(200)).connect();
    assert!(error.unwrap_err().is_timeout());

    let patient =
        tokio::spawn(
            async move { Connection::connect(&path).await.unwrap().call::<_, u64>(&Act::After { ms: 1 }).await },
        );
    drop(full);
    tokio::spawn(server.run());
    assert_eq!(timeout(SOON, patient).await.unwrap().unwrap().unwrap(), 1);
}

#[tokio::test]
async fn what_is_no_socket_is_left_alone() {
    let (dir, path) = place();
    let victim = dir.path().join("victim");
    std::fs::write(&victim, "precious").unwrap();
    std::fs::write(&path, "a file").unwrap();
    let refused = |what: &str| match listen(&path) {
        Err(error @ BindError::NotASocket { .. }) => assert!(error.to_string().starts_with(what), "{error}"),
        other => panic!("{other:?}"),
    };
    refused("a file");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "a file");
    std::fs::remove_file(&path).unwrap();

    std::fs::create_dir(&path).unwrap();
    refused("a directory");
    std::fs::remove_dir(&path).unwrap();

    for target in [victim.clone(), dir.path().join("nothing")] {
        std::os::unix::fs::symlink(&target, &path).unwrap();
        refused("a symbolic link");
        std::fs::remove_file(&path).unwrap();
    }
    assert_eq!(std::fs::read_to_string(&victim).unwrap(), "precious");
    assert!(!dir.path().join("nothing").exists());

    // Nor a link to a living socket of somebody else.
    let other = dir.path().join("other.sock");
    let _other = listen(&other).unwrap();
    std::os::unix::fs::symlink(&other, &path).unwrap();
    refused("a symbolic link");
}

#[tokio::test]
async fn places_where_no_socket_can_be_are_told() {
    let (dir, _) = place();
    let long = dir.path().join("x".repeat(200)).join("daemon.sock");
    let error = listen(&long).unwrap_err();
    assert!(matches!(error, BindError::PathTooLong { limit: 103..=107, .. }), "{error}");
    let error = Connection::connect(&long).await.unwrap_err();
    assert!(matches!(error, ConnectionError::Refused { .. }), "{error}");

    std::fs::write(dir.path().join("file"), "").unwrap();
    let error = listen(&dir.path().join("file/daemon.sock")).unwrap_err();
    assert!(matches!(error, BindError::Io { .. }), "{error}");
    let error = Connection::connect(&dir.path().join("absent.sock")).await.unwrap_err();
    assert!(matches!(error, ConnectionError::Refused { .. }), "{error}");
}

#[tokio::test]
async fn a_socket_that_has_become_anothers_is_left_alone() {
    let (_dir, path) = place();
    let first = listen(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    let other = UnixListener::bind(&path).unwrap();
    drop(first);
    assert!(path.exists());
    UnixStream::connect(&path).unwrap();
    drop(other);
}

#[tokio::test]
async fn many_that_want_one_place_agree_on_one() {
    let (_dir, path) = place();
    for round in 0..20 {
        if round % 2 == 0 {
            drop(UnixListener::bind(&path)); // something dead to clear away first
        }
        let runtime = tokio::runtime::Handle::current();
        let threads: Vec<_> = (0..8)
            .map(|_| {
                let (path, runtime) = (path.clone(), runtime.clone());
                std::thread::spawn(move || {
                    let _runtime = runtime.enter();
                    listen(&path)
                })
            })
            .collect();
        let outcomes: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
        let winners = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
        let losers = outcomes.iter().filter(|outcome| matches!(outcome, Err(BindError::Live { .. }))).count();
        assert_eq!((winners, losers), (1, 7), "{outcomes:?}");
        UnixStream::connect(&path).unwrap();
        drop(outcomes);
        assert!(!path.exists());
    }
}

#[tokio::test]
async fn a_socket_that_somebody_else_made_is_served_and_what_keeps_it_is_dropped_at_the_close() {
    struct Keeper(PathBuf);
    impl Drop for Keeper {
        fn drop(&mut self) {
            std::fs::remove_file(&self.0).unwrap();
        }
    }
    let (_dir, path) = place();
    let listener = UnixListener::bind(&path).unwrap();
    let server = Server::builder(Acts::new().0).listen_on(listener, Keeper(path.clone())).unwrap();
    let handle = server.handle();
    let running = tokio::spawn(server.run());
    let connection = Connection::connect(&path).await.unwrap();
    assert_eq!(connection.call::<_, u64>(&Act::After { ms: 1 }).await.unwrap(), 1);
    handle.close();
    timeout(SOON, running).await.unwrap().unwrap();
    assert!(!path.exists());
}

#[tokio::test]
async fn the_handler_and_the_policy_are_told_who_asks() {
    let (_dir, path) = place();
    let us = (
        Some(rustix::process::geteuid().as_raw()),
        Some(rustix::process::getegid().as_raw()),
        Some(std::process::id()),
    );
    let policy = Policy::of(move |peer| (peer.user, peer.group, peer.process) == us);
    let server = Server::builder(Acts::new().0).policy(policy).listen(&path).unwrap();
    tokio::spawn(server.run());
    let connection = Connection::connect(&path).await.unwrap();
    let told: (Option<u32>, Option<u32>, Option<u32>) = connection.call(&Act::Who).await.unwrap();
    assert_eq!(told, us);
}

#[tokio::test]
async fn whoever_is_not_allowed_is_told_so_by_both_clients() {
    let (_dir, path) = place();
    let server = Server::builder(Acts::new().0).policy(Policy::of(|_| false)).listen(&path).unwrap();
    tokio::spawn(server.run());
    let forbidden = |error: RequestError| match error {
        RequestError::Connection(ConnectionError::Rejected { failure, .. }) => {
            assert!(failure.has_code(code::FORBIDDEN))
        }
        other => panic!("{other:?}"),
    };
    // Whether the request is written before the server hangs up or after must make no difference.
    for _ in 0..20 {
        forbidden(Connection::connect(&path).await.unwrap().call::<_, ()>(&1).await.unwrap_err());
        let path = path.clone();
        let blocking = tokio::task::spawn_blocking(move || {
            daemon_ipc::blocking::Connection::connect(&path).unwrap().call::<_, ()>(&1).unwrap_err()
        });
        forbidden(blocking.await.unwrap());
    }
}

#[tokio::test]
async fn a_client_that_dies_takes_its_requests_along_at_once() {
    let (_dir, path) = place();
    let (handler, mut told, _release) = Acts::new();
    let server = Server::builder(handler).listen(&path).unwrap();
    tokio::spawn(server.run());
    let mut peer = Raw::over(tokio::net::UnixStream::connect(&path).await.unwrap());
    peer.say(r#"{"id":1,"type":"request","payload":{"act":"until_cancelled"}}"#).await;
    assert_eq!(told.recv().await, Some(crate::acts::Told::Began("until cancelled".into())));
    drop(peer);
    assert_eq!(timeout(SOON, told.recv()).await.unwrap(), Some(crate::acts::Told::Cancelled));

    // And one that first stops writing, and dies later.
    let mut peer = Raw::over(tokio::net::UnixStream::connect(&path).await.unwrap());
    peer.say(r#"{"id":1,"type":"request","payload":{"act":"until_cancelled"}}"#).await;
    peer.finish().await;
    assert_eq!(told.recv().await, Some(crate::acts::Told::Began("until cancelled".into())));
    drop(peer);
    assert_eq!(timeout(SOON, told.recv()).await.unwrap(), Some(crate::acts::Told::Cancelled));
}

/// As many as the descriptors of this process allow, up to 10,000: each end of each connection takes one.
#[tokio::test]
async fn ten_thousand_connections_that_never_read_cost_the_others_nothing() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).unwrap();
    let descriptors = maximum.unwrap_or(u64::MAX).saturating_sub(500);
    let count = usize::try_from(descriptors / 2).unwrap_or(usize::MAX).min(10_000);

    let (_dir, path) = place();
    let limits = Limits::default().with_max_connections(count + 10).with_drain_timeout(Duration::ZERO);
    let server = Server::builder(Acts::new().0).limits(limits.with_cancel_grace(Duration::ZERO)).listen(&path).unwrap();
    let handle = server.handle();
    let running = tokio::spawn(server.run());
    let ask =
        |bytes: usize| format!("{{\"id\":1,\"type\":\"request\",\"payload\":{{\"act\":\"big\",\"bytes\":{bytes}}}}}\n");
    let mut unread = Vec::with_capacity(count);
    while unread.len() < count {
        match tokio::net::UnixStream::connect(&path).await {
            Ok(mut stream) => {
                // What some of them leave unread is more than the system takes.
                let asked = if unread.len() % 100 == 0 { ask(500_000) } else { ask(100) };
                tokio::io::AsyncWriteExt::write_all(&mut stream, asked.as_bytes()).await.unwrap();
                unread.push(stream);
            }
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => tokio::task::yield_now().await,
            Err(error) => panic!("{error} after {} of {count}", unread.len()),
        }
    }
    let mut peer = Raw::over(tokio::net::UnixStream::connect(&path).await.unwrap());
    for _ in 0..100 {
        assert_eq!(timeout(SOON, peer.ask(ECHO)).await.unwrap(), r#"{"id":"e","type":"response"}"#);
    }
    assert_eq!(handle.connections(), count + 1);
    drop(unread);
    while handle.connections() > 1 {
        tokio::task::yield_now().await;
    }
    handle.close();
    timeout(SOON, running).await.unwrap().unwrap();
}

/// The connection's task is at home on one runtime; callers may be on others, which need not go on.
#[test]
fn what_is_sent_from_another_runtime_does_not_depend_on_it() {
    let threads = || tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let (serving, home) = (threads(), threads());
    let away = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (_dir, path) = place();
    let server = serving.block_on(async { listen(&path) }).unwrap();
    serving.spawn(server.run());
    let connection = home.block_on(Connection::connect(&path)).unwrap();
    // More than a socket takes at once.
    let large = Act::Echo { value: Some(daemon_ipc::Json::of(&"x".repeat(4_000_000)).unwrap()) };
    let mut call = Box::pin(connection.call::<_, String>(&large));
    away.block_on(std::future::poll_fn(|cx| {
        assert!(call.as_mut().poll(cx).is_pending());
        std::task::Poll::Ready(())
    }));
    let other = home.block_on(async { timeout(SOON / 6, connection.call::<_, u64>(&Act::After { ms: 1 })).await });
    assert_eq!(other.expect("it is written").unwrap(), 1);
    assert_eq!(away.block_on(call).unwrap().len(), 4_000_000);
}

/// Whoever waits to write takes one descriptor more. This test runs itself in a process that has none left.
#[test]
fn without_a_descriptor_to_spare_a_slow_reader_still_gets_everything() {
    if std::env::var_os("WITHOUT_DESCRIPTORS").is_some() {
        return read_late_without_descriptors();
    }
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "socket::without_a_descriptor_to_spare_a_slow_reader_still_gets_everything"])
        .env("WITHOUT_DESCRIPTORS", "1")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

fn read_late_without_descriptors() {
    use rustix::process::{Resource, Rlimit, setrlimit};
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (_dir, path) = place();
        let server = listen(&path).unwrap();
        tokio::spawn(server.run());
        let mut peer = Raw::over(tokio::net::UnixStream::connect(&path).await.unwrap());
        assert_eq!(timeout(SOON, peer.ask(ECHO)).await.unwrap(), r#"{"id":"e","type":"response"}"#);
        setrlimit(Resource::Nofile, Rlimit { current: Some(64), maximum: Some(64) }).unwrap();
        let all: Vec<_> = std::iter::from_fn(|| std::fs::File::open("/dev/null").ok()).collect();
        peer.say(r#"{"id":1,"type":"request","payload":{"act":"big","bytes":4000000}}"#).await;
        let answer = timeout(SOON, peer.line()).await.unwrap().unwrap();
        assert_eq!(answer.len(), r#"{"id":1,"type":"response","payload":""}"#.len() + 4_000_000);
        drop(all);
    });
}
