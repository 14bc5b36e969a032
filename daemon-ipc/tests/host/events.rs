//! Events: heard by those who subscribe, as they were published.

use daemon_ipc::{RequestError, code};
use serde_json::json;
use std::time::SystemTime;

use super::*;

#[tokio::test]
async fn who_subscribes_hears_what_is_published_from_then_on() {
    let (host, connection) = started().await;
    let before = SystemTime::now() - Duration::from_secs(1);
    let mut events = connection.subscribe("room:*").await.unwrap();
    // The answer to a later request tells that the subscription is there.
    let mut other = connection.subscribe("nothing:**").await.unwrap();
    Room::client(&connection).say(&"hi".to_owned()).await.unwrap();
    for number in 0..3 {
        let event = events.next().await.unwrap().unwrap();
        assert_eq!((&*event.topic, &*event.publisher, event.missed), ("room:said", "room", 0));
        let payload: serde_json::Value = event.payload.as_ref().unwrap().read().unwrap();
        assert_eq!(payload, json!({"text": "hi", "number": number}));
        let at = event.published_at();
        assert!(at > before && at <= SystemTime::now(), "{at:?}");
    }
    let whispered = events.next().await.unwrap().unwrap();
    assert_eq!((&*whispered.topic, whispered.payload), ("room:whispered", None), "it never leaves the process");
    drop(events);
    let ending = tokio::spawn(async move { other.next().await });
    assert!(host.shutdown().await.unwrap().is_clean());
    let end = ending.await.unwrap();
    assert!(
        end.is_none() || matches!(&end, Some(Err(RequestError::Failed(why))) if why.has_code(code::SHUTTING_DOWN)),
        "{end:?}"
    );
}

#[tokio::test]
async fn a_pattern_that_is_none_is_refused_with_what_is_wrong() {
    let (host, connection) = started().await;
    let mut events = connection.subscribe("room::said").await.unwrap();
    let error = events.next().await.unwrap().unwrap_err();
    assert!(error.failure().is_some_and(|failure| failure.has_code(code::BAD_REQUEST)), "{error:?}");
    let error = connection.call::<_, ()>(&json!({"subscribe": "room:**"})).await.unwrap_err();
    assert!(error.failure().is_some_and(|failure| failure.has_code(code::NOT_STREAMING)), "{error:?}");
    host.shutdown().await.unwrap();
}

/// The reader sleeps while far more is published than may wait.
#[tokio::test]
async fn who_reads_too_slowly_misses_events_that_are_counted_and_holds_nobody_up() {
    let (host, connection) = started().await;
    let mut events = connection.subscribe("room:said").await.unwrap();
    let handle = host.handle();
    let total = 20_000_u64;
    for number in 0..total {
        handle.publish(Said { text: "x".repeat(100), number }).await.unwrap();
        if number == 0 {
            // It is subscribed by now.
            assert_eq!(Room::client(&connection).double(&1).await.unwrap(), 2);
        }
    }
    let (mut heard, mut missed) = (0, 0);
    loop {
        let event = tokio::time::timeout(SOON, events.next()).await.unwrap().unwrap().unwrap();
        heard += 1;
        missed += event.missed;
        let said: Said = event.payload.unwrap().read().unwrap();
        if said.number == total - 1 {
            break;
        }
    }
    assert!(missed > 0 && heard + missed <= total, "{heard} heard, {missed} missed");
    host.shutdown().await.unwrap();
}
