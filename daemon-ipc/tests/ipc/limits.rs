//! What one peer can make a server hold, and for how long.

use crate::acts::{Stage, Told};
use crate::raw::Raw;
use daemon_ipc::{Limits, code};
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::time::{Instant, timeout};

const ECHO: &str = r#"{"id":"e","type":"request","payload":{"act":"echo"}}"#;

fn released(turn: u32) -> Told {
    Told::Began(format!("released {turn}"))
}

#[tokio::test(start_paused = true)]
async fn no_more_requests_are_at_work_than_may_be_and_the_others_wait_in_order() {
    let mut stage = Stage::with(Limits::default().with_max_in_flight(2));
    let mut peer = Raw::connect(&stage.place).await;
    for id in 1..=5 {
        peer.say(&format!(r#"{{"id":{id},"type":"request","payload":{{"act":"until_released"}}}}"#)).await;
    }
    stage.wait_for(&released(2)).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(stage.told(), []);
    for turn in 1..=5 {
        stage.release(turn);
        let answer = peer.json().await;
        assert_eq!((&answer["id"], &answer["payload"]), (&turn.into(), &turn.into()));
        if turn <= 3 {
            stage.wait_for(&released(turn + 2)).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn beyond_those_that_may_wait_nothing_is_read() {
    let mut stage = Stage::with(Limits::default().with_max_in_flight(1).with_max_waiting(3));
    let mut peer = stage.place.connect().await.unwrap();
    let line = format!(
        "{{\"id\":1,\"type\":\"request\",\"payload\":{{\"act\":\"until_released\"}},\"x\":\"{}\"}}\n",
        "x".repeat(1000)
    );
    let mut written = 0;
    while timeout(Duration::from_secs(1), peer.write_all(line.as_bytes())).await.is_ok() {
        written += 1;
        assert!(written < 1000, "somebody reads on");
    }
    assert!(written > 4, "{written}: 64 KiB in the transport and as much in the buffer");
    stage.wait_for(&released(1)).await;
    stage.release(1000);
    let mut peer = Raw::over(peer);
    for _ in 0..written {
        peer.json().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_does_not_read_is_not_read_from_and_hung_up_on() {
    let stage = Stage::with(Limits::default().with_write_timeout(Duration::from_secs(20)));
    let mut peer = stage.place.connect().await.unwrap();
    let line = "{\"id\":1,\"type\":\"request\",\"payload\":{\"act\":\"big\",\"bytes\":1000}}\n".repeat(100);
    let start = Instant::now();
    let mut written = 0;
    while peer.write_all(line.as_bytes()).await.is_ok() {
        written += line.len();
        assert!(written < 1024 * 1024, "somebody reads on");
    }
    assert_eq!(start.elapsed(), Duration::from_secs(20));
    // 100 answers of 1 KiB each in the transport and the outbox, and what is read at once.
    assert!(written < 300 * 1024, "{written}");
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_reads_slowly_is_served_slowly() {
    let stage = Stage::with(Limits::default().with_write_timeout(Duration::from_secs(20)));
    let mut peer = Raw::connect(&stage.place).await;
    for id in 0..20 {
        peer.say(&format!(r#"{{"id":{id},"type":"request","payload":{{"act":"big","bytes":50000}}}}"#)).await;
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    for id in 0..20 {
        tokio::time::sleep(Duration::from_secs(15)).await;
        assert_eq!(peer.json().await["id"], id);
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_loris_is_told_and_hung_up_on() {
    let stage = Stage::with(Limits::default().with_read_timeout(Duration::from_secs(30)));
    let mut peer = stage.place.connect().await.unwrap();
    let start = Instant::now();
    while peer.write_all(b"x").await.is_ok() {
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(start.elapsed() < Duration::from_secs(60), "it is still listened to");
    }
    assert!(start.elapsed() >= Duration::from_secs(30));
    let mut peer = Raw::over(peer);
    let answer = peer.json().await;
    assert_eq!(answer["payload"]["code"], code::IDLE);
    assert_eq!(peer.line().await, None);
}

#[tokio::test(start_paused = true)]
async fn a_line_has_its_time_from_its_own_beginning() {
    let stage = Stage::with(Limits::default().with_read_timeout(Duration::from_secs(30)));
    let mut peer = Raw::connect(&stage.place).await;
    for _ in 0..10 {
        let (one, other) = ECHO.split_at(20);
        peer.send(one).await;
        tokio::time::sleep(Duration::from_secs(25)).await;
        peer.say(other).await;
        assert_eq!(peer.json().await["id"], "e");
    }
}

#[tokio::test(start_paused = true)]
async fn a_silent_connection_is_closed_and_one_that_is_waited_for_is_not() {
    let mut stage =
        Stage::with(Limits::default().with_idle_timeout(Duration::from_secs(100)).with_request_timeout(Duration::MAX));
    let mut silent = Raw::connect(&stage.place).await;
    let mut waiting = Raw::connect(&stage.place).await;
    waiting.say(r#"{"id":1,"type":"request","payload":{"act":"until_released"}}"#).await;
    stage.wait_for(&released(1)).await;
    let start = Instant::now();
    assert_eq!(silent.line().await, None);
    assert!((100..=125).contains(&start.elapsed().as_secs()), "{:?}", start.elapsed());
    tokio::time::sleep(Duration::from_secs(1000)).await;
    stage.release(1);
    assert_eq!(waiting.json().await["id"], 1);
    assert_eq!(waiting.line().await, None, "now it is silent, too");
}

#[tokio::test(start_paused = true)]
async fn one_connection_too_many_is_told_that_the_server_is_busy() {
    let stage = Stage::with(Limits::default().with_max_connections(2));
    let mut first = Raw::connect(&stage.place).await;
    let mut second = Raw::connect(&stage.place).await;
    first.ask(ECHO).await;
    second.ask(ECHO).await;
    let mut third = Raw::connect(&stage.place).await;
    let answer = third.json().await;
    assert_eq!((&answer["type"], &answer["payload"]["code"]), (&"error".into(), &code::BUSY.into()));
    assert_eq!(third.line().await, None);
    drop(first);
    while stage.server.connections() == 2 {
        tokio::task::yield_now().await;
    }
    assert!(!Raw::connect(&stage.place).await.ask(ECHO).await.contains(code::BUSY));
    second.ask(ECHO).await;
}

#[tokio::test(start_paused = true)]
async fn a_request_without_a_deadline_has_the_servers() {
    let mut stage = Stage::with(Limits::default().with_request_timeout(Duration::from_secs(40)));
    let mut peer = Raw::connect(&stage.place).await;
    let start = Instant::now();
    peer.say(r#"{"id":1,"type":"request","payload":{"act":"until_cancelled"}}"#).await;
    assert_eq!(peer.json().await["payload"]["code"], code::DEADLINE_EXCEEDED);
    assert_eq!(start.elapsed(), Duration::from_secs(40));
    stage.wait_for(&Told::Cancelled).await;
    assert_eq!(
        peer.ask(r#"{"id":2,"type":"request","payload":{"act":"time_limit"}}"#).await,
        r#"{"id":2,"type":"response","payload":40000}"#
    );
}

#[tokio::test(start_paused = true)]
async fn the_time_a_request_waits_for_its_turn_counts() {
    let mut stage = Stage::with(Limits::default().with_max_in_flight(1).with_request_timeout(Duration::from_secs(40)));
    let mut peer = Raw::connect(&stage.place).await;
    peer.say(r#"{"id":1,"type":"request","payload":{"act":"until_released"}}"#).await;
    peer.say(r#"{"id":2,"type":"request","payload":{"act":"time_limit"}}"#).await;
    stage.wait_for(&released(1)).await;
    tokio::time::sleep(Duration::from_secs(30)).await;
    peer.say(r#"{"id":3,"type":"request","payload":{"act":"echo"}}"#).await;
    stage.release(1);
    assert_eq!(peer.json().await["id"], 1);
    assert_eq!(peer.line().await.unwrap(), r#"{"id":2,"type":"response","payload":10000}"#);

    peer.say(r#"{"id":4,"type":"request","payload":{"act":"never"}}"#).await;
    peer.say(r#"{"id":5,"type":"request","payload":{"act":"echo"}}"#).await;
    assert_eq!(peer.json().await["id"], 3);
    let start = Instant::now();
    for id in [4, 5] {
        let answer = peer.json().await;
        assert_eq!((&answer["id"], &answer["payload"]["code"]), (&id.into(), &code::DEADLINE_EXCEEDED.into()));
    }
    assert_eq!(start.elapsed(), Duration::from_secs(40), "also one that never had its turn");
}

#[tokio::test(start_paused = true)]
async fn one_that_is_hung_up_on_is_not_kept_by_what_would_go_on_for_ever() {
    let mut stage = Stage::with(Limits::default().with_read_timeout(Duration::from_secs(30)));
    let mut peer = Raw::connect(&stage.place).await;
    let hello = r#""hello":{"version":1,"capabilities":["stream"]}"#;
    peer.say(&format!(r#"{{"id":1,"type":"request",{hello},"stream":1,"payload":{{"act":"until_cancelled"}}}}"#)).await;
    peer.send("{").await;
    for id in [None, Some(1)] {
        let answer = timeout(Duration::from_secs(60), peer.json()).await.expect("it is told");
        assert_eq!((answer["id"].as_i64(), &answer["payload"]["code"]), (id, &code::IDLE.into()));
    }
    assert_eq!(timeout(Duration::from_secs(60), peer.line()).await.expect("its connection ends"), None);
    stage.wait_for(&Told::Cancelled).await;
}

#[tokio::test(start_paused = true)]
async fn limits_of_nothing_still_answer() {
    let stage = Stage::with(Limits::default().with_max_frame(0));
    let mut peer = Raw::connect(&stage.place).await;
    let answer = timeout(Duration::from_secs(60), peer.ask(ECHO)).await.expect("it is read");
    assert!(answer.contains(code::FRAME_TOO_LONG), "{answer}");

    let mut limits = Limits::default().with_max_waiting(0).with_idle_timeout(Duration::ZERO);
    limits.max_in_flight = 0;
    let stage = Stage::with(limits);
    let mut peer = Raw::connect(&stage.place).await;
    peer.say(r#"{"id":1,"type":"request","payload":{"act":"after","ms":100}}"#).await;
    peer.say(r#"{"id":2,"type":"request","payload":{"act":"after","ms":100}}"#).await;
    for id in [1, 2] {
        let answer = timeout(Duration::from_secs(60), peer.json()).await.expect("it has its turn");
        assert_eq!((&answer["id"], &answer["payload"]), (&id.into(), &100.into()));
    }
    assert_eq!(peer.line().await, None, "nothing more is asked, and that is long enough");

    let stage = Stage::with(Limits::default().with_request_timeout(Duration::ZERO).with_cancel_grace(Duration::ZERO));
    let mut peer = Raw::connect(&stage.place).await;
    assert!(!peer.ask(ECHO).await.contains("error"), "one that answers at once is in time");
    let late = peer.ask(r#"{"id":1,"type":"request","payload":{"act":"after","ms":1}}"#).await;
    assert!(late.contains(code::DEADLINE_EXCEEDED), "{late}");
}

#[tokio::test(start_paused = true)]
async fn limits_without_end_end_nothing_by_chance() {
    let limits = Limits::default()
        .with_read_timeout(Duration::MAX)
        .with_write_timeout(Duration::MAX)
        .with_idle_timeout(Duration::MAX)
        .with_request_timeout(Duration::MAX)
        .with_cancel_grace(Duration::MAX)
        .with_drain_timeout(Duration::MAX)
        .with_max_frame(usize::MAX)
        .with_max_connections(usize::MAX)
        .with_max_in_flight(usize::MAX)
        .with_max_waiting(usize::MAX);
    let mut stage = Stage::with(limits);
    let mut peer = Raw::connect(&stage.place).await;
    let hello = r#""hello":{"version":1,"capabilities":["cancel"]}"#;
    peer.say(&format!(r#"{{"id":1,"type":"request",{hello},"payload":{{"act":"never"}}}}"#)).await;
    stage.wait_for(&Told::Began("never".into())).await;
    assert!(peer.ask(r#"{"id":1,"type":"cancel"}"#).await.contains(code::CANCELLED));
    tokio::time::sleep(Duration::from_secs(24 * 3600)).await;
    assert_eq!(stage.told(), [Told::Cancelled], "its handler goes on");
    drop(peer);

    let stage = Stage::with(Limits::default().with_drain_timeout(Duration::MAX));
    let mut peer = Raw::connect(&stage.place).await;
    peer.ask(ECHO).await;
    stage.server.close();
    assert_eq!(peer.line().await, None);
    stage.running.await.unwrap();
}
