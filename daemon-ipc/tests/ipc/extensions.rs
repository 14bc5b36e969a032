//! What two ends say to each other that both know more than requests and responses.

use crate::acts::{Stage, Told};
use crate::raw::Raw;
use daemon_ipc::{Limits, Memory, code};
use serde_json::json;
use std::time::Duration;
use tokio::time::Instant;

const HELLO: &str = r#""hello":{"version":1,"capabilities":["cancel","deadline","stream","push"]}"#;

/// A peer that has greeted, and was answered.
async fn greeted(place: &Memory) -> Raw {
    let mut peer = Raw::connect(place).await;
    peer.ask(&format!(r#"{{"id":"h","type":"request",{HELLO},"payload":{{"act":"echo"}}}}"#)).await;
    peer
}

#[tokio::test(start_paused = true)]
async fn a_greeting_is_answered_on_the_reply_and_nothing_else_is() {
    let stage = Stage::new();
    let mut peer = Raw::connect(&stage.place).await;
    peer.say(&format!(r#"{{"id":1,"type":"request",{HELLO},"payload":{{"act":"after","ms":9}}}}"#)).await;
    peer.say(r#"{"id":2,"type":"request","payload":{"act":"echo"}}"#).await;
    assert_eq!(peer.line().await.unwrap(), r#"{"id":2,"type":"response"}"#);
    let ours = r#""hello":{"version":1,"capabilities":["cancel","deadline","stream","push"],"commands":{"acts":"s1"}}"#;
    assert_eq!(peer.line().await.unwrap(), format!(r#"{{"id":1,"type":"response",{ours},"payload":9}}"#));

    let mut plain = Raw::connect(&stage.place).await;
    assert_eq!(
        plain.ask(r#"{"id":1,"type":"request","payload":{"act":"echo"}}"#).await,
        r#"{"id":1,"type":"response"}"#
    );
}

#[tokio::test(start_paused = true)]
async fn a_greeting_is_answered_on_a_failure_too() {
    let stage = Stage::new();
    let mut peer = Raw::connect(&stage.place).await;
    peer.say(&format!(r#"{{"id":1,"type":"request",{HELLO},"payload":{{"act":"fail","message":"no"}}}}"#)).await;
    let answer = peer.json().await;
    assert_eq!((&answer["type"], &answer["hello"]["commands"]["acts"]), (&json!("error"), &json!("s1")));
}

#[tokio::test(start_paused = true)]
async fn a_greeting_that_cannot_be_read_is_a_bad_frame() {
    let stage = Stage::new();
    let mut peer = Raw::connect(&stage.place).await;
    for bad in ["7", "{}", r#"{"version":"1"}"#, r#"{"version":1,"capabilities":{}}"#] {
        peer.say(&format!(r#"{{"id":1,"type":"request","hello":{bad},"payload":{{"act":"echo"}}}}"#)).await;
        let answer = peer.json().await;
        assert_eq!((&answer["id"], &answer["payload"]["code"]), (&1.into(), &code::BAD_FRAME.into()), "{bad}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_deadline_is_kept_to_the_millisecond_and_told_to_the_handler() {
    let mut stage = Stage::new();
    let mut peer = greeted(&stage.place).await;
    let start = Instant::now();
    peer.say(r#"{"id":1,"type":"request","deadline":1500,"payload":{"act":"never"}}"#).await;
    let answer = peer.json().await;
    assert_eq!((&answer["id"], &answer["payload"]["code"]), (&1.into(), &code::DEADLINE_EXCEEDED.into()));
    assert_eq!(start.elapsed(), Duration::from_millis(1500));
    stage.wait_for(&Told::Cancelled).await;
    assert_eq!(
        peer.ask(r#"{"id":2,"type":"request","deadline":1500,"payload":{"act":"time_limit"}}"#).await,
        r#"{"id":2,"type":"response","payload":1500}"#
    );
}

#[tokio::test(start_paused = true)]
async fn without_a_greeting_extensions_are_keys_nobody_knows() {
    let stage = Stage::with(Limits::default().with_request_timeout(Duration::from_secs(60)));
    let mut peer = Raw::connect(&stage.place).await;
    let start = Instant::now();
    peer.say(r#"{"id":1,"type":"request","deadline":1500,"payload":{"act":"never"}}"#).await;
    assert_eq!(peer.json().await["payload"]["code"], code::DEADLINE_EXCEEDED);
    assert_eq!(start.elapsed(), Duration::from_secs(60), "the server's own");
    peer.say(r#"{"id":1,"type":"request","stream":9,"payload":{"act":"count","to":2}}"#).await;
    assert_eq!(peer.json().await["payload"]["code"], code::NOT_STREAMING);
}

#[tokio::test(start_paused = true)]
async fn a_peer_of_a_later_version_or_with_fewer_abilities_is_served_with_what_both_know() {
    let stage = Stage::new();
    let mut peer = Raw::connect(&stage.place).await;
    let hello = r#""hello":{"version":9,"capabilities":["deadline","teleport"],"wings":2}"#;
    peer.say(&format!(r#"{{"id":1,"type":"request",{hello},"payload":{{"act":"echo"}}}}"#)).await;
    assert_eq!(peer.json().await["hello"]["version"], 1);
    peer.say(r#"{"id":2,"type":"request","stream":9,"payload":{"act":"count","to":2}}"#).await;
    assert_eq!(peer.json().await["payload"]["code"], code::NOT_STREAMING);
    assert_eq!(
        peer.ask(r#"{"id":3,"type":"request","deadline":7,"payload":{"act":"time_limit"}}"#).await,
        r#"{"id":3,"type":"response","payload":7}"#
    );
}

#[tokio::test(start_paused = true)]
async fn a_request_is_given_up_and_answered_and_its_handler_told() {
    let mut stage = Stage::new();
    let mut peer = greeted(&stage.place).await;
    peer.say(r#"{"id":{"a":1},"type":"request","payload":{"act":"until_cancelled"}}"#).await;
    stage.wait_for(&Told::Began("until cancelled".into())).await;
    peer.say(r#"{"id":{"a":1},"type":"cancel"}"#).await;
    let answer = peer.json().await;
    assert_eq!((&answer["id"], &answer["payload"]["code"]), (&json!({"a": 1}), &code::CANCELLED.into()));
    stage.wait_for(&Told::Cancelled).await;
    // Neither what the handler answers after that nor another cancel is answered.
    peer.say(r#"{"id":{"a":1},"type":"cancel"}"#).await;
    peer.say(r#"{"id":"unknown","type":"cancel"}"#).await;
    assert_eq!(
        peer.ask(r#"{"id":2,"type":"request","payload":{"act":"echo"}}"#).await,
        r#"{"id":2,"type":"response"}"#
    );
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_goes_on_is_dropped_after_its_grace() {
    let mut stage = Stage::with(Limits::default().with_cancel_grace(Duration::from_secs(3)));
    let mut peer = greeted(&stage.place).await;
    peer.say(r#"{"id":1,"type":"request","payload":{"act":"never"}}"#).await;
    stage.wait_for(&Told::Began("never".into())).await;
    let start = Instant::now();
    peer.say(r#"{"id":1,"type":"cancel"}"#).await;
    stage.wait_for(&Told::Cancelled).await;
    assert_eq!(start.elapsed(), Duration::ZERO);
    stage.wait_for(&Told::Dropped).await;
    assert_eq!(start.elapsed(), Duration::from_secs(3));
}

#[tokio::test(start_paused = true)]
async fn a_cancel_gets_through_when_as_many_are_at_work_as_may_be() {
    let mut stage = Stage::with(Limits::default().with_max_in_flight(1).with_cancel_grace(Duration::ZERO));
    let mut peer = greeted(&stage.place).await;
    for id in 1..=3 {
        peer.say(&format!(r#"{{"id":{id},"type":"request","payload":{{"act":"never"}}}}"#)).await;
    }
    stage.wait_for(&Told::Began("never".into())).await;
    // One that waits, and then the one at work.
    for id in [2, 1] {
        peer.say(&format!(r#"{{"id":{id},"type":"cancel"}}"#)).await;
        let answer = peer.json().await;
        assert_eq!((&answer["id"], &answer["payload"]["code"]), (&id.into(), &code::CANCELLED.into()));
    }
    stage.wait_for(&Told::Dropped).await;
    stage.wait_for(&Told::Began("never".into())).await; // the third has its turn
}

#[tokio::test(start_paused = true)]
async fn a_peer_hears_of_events_once_it_has_greeted() {
    let stage = Stage::new();
    let push = r#"{"id":1,"type":"request","payload":{"act":"push","topic":"data:users:created","times":2}}"#;
    let mut plain = Raw::connect(&stage.place).await;
    assert_eq!(plain.ask(push).await, r#"{"id":1,"type":"response","payload":0}"#);

    let mut peer = greeted(&stage.place).await;
    peer.say(push).await;
    let mut lines = [peer.line().await.unwrap(), peer.line().await.unwrap(), peer.line().await.unwrap()];
    lines.sort();
    let event = |turn| format!(r#"{{"type":"event","topic":"data:users:created","payload":{turn}}}"#);
    assert_eq!(lines, [r#"{"id":1,"type":"response","payload":2}"#.to_owned(), event(0), event(1)]);

    assert_eq!(stage.server.push("host:stopping", &json!({"in": 5})).unwrap(), 1);
    assert_eq!(peer.line().await.unwrap(), r#"{"type":"event","topic":"host:stopping","payload":{"in":5}}"#);
    assert_eq!(
        plain.ask(r#"{"id":2,"type":"request","payload":{"act":"echo"}}"#).await,
        r#"{"id":2,"type":"response"}"#
    );
}

#[tokio::test(start_paused = true)]
async fn events_for_a_peer_that_does_not_read_are_bounded() {
    let stage = Stage::with(Limits::default().with_max_waiting(10));
    let mut peer = greeted(&stage.place).await;
    let text = "x".repeat(10_000);
    let mut told = 0;
    for _ in 0..1000 {
        told += stage.server.push("t", &text).unwrap();
        tokio::task::yield_now().await;
    }
    // What the transport takes, what the outbox takes, and ten.
    assert!((10..100).contains(&told), "{told}");
    for _ in 0..told {
        assert_eq!(peer.json().await["topic"], "t");
    }
    assert_eq!(stage.server.push("t", &text).unwrap(), 1, "there is room again");
}
