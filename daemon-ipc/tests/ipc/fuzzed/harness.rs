//! What is fuzzed: functions of bytes that panic if a promise is broken. `fuzz/` calls them with what a fuzzer finds, the tests with
//! what is random and what is in `fuzz/seeds`.

use daemon_ipc::{Decoder, Envelope, Failure, Frame, Json, Limits, Memory, Reply, Request, Server, encode, from_fn};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

fn limits() -> Limits {
    Limits::default().with_max_frame(4096)
}

/// The bytes, and how they are split: by the first of them.
fn pieces(data: &[u8]) -> (usize, &[u8]) {
    match data.split_first() {
        Some((first, rest)) => (usize::from(*first) % 61 + 1, rest),
        None => (1, data),
    }
}

/// All that a decoder makes of bytes that come in pieces of a size.
fn decoded(bytes: &[u8], size: usize) -> (Vec<Result<Frame, String>>, bool) {
    let mut decoder = Decoder::new(&limits());
    let mut frames = Vec::new();
    for piece in bytes.chunks(size) {
        decoder.push(piece);
        while let Some(frame) = decoder.next() {
            frames.push(frame.map_err(|bad| format!("{:?} {bad}", bad.id)));
        }
    }
    (frames, decoder.finish().is_ok())
}

fn encoded(envelope: &Envelope<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode(envelope, &Limits::default(), &mut bytes).expect("what was read can be written");
    bytes
}

/// What comes out of the decoder does not depend on how the bytes were split.
pub(crate) fn decode(data: &[u8]) {
    let (size, bytes) = pieces(data);
    let (whole, ended) = decoded(bytes, bytes.len().max(1));
    let (split, split_ended) = decoded(bytes, size);
    assert_eq!(ended, split_ended);
    assert_eq!(whole.len(), split.len());
    for (one, other) in whole.iter().zip(&split) {
        match (one, other) {
            (Ok(one), Ok(other)) => assert_eq!(one.envelope(), other.envelope()),
            (Err(one), Err(other)) => assert_eq!(one, other),
            _ => panic!("{one:?} and {other:?}"),
        }
    }
}

/// What was read is written and read as the same; values are read and written as `serde_json` does.
pub(crate) fn decode_encode_decode(data: &[u8]) {
    let (size, bytes) = pieces(data);
    for frame in decoded(bytes, size).0.into_iter().flatten() {
        let written = encoded(&frame.envelope());
        assert_eq!(written.last(), Some(&b'\n'));
        let again = decoded(&written, written.len()).0;
        let [Ok(again)] = &again[..] else { panic!("{again:?} of {frame:?}") };
        assert_eq!(again.envelope(), frame.envelope());
        assert_eq!(encoded(&again.envelope()), written);
        if let Some(payload) = frame.payload_json() {
            same_as_serde(&payload);
        }
    }
}

fn same_as_serde(json: &Json) {
    let theirs = serde_json::from_str::<serde_json::Value>(json.as_str());
    match (json.read::<serde_json::Value>(), theirs) {
        (Ok(ours), Ok(theirs)) => {
            assert_eq!(ours, theirs);
            let text = serde_json::to_string(&theirs).expect("a value is JSON");
            assert_eq!(Json::of(&ours).expect("a value is JSON").as_str(), text);
        }
        (Err(ours), Err(theirs)) => assert_eq!(ours.to_string(), theirs.to_string()),
        (ours, theirs) => panic!("{ours:?} and {theirs:?} of {json}"),
    }
}

/// A handler that does one thing or another, by the number it is given.
async fn act(mut request: Request) -> Result<Reply, Failure> {
    match request.read::<u64>().map_or(0, |number| number % 8) {
        // The fuzzer knows these two texts.
        1 => panic!("at once"),
        2 => {
            tokio::time::sleep(Duration::from_millis(3)).await;
            panic!("later")
        }
        3 => std::future::pending().await,
        4 => {
            request.cancelled().await;
            Ok(Reply::empty())
        }
        5 => {
            let mut items = request.items()?;
            for number in 0..20 {
                items.send(&number).await?;
            }
            Ok(Reply::empty())
        }
        6 => Reply::of(&"x".repeat(8192)),
        7 => {
            request.pusher().push("fuzz", &1).ok();
            Err(Failure::new("as asked"))
        }
        _ => Ok(Reply::from(request.payload())),
    }
}

/// A server that was sent these bytes comes to an end with them, serves others meanwhile, and closes.
pub(crate) fn server(data: &[u8]) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
    runtime.expect("a runtime").block_on(async {
        let place = Memory::new();
        let limits = limits().with_max_in_flight(3).with_max_waiting(3).with_request_timeout(Duration::from_secs(5));
        let server = Server::builder(from_fn(act)).limits(limits).listen(&place).expect("a place of its own");
        let handle = server.handle();
        let running = tokio::spawn(server.run());

        let (size, bytes) = pieces(data);
        let (mut reader, mut writer) = tokio::io::split(place.connect().await.expect("a server"));
        let write = async {
            for piece in bytes.chunks(size) {
                if writer.write_all(piece).await.is_err() {
                    return; // it was hung up on
                }
                tokio::task::yield_now().await;
            }
            writer.shutdown().await.ok();
        };
        let mut answers = Vec::new();
        let read = timeout(Duration::from_secs(60), reader.read_to_end(&mut answers));
        let (_, _) = tokio::join!(timeout(Duration::from_secs(60), write), read);
        assert!(answers.starts_with(b"HTTP/") || std::str::from_utf8(&answers).is_ok());

        let mut other = place.connect().await.expect("a server");
        other.write_all(b"{\"id\":1,\"type\":\"request\",\"payload\":8}\n").await.expect("somebody who reads");
        let mut answer = [0; 38];
        timeout(Duration::from_secs(60), other.read_exact(&mut answer)).await.expect("in time").expect("an answer");
        assert_eq!(&answer, b"{\"id\":1,\"type\":\"response\",\"payload\":8}");
        handle.close();
        timeout(Duration::from_secs(60), running).await.expect("it closes").expect("without a panic");
        assert_eq!(handle.connections(), 0);
    });
}
