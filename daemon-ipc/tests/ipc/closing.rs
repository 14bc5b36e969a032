//! The end of a connection and of a server: nothing is lost, nobody is left waiting.

use crate::acts::{Act, Stage, Told};
use crate::raw::Raw;
use daemon_ipc::{Connection, Limits, Memory, Reply, Request, Server, code, from_fn};
use std::time::Duration;
use tokio::time::Instant;

const ECHO: &str = r#"{"id":"e","type":"request","payload":{"act":"echo"}}"#;

#[tokio::test(start_paused = true)]
async fn a_peer_that_writes_no_more_still_gets_its_answers() {
    let mut stage = Stage::with(Limits::default().with_max_in_flight(1));
    let mut peer = Raw::connect(&stage.place).await;
    for id in 1..=3 {
        peer.say(&format!(r#"{{"id":{id},"type":"request","payload":{{"act":"until_released"}}}}"#)).await;
    }
    peer.finish().await;
    stage.wait_for(&Told::Began("released 1".into())).await;
    stage.release(3);
    for id in 1..=3 {
        assert_eq!(peer.json().await["id"], id);
    }
    assert_eq!(peer.line().await, None);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_closes_answers_what_is_at_work_and_refuses_what_comes() {
    let mut stage = Stage::with(Limits::default().with_max_in_flight(1));
    let mut peer = Raw::connect(&stage.place).await;
    let mut idle = Raw::connect(&stage.place).await;
    idle.ask(ECHO).await;
    peer.say(r#"{"id":1,"type":"request","payload":{"act":"until_released"}}"#).await;
    peer.say(r#"{"id":2,"type":"request","payload":{"act":"echo"}}"#).await;
    stage.wait_for(&Told::Began("released 1".into())).await;
    stage.server.close();
    let waiting = peer.json().await;
    assert_eq!((&waiting["id"], &waiting["payload"]["code"]), (&2.into(), &code::SHUTTING_DOWN.into()));
    assert_eq!(idle.line().await, None, "nothing is open on it");
    peer.say(r#"{"id":3,"type":"request","payload":{"act":"echo"}}"#).await;
    let late = peer.json().await;
    assert_eq!((&late["id"], &late["payload"]["code"]), (&3.into(), &code::SHUTTING_DOWN.into()));
    stage.release(1);
    assert_eq!(peer.json().await["id"], 1);
    assert_eq!(peer.line().await, None);
    stage.running.await.unwrap();
    assert_eq!(stage.place.connect().await.unwrap_err().kind(), std::io::ErrorKind::ConnectionRefused);
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_never_ends_holds_a_closing_server_up_for_its_time_and_no_longer() {
    let mut stage = Stage::with(
        Limits::default().with_drain_timeout(Duration::from_secs(7)).with_cancel_grace(Duration::from_secs(2)),
    );
    let mut peer = Raw::connect(&stage.place).await;
    peer.say(r#"{"id":1,"type":"request","payload":{"act":"never"}}"#).await;
    stage.wait_for(&Told::Began("never".into())).await;
    let start = Instant::now();
    stage.server.close();
    let answer = peer.json().await;
    assert_eq!((&answer["id"], &answer["payload"]["code"]), (&1.into(), &code::SHUTTING_DOWN.into()));
    assert_eq!(start.elapsed(), Duration::from_secs(7));
    stage.wait_for(&Told::Dropped).await;
    assert_eq!(start.elapsed(), Duration::from_secs(9));
    stage.running.await.unwrap();
    assert_eq!(start.elapsed(), Duration::from_secs(9));
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_does_not_read_holds_a_closing_server_up_no_longer() {
    let stage = Stage::with(
        Limits::default().with_drain_timeout(Duration::from_secs(7)).with_cancel_grace(Duration::from_secs(2)),
    );
    let mut peer = Raw::connect(&stage.place).await;
    peer.say(r#"{"id":1,"type":"request","payload":{"act":"big","bytes":1000000}}"#).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let start = Instant::now();
    stage.server.close();
    stage.running.await.unwrap();
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn who_connected_just_before_the_close_is_told() {
    let stage = Stage::new();
    // Nobody has accepted it when the server closes: both happen before its task has a turn.
    let mut peer = Raw::over(stage.place.connect().await.unwrap());
    stage.server.close();
    peer.say(ECHO).await;
    let answer = peer.line().await;
    assert!(answer.is_none_or(|answer| answer.contains(code::SHUTTING_DOWN)));
    stage.running.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_server_closes_when_it_is_told_through_its_future_too() {
    let place = Memory::new();
    let server = Server::builder(from_fn(|_: Request| async { Ok(Reply::empty()) })).listen(&place).unwrap();
    let start = Instant::now();
    server.run_until(tokio::time::sleep(Duration::from_secs(3))).await;
    assert_eq!(start.elapsed(), Duration::from_secs(3));
}

#[tokio::test(start_paused = true)]
async fn dropping_the_server_ends_everything_at_once() {
    let mut stage = Stage::new();
    let connection = Connection::connect(&stage.place).await.unwrap();
    let caller = tokio::spawn(async move { connection.call::<_, ()>(&Act::Never).await });
    stage.wait_for(&Told::Began("never".into())).await;
    stage.running.abort();
    let error = caller.await.unwrap().unwrap_err();
    assert_eq!(error.to_string(), "the connection to (memory) ended");
    stage.wait_for(&Told::Dropped).await;
}

#[tokio::test(start_paused = true)]
async fn one_place_has_one_server_and_another_when_that_is_gone() {
    let stage = Stage::new();
    let listen = || Server::builder(from_fn(|_: Request| async { Ok(Reply::empty()) })).listen(&stage.place);
    assert!(listen().unwrap_err().to_string().contains("another server has (memory)"));
    stage.server.close();
    while !stage.running.is_finished() {
        tokio::task::yield_now().await;
    }
    listen().unwrap();
}

#[tokio::test]
#[cfg(unix)]
async fn however_many_connected_just_before_the_close_each_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("daemon.sock");
    let server = daemon_ipc::Server::builder(crate::acts::Acts::new().0).listen(&path).unwrap();
    let mut peers = Vec::new();
    for _ in 0..400 {
        let mut peer = Raw::over(tokio::net::UnixStream::connect(&path).await.unwrap());
        peer.say(r#"{"id":1,"type":"request","payload":{"act":"echo"}}"#).await;
        peers.push(peer);
    }
    server.handle().close();
    server.run().await;
    for (number, peer) in peers.iter_mut().enumerate() {
        let rest = peer.rest().await;
        assert!(rest.contains(code::SHUTTING_DOWN), "{number}: {rest:?}");
    }
}
