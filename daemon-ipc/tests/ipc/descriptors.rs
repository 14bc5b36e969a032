//! Descriptors: however a connection ends, none stays open. What a process has is counted, so each test runs itself in one of its own.

#![cfg(target_os = "linux")]

use crate::acts::{Act, Acts};
use crate::raw::Raw;
use daemon_ipc::{Connection, Json, Limits, Policy, Server, ServerHandle};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::time::timeout;

const SOON: Duration = Duration::from_secs(60);
const ECHO: &str = "{\"id\":1,\"type\":\"request\",\"payload\":{\"act\":\"echo\"}}\n";
const BIG: &str = "{\"id\":1,\"type\":\"request\",\"payload\":{\"act\":\"big\",\"bytes\":2000000}}\n";
const NEVER: &str = "{\"id\":1,\"type\":\"request\",\"payload\":{\"act\":\"never\"}}\n";

fn open() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

/// Runs the test of this name in a process of its own.
fn alone(name: &str, test: impl AsyncFnOnce()) {
    if std::env::var_os("ALONE").is_some() {
        return tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test());
    }
    let mut itself = std::process::Command::new(std::env::current_exe().unwrap());
    let output = itself.args(["--exact", &format!("descriptors::{name}")]).env("ALONE", "1").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

struct Serving {
    path: PathBuf,
    server: ServerHandle,
    running: tokio::task::JoinHandle<()>,
    _dir: TempDir,
}

fn serve(limits: Limits, policy: Policy) -> Serving {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("daemon.sock");
    let limits = limits.with_cancel_grace(Duration::ZERO).with_drain_timeout(Duration::ZERO);
    let server = Server::builder(Acts::new().0).limits(limits).policy(policy).listen(&path).unwrap();
    Serving { path, server: server.handle(), running: tokio::spawn(server.run()), _dir: dir }
}

async fn until(what: &str, is_so: impl Fn() -> bool) {
    let wait = async {
        while !is_so() {
            tokio::task::yield_now().await;
        }
    };
    timeout(SOON, wait).await.unwrap_or_else(|_| panic!("{what}: {} open", open()));
}

async fn dial(path: &Path) -> UnixStream {
    loop {
        match UnixStream::connect(path).await {
            Ok(stream) => return stream,
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => tokio::task::yield_now().await,
            Err(error) => panic!("{error}"),
        }
    }
}

/// A peer that says something and reads no answer.
async fn says(path: &Path, bytes: &str) -> UnixStream {
    let mut stream = dial(path).await;
    stream.write_all(bytes.as_bytes()).await.unwrap();
    stream
}

/// One connection of each way to end, from the peer's side.
async fn every_peer(path: &Path) {
    drop(dial(path).await);
    drop(says(path, "{\"id\":").await);
    drop(says(path, NEVER).await);
    drop(says(path, BIG).await);
    for asked in [ECHO, BIG, "no message\n", "GET / HTTP/1.1\r\n\r\n", "GET /"] {
        let mut peer = says(path, asked).await;
        peer.shutdown().await.unwrap();
        peer.read_to_end(&mut Vec::new()).await.unwrap();
    }
    let mut stalled = says(path, BIG).await;
    stalled.shutdown().await.unwrap();
    stalled.read_exact(&mut [0; 300_000]).await.unwrap();
    drop(stalled);
}

/// One connection of each way to end, from the client's side.
async fn every_client(path: &Path) {
    let connection = Connection::connect(path).await.unwrap();
    drop(connection.clone());
    drop(connection);

    let connection = Connection::connect(path).await.unwrap();
    assert_eq!(connection.call::<_, String>(&Act::Big { bytes: 500_000 }).await.unwrap().len(), 500_000);
    connection.call::<_, ()>(&Act::Panic).await.unwrap_err();
    connection.with_timeout(Duration::ZERO).call::<_, ()>(&Act::Never).await.unwrap_err();
    let items = connection.stream::<_, u32>(&Act::Count { to: 1000 }).await.unwrap();
    connection.close();
    drop(items);

    // More than a socket takes, given up while it is written.
    let large = Act::Echo { value: Some(Json::of(&"x".repeat(3_000_000)).unwrap()) };
    let connection = Connection::connect(path).await.unwrap();
    timeout(Duration::ZERO, connection.call::<_, ()>(&large)).await.unwrap_err();
}

#[test]
fn however_a_connection_ends_its_descriptors_are_closed() {
    alone("however_a_connection_ends_its_descriptors_are_closed", async || {
        let usual = serve(Limits::default(), Policy::default());
        let full = serve(Limits::default().with_max_connections(0), Policy::default());
        let closed = serve(Limits::default(), Policy::of(|_| false));
        let hasty = serve(
            Limits::default().with_read_timeout(Duration::from_millis(1)).with_write_timeout(Duration::from_millis(1)),
            Policy::default(),
        );
        every_peer(&usual.path).await;
        every_client(&usual.path).await;
        until("at first", || usual.server.connections() == 0).await;
        let before = open();
        for _ in 0..20 {
            every_peer(&usual.path).await;
            every_client(&usual.path).await;
            for refusing in [&full, &closed] {
                Raw::over(dial(&refusing.path).await).rest().await;
                Connection::connect(&refusing.path).await.unwrap().call::<_, ()>(&1).await.unwrap_err();
            }
            // One that is too slow with its line, and one that reads nothing.
            let (slow, mute) = (says(&hasty.path, "{").await, says(&hasty.path, BIG).await);
            until("hung up", || hasty.server.connections() == 0).await;
            drop((slow, mute));
        }
        until("in the end", || usual.server.connections() == 0 && open() == before).await;
    });
}

#[test]
fn who_waited_to_write_and_waits_no_more_has_one_descriptor() {
    alone("who_waited_to_write_and_waits_no_more_has_one_descriptor", async || {
        let place = serve(Limits::default(), Policy::default());
        let mut peers = Vec::new();
        for _ in 0..20 {
            let mut peer = Raw::over(dial(&place.path).await);
            peer.ask(ECHO.trim()).await;
            peers.push(peer);
        }
        let before = open();
        for peer in &mut peers {
            peer.send(BIG).await;
        }
        until("each waits with one more", || open() == before + peers.len()).await;
        for peer in &mut peers {
            assert!(peer.line().await.unwrap().len() > 2_000_000);
        }
        until("all is read", || open() == before).await;
    });
}

#[test]
fn a_server_that_ends_closes_all_it_had() {
    alone("a_server_that_ends_closes_all_it_had", async || {
        let mut counts = Vec::new();
        for round in 0..20 {
            let place = serve(Limits::default(), Policy::default());
            let connection = Connection::connect(&place.path).await.unwrap();
            connection.call::<_, ()>(&Act::Echo { value: None }).await.unwrap();
            let peers = [says(&place.path, BIG).await, says(&place.path, NEVER).await, says(&place.path, "GE").await];
            until("all are there", || place.server.connections() == 4).await;
            match round % 2 {
                0 => place.server.close(),
                _ => place.running.abort(),
            }
            place.running.await.ok(); // it may have been aborted
            drop((connection, peers, place.server, place._dir));
            tokio::task::yield_now().await;
            counts.push(open());
        }
        until("flat", || open() == counts[0]).await;
        assert!(counts.iter().all(|count| *count <= counts[0] + 4), "{counts:?}");
    });
}

#[test]
fn ten_thousand_connections_that_come_and_go_leave_nothing() {
    alone("ten_thousand_connections_that_come_and_go_leave_nothing", async || {
        let place = serve(Limits::default(), Policy::default());
        drop(dial(&place.path).await);
        until("at first", || place.server.connections() == 0).await;
        let before = open();
        for number in 0..10_000 {
            let mut stream = dial(&place.path).await;
            if number % 3 > 0 {
                // It may be told by now that there are too many.
                stream.write_all(if number % 3 == 1 { ECHO } else { "{" }.as_bytes()).await.ok();
            }
        }
        until("in the end", || place.server.connections() == 0 && open() == before).await;
        let connection = Connection::connect(&place.path).await.unwrap();
        assert_eq!(connection.call::<_, u64>(&Act::After { ms: 1 }).await.unwrap(), 1);
    });
}
