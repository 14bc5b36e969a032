//! What a server tells everybody who listens.

use crate::acts::{Act, Stage};
use daemon_ipc::{Connection, ConnectionError};
use serde_json::json;

async fn greeted(stage: &Stage) -> Connection {
    let connection = Connection::connect(&stage.place).await.unwrap();
    connection.call::<_, ()>(&Act::Echo { value: None }).await.unwrap();
    connection
}

#[tokio::test(start_paused = true)]
async fn every_listener_hears_every_event_in_order() {
    let stage = Stage::new();
    let connection = greeted(&stage).await;
    let mut one = connection.events().await.unwrap();
    let mut other = connection.clone().events().await.unwrap();
    for number in 0..100 {
        assert_eq!(stage.server.push("count", &number).unwrap(), 1);
        tokio::task::yield_now().await;
    }
    for number in 0..100 {
        for events in [&mut one, &mut other] {
            let event = events.next().await.unwrap();
            assert_eq!((&*event.topic, event.payload.unwrap().read::<u32>().unwrap()), ("count", number));
        }
    }
    assert_eq!(one.missed(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_listener_that_does_not_listen_misses_the_oldest_and_holds_up_nobody() {
    let stage = Stage::new();
    let connection = greeted(&stage).await;
    let mut events = connection.events().await.unwrap();
    for number in 0..2000 {
        while stage.server.push("count", &number).unwrap() == 0 {
            tokio::task::yield_now().await;
        }
    }
    assert_eq!(connection.call::<_, u64>(&Act::After { ms: 7 }).await.unwrap(), 7);
    let first = events.next().await.unwrap().payload.unwrap().read::<u64>().unwrap();
    assert_eq!((first, events.missed()), (2000 - 1024, 2000 - 1024));
}

#[tokio::test(start_paused = true)]
async fn what_was_told_before_the_end_is_heard_before_it() {
    let stage = Stage::new();
    let connection = greeted(&stage).await;
    let mut events = connection.events().await.unwrap();
    stage.server.push("bye", &json!(null)).unwrap();
    stage.server.close();
    stage.running.await.unwrap();
    assert_eq!(events.next().await.unwrap().topic, "bye");
    for _ in 0..2 {
        assert!(matches!(events.next().await, Err(ConnectionError::Closed { .. })));
    }
}

#[tokio::test(start_paused = true)]
async fn a_handler_can_tell_its_peer_for_as_long_as_it_likes() {
    let stage = Stage::new();
    let connection = greeted(&stage).await;
    let mut events = connection.events().await.unwrap();
    let taken: u32 = connection.call(&Act::Push { topic: "a:b".into(), times: 3 }).await.unwrap();
    assert_eq!(taken, 3);
    for turn in 0..3 {
        let event = events.next().await.unwrap();
        assert_eq!((&*event.topic, event.payload.unwrap().as_str()), ("a:b", &*turn.to_string()));
    }
}
