//! HTTP on the socket, and other protocols.

use crate::acts::{Acts, Stage};
use crate::raw::Raw;
use daemon_ipc::{BoxFuture, Memory, Recognition, Server, Upgrade, Upgraded};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::Instant;

#[tokio::test(start_paused = true)]
async fn http_is_answered_with_what_to_do() {
    let stage = Stage::new();
    for request in ["GET /health HTTP/1.1\r\nHost: x\r\n\r\n", "POST / HTTP/1.0\r\n\r\n", "PRI * HTTP/2.0\r\n\r\n"] {
        let mut peer = Raw::connect(&stage.place).await;
        peer.send(request).await;
        peer.finish().await;
        let answer = peer.rest().await;
        assert!(answer.starts_with("HTTP/1.1 426 Upgrade Required\r\n"), "{answer}");
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(
            head.contains("Upgrade: daemon-ipc/1") && head.contains(&format!("Content-Length: {}", body.len())),
            "{head}"
        );
        assert!(body.contains("newline-delimited JSON"), "{body}");
    }
}

#[tokio::test(start_paused = true)]
async fn http_in_single_bytes_is_recognised_and_a_head_is_answered_without_a_body() {
    let stage = Stage::new();
    let mut peer = Raw::connect(&stage.place).await;
    for byte in b"HEAD / HTTP/1.1\r\n\r\n" {
        peer.send([*byte]).await;
        tokio::task::yield_now().await;
    }
    peer.finish().await;
    let answer = peer.rest().await;
    assert!(answer.starts_with("HTTP/1.1 426 ") && answer.ends_with("\r\n\r\n"), "{answer}");
}

#[tokio::test(start_paused = true)]
async fn http_that_never_ends_is_hung_up_on() {
    let stage = Stage::new();
    let mut peer = stage.place.connect().await.unwrap();
    peer.write_all(b"GET / HTTP/1.1\r\nX-Slow: ").await.unwrap();
    let start = Instant::now();
    while peer.write_all(b"x").await.is_ok() {
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(start.elapsed() < Duration::from_secs(20));
    }
}

#[tokio::test(start_paused = true)]
async fn what_only_begins_like_http_is_a_bad_line() {
    let stage = Stage::new();
    let mut peer = Raw::connect(&stage.place).await;
    peer.say("GETTING nowhere").await;
    assert_eq!(peer.json().await["type"], "error");
    let mut peer = Raw::connect(&stage.place).await;
    peer.send("GE").await;
    peer.finish().await;
    assert_eq!(peer.json().await["type"], "error");
}

/// Speaks in capitals.
struct Shout;

impl Upgrade for Shout {
    fn recognises(&self, first: &[u8]) -> Recognition {
        if first.starts_with(b"SHOUT\n") {
            Recognition::Yes
        } else if b"SHOUT\n".starts_with(first) {
            Recognition::NotYet
        } else {
            Recognition::No
        }
    }

    fn serve(&self, mut connection: Upgraded) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            assert_eq!(connection.peer().process, Some(std::process::id()));
            let closing = connection.closing();
            let mut bytes = [0; 3];
            loop {
                let read = tokio::select! {
                    read = connection.read(&mut bytes) => read.unwrap(),
                    () = closing.cancelled() => break,
                };
                if read == 0 {
                    break;
                }
                connection.write_all(&bytes[..read].to_ascii_uppercase()).await.unwrap();
            }
            connection.write_all(b"BYE\n").await.unwrap();
        })
    }
}

#[tokio::test(start_paused = true)]
async fn another_protocol_is_handed_over_with_its_first_bytes() {
    let place = Memory::new();
    let (handler, _told, _release) = Acts::new();
    let server = Server::builder(handler).upgrade(Shout).listen(&place).unwrap();
    let handle = server.handle();
    let running = tokio::spawn(server.run());

    let mut loud = Raw::connect(&place).await;
    for piece in ["SHO", "UT\nhel", "lo\n"] {
        loud.send(piece).await;
        tokio::task::yield_now().await;
    }
    assert_eq!((loud.line().await.unwrap(), loud.line().await.unwrap()), ("SHOUT".into(), "HELLO".into()));
    let mut plain = Raw::connect(&place).await;
    assert_eq!(
        plain.ask(r#"{"id":1,"type":"request","payload":{"act":"echo"}}"#).await,
        r#"{"id":1,"type":"response"}"#
    );
    let mut http = Raw::connect(&place).await;
    http.send("GET / HTTP/1.1\r\n\r\n").await;
    assert!(http.line().await.unwrap().contains("426"));

    handle.close();
    assert_eq!(loud.line().await.unwrap(), "BYE");
    running.await.unwrap();
}

/// Knows the beginning of two lines, and never has seen enough of what begins with a blank.
struct Slow;

impl Upgrade for Slow {
    fn recognises(&self, first: &[u8]) -> Recognition {
        if first.starts_with(b" ") || b"A\nB".starts_with(first) { Recognition::NotYet } else { Recognition::No }
    }

    fn serve(&self, _connection: Upgraded) -> BoxFuture<'_, ()> {
        unreachable!("it recognises nothing")
    }
}

#[tokio::test(start_paused = true)]
async fn what_might_have_been_another_protocol_is_read_as_lines_in_the_end() {
    let place = Memory::new();
    let (handler, _told, _release) = Acts::new();
    let limits = daemon_ipc::Limits::default().with_max_frame(1000);
    tokio::spawn(Server::builder(handler).limits(limits).upgrade(Slow).listen(&place).unwrap().run());

    let mut peer = Raw::connect(&place).await;
    peer.send("A\n").await;
    peer.finish().await;
    let rest = peer.rest().await;
    assert!(rest.contains("bad_frame"), "{rest:?}");

    let mut endless = Raw::connect(&place).await;
    endless.send(" ".repeat(100_000)).await;
    let answer = tokio::time::timeout(std::time::Duration::from_secs(10), endless.json()).await;
    assert_eq!(answer.expect("it holds no more than a line")["payload"]["code"], "frame_too_long");
}
