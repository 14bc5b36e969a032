//! What the seed's peers send and expect, byte for byte.

use crate::acts::{Stage, Told};
use crate::raw::Raw;

#[tokio::test(start_paused = true)]
async fn a_request_is_answered_in_the_form_peers_know() {
    let stage = Stage::new();
    let mut peer = Raw::connect(&stage.place).await;
    let answer = peer
        .ask(r#"{"id":"1764000000000-k3x9a0b1","type":"request","payload":{"act":"echo","value":{"a":[1,"é"]}}}"#)
        .await;
    assert_eq!(answer, r#"{"id":"1764000000000-k3x9a0b1","type":"response","payload":{"a":[1,"é"]}}"#);
}

#[tokio::test(start_paused = true)]
async fn an_id_of_any_kind_is_echoed_and_a_missing_one_stays_missing() {
    let stage = Stage::new();
    let mut peer = Raw::connect(&stage.place).await;
    for id in ["7", "null", "[1]", r#"{"a":1}"#, r#""""#, "true", "1.50", "12345678901234567890123"] {
        let answer = peer.ask(&format!(r#"{{"id":{id},"type":"request","payload":{{"act":"echo"}}}}"#)).await;
        assert_eq!(answer, format!(r#"{{"id":{id},"type":"response"}}"#));
    }
    let answer = peer.ask(r#"{"type":"request","payload":{"act":"echo","value":1}}"#).await;
    assert_eq!(answer, r#"{"type":"response","payload":1}"#);
}

#[tokio::test(start_paused = true)]
async fn requests_of_the_same_id_are_both_answered() {
    let stage = Stage::new();
    let mut peer = Raw::connect(&stage.place).await;
    for value in [1, 2] {
        peer.say(&format!(r#"{{"id":"same","type":"request","payload":{{"act":"echo","value":{value}}}}}"#)).await;
    }
    for value in [1, 2] {
        assert_eq!(peer.line().await.unwrap(), format!(r#"{{"id":"same","type":"response","payload":{value}}}"#));
    }
}

#[tokio::test(start_paused = true)]
async fn payloads_come_back_as_they_went() {
    let stage = Stage::new();
    let mut peer = Raw::connect(&stage.place).await;
    for value in [
        "9007199254740993",
        "18446744073709551615",
        "-9223372036854775808",
        "123456789012345678901234567890.50e7",
        r#""\u00e9\n\"""#,
        r#"{"b":1,"a":[ ],"b":2}"#,
        "null",
    ] {
        let answer =
            peer.ask(&format!(r#"{{"id":1,"type":"request","payload":{{"act":"echo","value":{value}}}}}"#)).await;
        let expected = if value == "null" { String::new() } else { format!(r#","payload":{value}"#) };
        assert_eq!(answer, format!(r#"{{"id":1,"type":"response"{expected}}}"#));
    }
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_a_message_and_what_the_handler_adds() {
    let stage = Stage::new();
    let mut peer = Raw::connect(&stage.place).await;
    let plain = peer.ask(r#"{"id":1,"type":"request","payload":{"act":"fail","message":"no"}}"#).await;
    assert_eq!(plain, r#"{"id":1,"type":"error","payload":{"message":"no"}}"#);
    let more = peer.ask(r#"{"id":1,"type":"request","payload":{"act":"fail","message":"no","code":"x"}}"#).await;
    assert_eq!(more, r#"{"id":1,"type":"error","payload":{"message":"no","code":"x","tag":"TestError"}}"#);
}

#[tokio::test(start_paused = true)]
async fn answers_come_in_the_order_in_which_they_are_ready() {
    let mut stage = Stage::new();
    let mut peer = Raw::connect(&stage.place).await;
    peer.say(r#"{"id":"slow","type":"request","payload":{"act":"after","ms":200}}"#).await;
    peer.say(r#"{"id":"fast","type":"request","payload":{"act":"after","ms":10}}"#).await;
    peer.say(r#"{"id":"now","type":"request","payload":{"act":"echo"}}"#).await;
    for id in ["now", "fast", "slow"] {
        assert_eq!(peer.json().await["id"], id);
    }
    assert_eq!(stage.told(), [Told::Began("after 200".into()), Told::Began("after 10".into())]);
}

#[tokio::test(start_paused = true)]
async fn stray_answers_are_passed_over() {
    let stage = Stage::new();
    let mut peer = Raw::connect(&stage.place).await;
    peer.say(r#"{"id":"1","type":"response","payload":1}"#).await;
    peer.say(r#"{"id":"2","type":"error","payload":{"message":"no"}}"#).await;
    peer.say("\r").await;
    let answer = peer.ask(r#" {"id":"3","type":"request","payload":{"act":"echo"}} "#).await;
    assert_eq!(answer, r#"{"id":"3","type":"response"}"#);
}

#[tokio::test(start_paused = true)]
async fn many_requests_in_one_write_are_answered_in_one() {
    let stage = Stage::new();
    let mut peer = Raw::connect(&stage.place).await;
    let lines: String =
        (0..500).map(|id| format!("{{\"id\":{id},\"type\":\"request\",\"payload\":{{\"act\":\"echo\"}}}}\n")).collect();
    peer.send(lines).await;
    for id in 0..500 {
        assert_eq!(peer.line().await.unwrap(), format!(r#"{{"id":{id},"type":"response"}}"#));
    }
}
