//! The proven weaknesses of `@outfitter/daemon` 0.2.6 that concern IPC, each by its number: that it cannot happen here.

#![cfg(unix)]

use crate::acts::{Act, Acts, Stage, Told};
use crate::raw::Raw;
use daemon_ipc::{Connection, ConnectionError, Json, Limits, RequestError, Server, ServerHandle, code};
use std::path::PathBuf;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::net::UnixStream;
use tokio::time::timeout;

const SOON: Duration = Duration::from_secs(60);

struct OnSocket {
    path: PathBuf,
    server: ServerHandle,
    running: tokio::task::JoinHandle<()>,
    _release: tokio::sync::watch::Sender<u32>,
    _dir: TempDir,
}

fn on_socket(limits: Limits) -> OnSocket {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("daemon.sock");
    let (handler, _told, release) = Acts::new();
    let server = Server::builder(handler).limits(limits).listen(&path).unwrap();
    OnSocket { path, server: server.handle(), running: tokio::spawn(server.run()), _release: release, _dir: dir }
}

fn echo(value: impl serde::Serialize) -> Act {
    Act::Echo { value: Some(Json::of(&value).unwrap()) }
}

/// There, 219,264 bytes are the end of a message, and the rest is lost.
#[tokio::test]
async fn w1_a_message_larger_than_the_kernels_buffer_arrives_whole_in_both_directions() {
    let place = on_socket(Limits::default());
    let connection = Connection::connect(&place.path).await.unwrap();
    for length in [219_264, 256 * 1024, 1024 * 1024, 8 * 1024 * 1024] {
        let text = "é".repeat(length / 2);
        let came: String = timeout(SOON, connection.call(&echo(&text))).await.unwrap().unwrap();
        assert!(came == text, "{length}");
    }
}

/// There, the message after a truncated one is glued to it.
#[tokio::test]
async fn w2_a_message_after_a_large_one_and_one_after_a_refused_one_are_answered() {
    let place = on_socket(Limits::default().with_max_frame(1024 * 1024));
    let connection = Connection::connect(&place.path).await.unwrap();
    let refused =
        timeout(SOON, connection.call::<_, String>(&echo("x".repeat(2 * 1024 * 1024)))).await.unwrap().unwrap_err();
    assert!(refused.failure().unwrap().has_code(code::FRAME_TOO_LONG), "{refused}");
    let large = timeout(SOON, connection.call::<_, String>(&echo("x".repeat(900_000)))).await.unwrap().unwrap();
    assert_eq!(large.len(), 900_000);
    assert_eq!(timeout(SOON, connection.call::<_, u8>(&echo(7))).await.unwrap().unwrap(), 7);
    assert_eq!(place.server.connections(), 1);
}

/// There, 278 tiny answers fit, and the others are dropped.
#[tokio::test]
async fn w3_two_thousand_answers_wait_for_a_peer_that_reads_late() {
    let place = on_socket(Limits::default());
    for text in ["", &"x".repeat(1000)] {
        let peer = Raw::over(UnixStream::connect(&place.path).await.unwrap());
        let lines: String = (0..2000)
            .map(|id| {
                format!("{{\"id\":{id},\"type\":\"request\",\"payload\":{{\"act\":\"echo\",\"value\":\"{text}\"}}}}\n")
            })
            .collect();
        let (mut reader, mut writer) = peer.split();
        let writing = tokio::spawn(async move {
            tokio::io::AsyncWriteExt::write_all(&mut writer, lines.as_bytes()).await.unwrap();
            writer
        });
        tokio::task::yield_now().await;
        for id in 0..2000 {
            let line = timeout(SOON, reader.next_line()).await.unwrap().unwrap().unwrap();
            assert!(line.starts_with(&format!("{{\"id\":{id},")), "{line}");
        }
        writing.await.unwrap();
    }
}

/// There, 1722 of 2000 fail.
#[tokio::test]
async fn w4_two_thousand_requests_in_one_tick_are_all_answered() {
    let place = on_socket(Limits::default());
    let connection = Connection::connect(&place.path).await.unwrap();
    let calls: Vec<_> = (0..2000_u32)
        .map(|number| {
            let connection = connection.clone();
            tokio::spawn(async move { connection.call::<_, u32>(&echo(number)).await })
        })
        .collect();
    for (number, call) in calls.into_iter().enumerate() {
        assert_eq!(timeout(SOON, call).await.unwrap().unwrap().unwrap(), u32::try_from(number).unwrap());
    }
    assert_eq!(place.server.connections(), 1);
}

/// There, each of these waits for ever.
#[tokio::test(start_paused = true)]
async fn w5_nothing_waits_for_ever() {
    let stage = Stage::new();
    let connection = Connection::connect(&stage.place).await.unwrap();
    // A handler that does not answer: the client's own time.
    let start = tokio::time::Instant::now();
    let error = connection.call::<_, ()>(&Act::Never).await.unwrap_err();
    assert!(error.is_timeout());
    assert_eq!(start.elapsed(), Duration::from_secs(30));
    // A peer that sets no deadline: the server's.
    let mut peer = Raw::connect(&stage.place).await;
    peer.say(r#"{"id":1,"type":"request","payload":{"act":"never"}}"#).await;
    assert_eq!(peer.json().await["payload"]["code"], code::DEADLINE_EXCEEDED);
    // A request that is no message, and one that nobody handles.
    assert!(peer.ask("{}").await.contains("not a message"));
    assert!(peer.ask(r#"{"id":2,"type":"request","payload":{"act":"fly"}}"#).await.contains("unknown variant"));
    // An answer of an unknown type.
    let place = daemon_ipc::Memory::new();
    let mut listener = place.listen().unwrap();
    tokio::spawn(async move {
        let mut peer = Raw::over(listener.accept().await);
        peer.line().await;
        peer.say(r#"{"id":"1","type":"perhaps"}"#).await;
        peer.line().await;
    });
    let error = Connection::connect(&place).await.unwrap().call::<_, ()>(&1).await.unwrap_err();
    assert!(matches!(error, RequestError::Connection(ConnectionError::Protocol { .. })), "{error}");
}

/// There, an emoji that arrives in two halves becomes three replacement characters.
#[tokio::test(start_paused = true)]
async fn w6_a_character_split_over_two_reads_is_whole() {
    let stage = Stage::new();
    let mut peer = Raw::connect(&stage.place).await;
    let line = "{\"id\":1,\"type\":\"request\",\"payload\":{\"act\":\"echo\",\"value\":\"é🦀\"}}\n";
    for byte in line.as_bytes() {
        peer.send([*byte]).await;
        tokio::task::yield_now().await;
    }
    assert_eq!(peer.line().await.unwrap(), "{\"id\":1,\"type\":\"response\",\"payload\":\"é🦀\"}");
}

/// There, twice the length costs four times the time, and a line without an end is held whole.
#[tokio::test(start_paused = true)]
async fn w7_a_long_line_costs_time_and_memory_in_proportion() {
    let stage = Stage::with(Limits::default().with_max_frame(256 * 1024));
    let mut peer = Raw::connect(&stage.place).await;
    let start = Instant::now();
    for _ in 0..64 {
        peer.send(vec![b'x'; 1024 * 1024]).await;
    }
    // A quadratic reader takes a minute for this; the figure is a bound for hopeless machines, not a measurement.
    assert!(start.elapsed() < Duration::from_secs(30), "{:?}", start.elapsed());
    assert!(peer.ask("").await.contains(code::FRAME_TOO_LONG));
}

/// There, old connections are served on when the server is closed and its socket gone.
#[tokio::test]
async fn w8_closing_ends_the_connections_too() {
    // Longer than is waited here: they are told to end, and not only aborted when the time for handlers is up.
    let place = on_socket(Limits::default().with_drain_timeout(60 * SOON));
    let mut old = Raw::over(UnixStream::connect(&place.path).await.unwrap());
    assert!(old.ask(r#"{"id":1,"type":"request","payload":{"act":"echo"}}"#).await.contains("response"));
    place.server.close();
    assert_eq!(timeout(SOON, old.line()).await.unwrap(), None);
    timeout(SOON, place.running).await.unwrap().unwrap();
    assert!(!place.path.exists());
}

/// There, a second server takes the socket, and the first one's end deletes it.
#[tokio::test]
async fn w10_a_second_server_neither_steals_nor_deletes_a_living_socket() {
    let place = on_socket(Limits::default());
    let (second, _told, _release) = Acts::new();
    let refused = Server::builder(second).listen(&place.path).unwrap_err();
    assert!(matches!(refused, daemon_ipc::BindError::Live { .. }), "{refused}");
    assert_eq!(Connection::connect(&place.path).await.unwrap().call::<_, u8>(&echo(1)).await.unwrap(), 1);

    // Even if somebody who knows nothing of the lock takes the path by force, the end of the first leaves it.
    std::fs::remove_file(&place.path).unwrap();
    let (third, _told, _release) = Acts::new();
    let by_force = std::os::unix::net::UnixListener::bind(&place.path).unwrap();
    let third = Server::builder(third).listen_on(by_force, ()).unwrap();
    tokio::spawn(third.run());
    place.server.close();
    timeout(SOON, place.running).await.unwrap().unwrap();
    assert_eq!(Connection::connect(&place.path).await.unwrap().call::<_, u8>(&echo(2)).await.unwrap(), 2);
}

/// There, the socket is open to everybody under a mask of 0, and nobody is asked who they are. The mask belongs to the process, so this
/// test runs itself in others.
#[test]
fn w20_a_socket_is_for_its_owner_alone_whatever_the_mask() {
    if let Some(path) = std::env::var_os("BIND_AT") {
        return bind_again_and_again(&PathBuf::from(path));
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("new").join("daemon.sock");
    for mask in ["000", "022", "777"] {
        let script =
            "umask \"$1\" && exec \"$2\" --exact weaknesses::w20_a_socket_is_for_its_owner_alone_whatever_the_mask";
        let output = std::process::Command::new("sh")
            .args(["-c", script, "sh", mask])
            .arg(std::env::current_exe().unwrap())
            .env("BIND_AT", &path)
            .output()
            .unwrap();
        assert!(output.status.success(), "{mask}: {}", String::from_utf8_lossy(&output.stdout));
    }
}

/// Binds many times, while a thread looks for a moment at which the socket is open to others.
fn bind_again_and_again(path: &std::path::Path) {
    use std::os::unix::fs::PermissionsExt;
    use std::sync::atomic::{AtomicBool, Ordering};
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let _runtime = runtime.enter();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let looking = scope.spawn(|| {
            let mut seen = std::collections::BTreeSet::new();
            while !done.load(Ordering::Relaxed) {
                if let Ok(found) = path.symlink_metadata() {
                    seen.insert(found.permissions().mode() & 0o077);
                }
            }
            seen
        });
        for _ in 0..300 {
            let server = Server::builder(Acts::new().0).listen(path).unwrap();
            assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
            drop(server);
        }
        done.store(true, Ordering::Relaxed);
        let seen = looking.join().unwrap();
        if cfg!(target_os = "linux") {
            assert!(seen.iter().all(|others| *others == 0), "open to others for a moment: {seen:?}");
        }
    });
}

/// There, four error classes are never made, an error is a message and no more, and there is no push, stream or cancel.
#[tokio::test]
async fn w22_every_error_is_made_and_errors_carry_more_than_a_message() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("daemon.sock");
    let tag = |error: &ConnectionError| error.tag();
    let connect = || Connection::builder(&path).connect_timeout(Duration::from_millis(50)).build();

    assert_eq!(tag(&connect().reconnect().await.unwrap_err()), "ConnectionRefusedError");
    let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    drop(listener);
    std::fs::write(path.with_extension("lock"), "4711\n").unwrap();
    let stale = connect().reconnect().await.unwrap_err();
    assert_eq!(tag(&stale), "StaleSocketError");
    assert!(matches!(stale, ConnectionError::StaleSocket { pid: Some(4711), .. }));

    std::fs::remove_file(&path).unwrap();
    let listener = tokio::net::UnixListener::bind(&path).unwrap();
    let hasty = connect().with_timeout(Duration::from_millis(50));
    let RequestError::Connection(late) = hasty.call::<_, ()>(&1).await.unwrap_err() else {
        panic!("no connection error")
    };
    assert!(matches!(late, ConnectionError::Timeout { timeout, .. } if timeout == Duration::from_millis(50)));
    assert_eq!(tag(&late), "ConnectionTimeoutError");

    let nonsense = tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            Raw::over(stream).say("nonsense").await;
        }
    });
    let RequestError::Connection(protocol) = connect().call::<_, ()>(&1).await.unwrap_err() else {
        panic!("no connection error")
    };
    assert_eq!(tag(&protocol), "ProtocolError");
    assert!(matches!(protocol, ConnectionError::Protocol { details, .. } if details.contains("not a message")));
    nonsense.abort();

    let place = on_socket(Limits::default());
    let connection = Connection::connect(&place.path).await.unwrap();
    let failed =
        connection.call::<_, ()>(&Act::Fail { message: "no".into(), code: Some("x".into()) }).await.unwrap_err();
    let failure = failed.failure().unwrap();
    assert_eq!((failure.code.as_deref(), failure.tag.as_deref()), (Some("x"), Some("TestError")));
    assert!(connection.hello().unwrap().capabilities.stream);
}

/// There, three callers that connect at once open three sockets, and closing while one connects is ignored.
#[tokio::test(start_paused = true)]
async fn w24_callers_at_once_share_one_connection_and_closing_wins() {
    let mut stage = Stage::new();
    let connection = Connection::builder(&stage.place).build();
    let request = echo(1);
    let (one, two, three) =
        tokio::join!(connection.reconnect(), connection.reconnect(), connection.call::<_, u8>(&request));
    one.unwrap();
    two.unwrap();
    assert_eq!((three.unwrap(), stage.server.connections()), (1, 1));

    let place = daemon_ipc::Memory::new();
    let late = Connection::builder(&place).wait_for_server().build();
    let connecting = tokio::spawn({
        let late = late.clone();
        async move { late.reconnect().await }
    });
    tokio::task::yield_now().await;
    late.close();
    let (handler, _told, _release) = Acts::new();
    let server = Server::builder(handler).listen(&place).unwrap();
    let handle = server.handle();
    tokio::spawn(server.run());
    let error = connecting.await.unwrap().unwrap_err();
    assert!(matches!(error, ConnectionError::Closed { .. }), "{error}");
    assert!(!late.is_connected());
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(handle.connections(), 0);
    assert_eq!(stage.told(), Vec::<Told>::new());
}
