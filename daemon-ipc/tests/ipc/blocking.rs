//! The client that blocks, against a real server.

use crate::acts::{Act, Acts, Told};
use daemon_ipc::blocking::Connection;
use daemon_ipc::{ConnectionError, Json, Limits, RequestError, Server, ServerHandle, code};
use std::path::PathBuf;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::sync::mpsc::UnboundedReceiver;

/// A server on a thread of its own, which ends with it.
struct Running {
    path: PathBuf,
    server: ServerHandle,
    told: UnboundedReceiver<Told>,
    thread: Option<std::thread::JoinHandle<()>>,
    _release: tokio::sync::watch::Sender<u32>,
    _dir: TempDir,
}

impl Running {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("daemon.sock");
        let (handler, told, release) = Acts::new();
        let (sender, receiver) = std::sync::mpsc::channel();
        let listen = path.clone();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let limits = Limits::default().with_drain_timeout(Duration::from_millis(100));
                let server =
                    Server::builder(handler).limits(limits.with_cancel_grace(Duration::ZERO)).listen(&listen).unwrap();
                sender.send(server.handle()).unwrap();
                server.run().await;
            });
        });
        let server = receiver.recv().unwrap();
        Self { path, server, told, thread: Some(thread), _release: release, _dir: dir }
    }

    fn wait_for(&mut self, wanted: &Told) {
        while self.told.blocking_recv().expect("the handler lives") != *wanted {}
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.server.close();
        self.thread.take().map(std::thread::JoinHandle::join);
    }
}

fn echo(value: impl serde::Serialize) -> Act {
    Act::Echo { value: Some(Json::of(&value).unwrap()) }
}

#[test]
fn calls_are_answered() {
    let running = Running::new();
    let mut connection = Connection::connect(&running.path).unwrap();
    assert_eq!(connection.hello(), None);
    assert_eq!(connection.call::<_, u64>(&echo(u64::MAX)).unwrap(), u64::MAX);
    assert_eq!(connection.hello().unwrap().version, 1);
    let long = "x".repeat(3_000_000);
    assert_eq!(connection.call::<_, String>(&echo(&long)).unwrap(), long);
    assert_eq!(connection.send(Some(Json::of(&Act::Echo { value: None }).unwrap())).unwrap(), None);
    let failed = connection.call::<_, ()>(&Act::Fail { message: "no".into(), code: Some("x".into()) }).unwrap_err();
    assert!(failed.failure().unwrap().has_code("x"));
    assert!(matches!(connection.call::<_, bool>(&echo(7)), Err(RequestError::Reply(_))));
    assert_eq!(running.server.connections(), 1);
}

#[test]
fn a_call_ends_in_its_time_and_a_late_answer_is_passed_over() {
    let running = Running::new();
    let mut connection = Connection::builder(&running.path).timeout(Duration::from_millis(100)).connect().unwrap();
    let start = Instant::now();
    let error = connection.call::<_, u64>(&Act::After { ms: 300 }).unwrap_err();
    assert!(error.is_timeout(), "{error}");
    assert!(start.elapsed() >= Duration::from_millis(100));
    connection.set_timeout(Some(Duration::from_secs(30)));
    assert_eq!(connection.call::<_, u64>(&Act::After { ms: 400 }).unwrap(), 400);
    connection.set_timeout(None);
    assert_eq!(connection.call::<_, u8>(&echo(1)).unwrap(), 1);
}

#[test]
fn items_come_one_by_one_beyond_any_window_and_dropping_them_gives_up() {
    let mut running = Running::new();
    let mut connection = Connection::connect(&running.path).unwrap();
    let numbers: Result<Vec<u32>, _> = connection.stream(&Act::Count { to: 500 }).unwrap().collect();
    assert_eq!(numbers.unwrap(), (1..=500).collect::<Vec<_>>());
    let mut endless = connection.stream::<_, u32>(&Act::Count { to: u32::MAX }).unwrap();
    assert_eq!(endless.next().unwrap().unwrap(), 1);
    drop(endless);
    assert_eq!(connection.call::<_, u8>(&echo(1)).unwrap(), 1);
    drop(connection.stream::<_, ()>(&Act::UntilCancelled).unwrap());
    running.wait_for(&Told::Cancelled);
    let failed = connection.stream::<_, u32>(&Act::CountAndFail).unwrap().last().unwrap().unwrap_err();
    assert!(failed.failure().unwrap().has_code("tired"));
    let misfit: Vec<_> = connection.stream::<_, bool>(&Act::Count { to: 2 }).unwrap().collect();
    assert!(matches!(misfit[..], [Err(RequestError::Reply(_)), Err(RequestError::Reply(_))]));
}

#[test]
fn a_server_that_is_not_there_is_told_at_once_or_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("daemon.sock");
    assert!(matches!(Connection::connect(&path), Err(ConnectionError::Refused { .. })));
    std::fs::write(&path, "a file").unwrap();
    let Err(ConnectionError::Refused { source, .. }) = Connection::connect(&path) else { panic!("there is a file") };
    assert_eq!(source.to_string(), "it is no socket");
    std::fs::remove_file(&path).unwrap();
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    assert!(matches!(Connection::connect(&path), Err(ConnectionError::StaleSocket { .. })));
    let start = Instant::now();
    let patient = || Connection::builder(&path).wait_for_server().connect_timeout(Duration::from_millis(100)).connect();
    assert!(patient().unwrap_err().is_timeout());
    assert!(start.elapsed() >= Duration::from_millis(100));
    std::fs::remove_file(&path).unwrap();
    let _listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    patient().unwrap();
}

#[test]
fn a_server_that_goes_ends_the_connection() {
    let running = Running::new();
    let mut connection = Connection::connect(&running.path).unwrap();
    assert_eq!(connection.call::<_, u8>(&echo(1)).unwrap(), 1);
    let endless = connection.stream::<_, u32>(&Act::Count { to: u32::MAX }).unwrap();
    running.server.close();
    let last = endless.last().unwrap().unwrap_err();
    assert!(last.failure().is_some_and(|failure| failure.has_code(code::SHUTTING_DOWN)), "{last}");
    for _ in 0..2 {
        let error = connection.call::<_, ()>(&echo(1)).unwrap_err();
        let shutting_down = error.failure().is_some_and(|failure| failure.has_code(code::SHUTTING_DOWN));
        assert!(shutting_down || matches!(error, RequestError::Connection(ConnectionError::Closed { .. })), "{error}");
    }
}

#[test]
fn a_server_that_makes_no_sense_is_told_as_such() {
    use std::io::{BufRead, BufReader, Write};
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("daemon.sock");
    let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let cases = [
        ("garbage\n", "not a message"),
        ("{\"id\":\"1\",\"type\":\"request\"}\n", "no answer: request"),
        ("{\"id\":\"1\",\"type\":\"response\",\"more\":7}\n", "`more` that cannot be read"),
    ];
    let server = std::thread::spawn(move || {
        for (answer, _) in cases {
            let (stream, _) = listener.accept().unwrap();
            let mut stream = BufReader::new(stream);
            stream.read_line(&mut String::new()).unwrap();
            stream.get_mut().write_all(answer.as_bytes()).unwrap();
        }
    });
    for (_, expected) in cases {
        let mut connection = Connection::connect(&path).unwrap();
        let error = connection.call::<_, ()>(&1).unwrap_err();
        let RequestError::Connection(ConnectionError::Protocol { details, .. }) = &error else { panic!("{error:?}") };
        assert!(details.contains(expected), "{details}");
    }
    server.join().unwrap();
}
