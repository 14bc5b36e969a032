//! Whatever comes, it costs its sender only, and is never met with silence.

use crate::acts::{Stage, Told};
use crate::raw::Raw;
use daemon_ipc::{Limits, code};
use proptest::prelude::*;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;

const ECHO: &str = r#"{"id":"e","type":"request","payload":{"act":"echo"}}"#;
const ECHOED: &str = r#"{"id":"e","type":"response"}"#;

/// That a server still serves.
async fn serves(stage: &Stage) {
    let mut peer = Raw::connect(&stage.place).await;
    assert_eq!(peer.ask(ECHO).await, ECHOED);
}

#[tokio::test(start_paused = true)]
async fn every_bad_line_is_answered_and_costs_itself_only() {
    let stage = Stage::new();
    let mut peer = Raw::connect(&stage.place).await;
    let cases: [(&[u8], Option<serde_json::Value>, &str); 12] = [
        (b"hello", None, code::BAD_FRAME),
        (b"{", None, code::BAD_FRAME),
        (b"null", None, code::BAD_FRAME),
        (b"7", None, code::BAD_FRAME),
        (b"[\"1\",\"request\",2]", None, code::BAD_FRAME),
        (b"{\"id\":5}", Some(5.into()), code::BAD_FRAME),
        (b"{\"id\":5,\"type\":7}", Some(5.into()), code::BAD_FRAME),
        (b"{\"id\":5,\"type\":\"greeting\"}", Some(5.into()), code::UNKNOWN_TYPE),
        (b"{\"id\":5,\"type\":\"request\",\"payload\":}", Some(5.into()), code::BAD_FRAME),
        (b"{\"id\":\"\xFF\",\"type\":\"request\"}", None, code::BAD_FRAME),
        (b"{\"id\":5,\"id\":6,\"type\":\"request\"}", Some(5.into()), code::BAD_FRAME),
        (b"{\"id\":5,\"type\":\"event\",\"topic\":\"a\"}", Some(5.into()), code::UNKNOWN_TYPE),
    ];
    for (line, id, code) in cases {
        peer.send([line, b"\n"].concat()).await;
        let answer = peer.json().await;
        assert_eq!(answer["type"], "error", "{}", line.escape_ascii());
        assert_eq!(answer.get("id"), id.as_ref(), "{}", line.escape_ascii());
        assert_eq!(answer["payload"]["code"], code, "{}", line.escape_ascii());
        assert!(!answer["payload"]["message"].as_str().unwrap().is_empty());
        assert_eq!(peer.ask(ECHO).await, ECHOED, "{}", line.escape_ascii());
    }
}

#[tokio::test(start_paused = true)]
async fn a_payload_that_does_not_fit_is_answered_with_what_is_wrong() {
    let stage = Stage::new();
    let mut peer = Raw::connect(&stage.place).await;
    for (request, reason) in [
        (r#"{"id":1,"type":"request"}"#, "no payload"),
        (r#"{"id":1,"type":"request","payload":{"act":"fly"}}"#, "unknown variant `fly`"),
        (r#"{"id":1,"type":"request","payload":7}"#, "invalid type"),
    ] {
        peer.say(request).await;
        let answer = peer.json().await;
        assert_eq!(answer["payload"]["code"], code::BAD_REQUEST, "{request}");
        assert!(answer["payload"]["message"].as_str().unwrap().contains(reason), "{answer}");
    }
}

#[tokio::test(start_paused = true)]
async fn deep_nesting_is_carried_or_refused_and_no_crash() {
    let stage = Stage::new();
    let mut peer = Raw::connect(&stage.place).await;
    let nested = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    peer.say(&format!(r#"{{"id":1,"type":"request","payload":{{"act":"echo","value":{nested}}}}}"#)).await;
    let answer = peer.line().await.unwrap();
    assert!(answer.contains("recursion limit") || answer.contains(&nested), "{}", &answer[..100]);
    peer.say(&"{\"id\":".repeat(100_000)).await;
    assert_eq!(peer.json().await["payload"]["code"], code::BAD_FRAME);
    assert_eq!(peer.ask(ECHO).await, ECHOED);
}

#[tokio::test(start_paused = true)]
async fn a_hundred_megabytes_without_a_newline_are_told_once_and_then_forgotten() {
    let stage = Stage::with(Limits::default().with_max_frame(1024 * 1024));
    let mut peer = Raw::connect(&stage.place).await;
    peer.send(br#"{"id":"long","type":"request","payload":""#).await;
    let chunk = vec![b'x'; 1024 * 1024];
    for _ in 0..100 {
        peer.send(&chunk).await;
    }
    peer.say("\"}").await;
    let answer = peer.json().await;
    assert_eq!((&answer["id"], &answer["payload"]["code"]), (&"long".into(), &code::FRAME_TOO_LONG.into()));
    assert_eq!(peer.ask(ECHO).await, ECHOED);
}

#[tokio::test(start_paused = true)]
async fn a_reply_that_is_too_long_or_no_json_is_answered_as_a_failure() {
    let stage = Stage::with(Limits::default().with_max_frame(1000));
    let mut peer = Raw::connect(&stage.place).await;
    for (request, code) in [
        (r#"{"id":1,"type":"request","payload":{"act":"big","bytes":1000}}"#, code::FRAME_TOO_LONG),
        (r#"{"id":1,"type":"request","payload":{"act":"bad_reply"}}"#, code::BAD_REPLY),
    ] {
        peer.say(request).await;
        let answer = peer.json().await;
        assert_eq!((&answer["id"], &answer["payload"]["code"]), (&1.into(), &code.into()));
        assert_eq!(peer.ask(ECHO).await, ECHOED);
    }
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_panics_is_answered_for_and_harms_nobody() {
    let stage = Stage::new();
    let mut peer = Raw::connect(&stage.place).await;
    peer.say(r#"{"id":"w","type":"request","payload":{"act":"after","ms":50}}"#).await;
    for (act, text) in [("panic", "at once"), ("panic_later", "later")] {
        peer.say(&format!(r#"{{"id":"p","type":"request","payload":{{"act":"{act}"}}}}"#)).await;
        let answer = peer.json().await;
        assert_eq!((&answer["id"], &answer["payload"]["code"]), (&"p".into(), &code::PANICKED.into()));
        assert!(answer["payload"]["message"].as_str().unwrap().contains(text), "{answer}");
    }
    assert_eq!(peer.json().await["id"], "w");
    assert_eq!(peer.ask(ECHO).await, ECHOED);
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_panics_when_it_is_dropped_harms_nobody() {
    let stage = Stage::with(Limits::default().with_request_timeout(Duration::from_secs(1)));
    let mut peer = Raw::connect(&stage.place).await;
    peer.say(r#"{"id":"p","type":"request","payload":{"act":"panic_when_dropped"}}"#).await;
    assert_eq!(peer.json().await["payload"]["code"], code::DEADLINE_EXCEEDED);
    tokio::time::sleep(Duration::from_secs(10)).await; // the handler is dropped meanwhile
    assert_eq!(peer.ask(ECHO).await, ECHOED);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_dies_takes_its_requests_along_and_nobody_elses() {
    let mut stage = Stage::new();
    let mut other = Raw::connect(&stage.place).await;
    other.say(r#"{"id":"o","type":"request","payload":{"act":"until_released"}}"#).await;
    stage.wait_for(&Told::Began("released 1".into())).await;
    let mut dying = Raw::connect(&stage.place).await;
    dying.say(r#"{"id":"d","type":"request","payload":{"act":"until_cancelled"}}"#).await;
    stage.wait_for(&Told::Began("until cancelled".into())).await;
    dying.send(br#"{"id":"half","#).await;
    drop(dying);
    // In memory, that it is gone and not only done with writing shows when something is written to it.
    stage.wait_for(&Told::Cancelled).await;
    stage.release(1);
    assert_eq!(other.json().await["id"], "o");
}

#[tokio::test(start_paused = true)]
async fn an_unfinished_last_line_is_answered() {
    let stage = Stage::new();
    let mut peer = Raw::connect(&stage.place).await;
    peer.send(br#"{"id":"half","type":"request""#).await;
    peer.finish().await;
    let answer = peer.json().await;
    assert_eq!((&answer["id"], &answer["payload"]["code"]), (&"half".into(), &code::UNTERMINATED.into()));
    assert_eq!(peer.line().await, None);
}

/// Lines good, nearly good and bad, and plain noise.
fn any_stream() -> impl Strategy<Value = Vec<u8>> {
    let act = prop::sample::select(vec![
        r#"{"act":"echo","value":[1]}"#,
        r#"{"act":"panic"}"#,
        r#"{"act":"panic_later"}"#,
        r#"{"act":"after","ms":3}"#,
        r#"{"act":"until_cancelled"}"#,
        r#"{"act":"bad_reply"}"#,
        r#"{"act":"big","bytes":3000}"#,
        r#"{"act":"count","to":3}"#,
        "7",
    ]);
    let id = prop::sample::select(vec!["1", "2", "\"a\"", "null", "{}"]);
    let hello = prop::sample::select(vec![
        "",
        "",
        r#""hello":{"version":1,"capabilities":["cancel","deadline","stream","push"]},"#,
        r#""hello":7,"#,
        r#""deadline":1,"#,
        r#""stream":2,"#,
        r#""deadline":"soon","#,
    ]);
    let kind =
        prop::sample::select(vec!["request", "request", "request", "cancel", "credit", "response", "event", "x"]);
    let line = prop_oneof![
        6 => (id, hello, kind, act).prop_map(|(id, hello, kind, act)| {
            format!("{{\"id\":{id},{hello}\"type\":\"{kind}\",\"payload\":{act}}}\n").into_bytes()
        }),
        1 => prop::collection::vec(any::<u8>(), 0..60),
        1 => prop::sample::select(vec![&b"GET / HTTP/1.1\r\n\r\n"[..], b"\n", b"{\n", b"\xFF\xFE\n", b"[[[[[[\n"]).prop_map(<[u8]>::to_vec),
    ];
    prop::collection::vec(line, 0..12).prop_map(|lines| lines.concat())
}

/// How a peer behaves beside what it sends.
#[derive(Clone, Debug)]
struct Manners {
    cuts: Vec<prop::sample::Index>,
    reads: bool,
    finishes: bool,
}

fn any_manners() -> impl Strategy<Value = Manners> {
    (prop::collection::vec(any::<prop::sample::Index>(), 0..10), any::<bool>(), any::<bool>())
        .prop_map(|(cuts, reads, finishes)| Manners { cuts, reads, finishes })
}

/// Sends the stream in pieces, and then reads to the end, or closes, or just goes.
async fn misbehave(stage: &Stage, stream: &[u8], manners: &Manners) {
    let mut peer = stage.place.connect().await.unwrap();
    let mut at: Vec<usize> = manners.cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
    at.sort_unstable();
    at.push(stream.len());
    let mut from = 0;
    for to in at {
        if peer.write_all(&stream[from..to]).await.is_err() {
            return; // it was hung up on
        }
        from = to;
        tokio::task::yield_now().await;
    }
    if manners.finishes {
        peer.shutdown().await.ok();
    }
    if manners.reads && manners.finishes {
        // An answer that never ends is the peer's own wish; it goes then.
        timeout(Duration::from_secs(60), Raw::over(peer).rest()).await.ok();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_bytes_in_any_pieces_with_any_manners_leave_the_server_serving(
        streams in prop::collection::vec((any_stream(), any_manners()), 1..4)
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let limits = Limits::default().with_max_frame(2000).with_max_in_flight(3).with_max_waiting(2);
            let stage = Stage::with(limits.with_request_timeout(Duration::from_secs(5)));
            for (stream, manners) in &streams {
                timeout(Duration::from_secs(600), misbehave(&stage, stream, manners)).await.expect("it comes to an end");
            }
            serves(&stage).await;
            stage.server.close();
            timeout(Duration::from_secs(600), stage.running).await.expect("it closes").unwrap();
            assert_eq!(stage.server.connections(), 0);
        });
    }

    /// Whatever is sent, each request is answered once, under its own id.
    #[test]
    fn every_request_is_answered_once(
        acts in prop::collection::vec(0..5_usize, 0..40),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..10),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let stage = Stage::with(Limits::default().with_max_in_flight(4).with_max_waiting(4));
            const ACTS: [&str; 5] = [
                r#"{"act":"echo"}"#, r#"{"act":"after","ms":5}"#, r#"{"act":"panic_later"}"#,
                r#"{"act":"fail","message":"no"}"#, r#"{"act":"big","bytes":100000}"#,
            ];
            let lines: String = acts.iter().enumerate()
                .map(|(id, act)| format!("{{\"id\":{id},\"type\":\"request\",\"payload\":{}}}\n", ACTS[*act]))
                .collect();
            let manners = Manners { cuts, reads: true, finishes: true };
            let mut peer = stage.place.connect().await.unwrap();
            let (reader, mut writer) = tokio::io::split(&mut peer);
            let mut at: Vec<usize> = manners.cuts.iter().map(|cut| cut.index(lines.len() + 1)).collect();
            at.sort_unstable();
            at.push(lines.len());
            let write = async {
                let mut from = 0;
                for to in at {
                    writer.write_all(&lines.as_bytes()[from..to]).await.unwrap();
                    from = to;
                    tokio::task::yield_now().await;
                }
                writer.shutdown().await.unwrap();
            };
            let mut text = String::new();
            let mut reader = reader;
            let (_, read) = tokio::join!(write, tokio::io::AsyncReadExt::read_to_string(&mut reader, &mut text));
            read.unwrap();
            let mut ids: Vec<u64> = text.lines()
                .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["id"].as_u64().unwrap())
                .collect();
            ids.sort_unstable();
            assert_eq!(ids, (0..acts.len() as u64).collect::<Vec<_>>());
        });
    }
}

#[tokio::test(start_paused = true)]
async fn a_policy_that_panics_lets_that_peer_not_in_and_the_others_are_served() {
    let place = daemon_ipc::Memory::new();
    let asked = std::sync::atomic::AtomicU32::new(0);
    let policy = daemon_ipc::Policy::of(move |_| {
        let first = asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == 0;
        assert!(!first, "it did not think of this one");
        true
    });
    let server = daemon_ipc::Server::builder(crate::acts::Acts::new().0).policy(policy).listen(&place).unwrap();
    tokio::spawn(server.run());
    let refused = Raw::connect(&place).await.json().await;
    assert_eq!(refused["payload"]["code"], code::FORBIDDEN);
    let answer = Raw::connect(&place).await.ask(r#"{"id":1,"type":"request","payload":{"act":"echo"}}"#).await;
    assert_eq!(answer, r#"{"id":1,"type":"response"}"#);
}
