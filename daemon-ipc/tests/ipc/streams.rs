//! Answers of many items.

use crate::acts::{Act, Stage, Told};
use crate::raw::Raw;
use daemon_ipc::{Connection, Memory, Reply, Request, RequestError, Server, code, from_fn};

const HELLO: &str = r#""hello":{"version":1,"capabilities":["cancel","deadline","stream","push"]}"#;

#[tokio::test(start_paused = true)]
async fn items_come_with_more_and_the_last_message_without() {
    let stage = Stage::new();
    let mut peer = Raw::connect(&stage.place).await;
    peer.say(&format!(r#"{{"id":"s","type":"request",{HELLO},"stream":9,"payload":{{"act":"count","to":2}}}}"#)).await;
    let first = peer.json().await;
    assert_eq!((&first["more"], &first["payload"]), (&true.into(), &1.into()));
    assert_eq!(first["hello"]["version"], 1, "the first message answers the greeting");
    assert_eq!(peer.line().await.unwrap(), r#"{"id":"s","type":"response","more":true,"payload":2}"#);
    let last = peer.json().await;
    assert_eq!((last.get("more"), last.get("payload")), (None, None));
}

#[tokio::test(start_paused = true)]
async fn no_more_items_come_than_were_asked_for() {
    let mut stage = Stage::new();
    let mut peer = Raw::connect(&stage.place).await;
    peer.say(&format!(r#"{{"id":"s","type":"request",{HELLO},"stream":2,"payload":{{"act":"count","to":5}}}}"#)).await;
    stage.wait_for(&Told::Sent(2)).await;
    assert_eq!((peer.json().await["payload"].clone(), peer.json().await["payload"].clone()), (1.into(), 2.into()));
    // The connection is not held up meanwhile.
    assert_eq!(
        peer.ask(r#"{"id":1,"type":"request","payload":{"act":"echo"}}"#).await,
        r#"{"id":1,"type":"response"}"#
    );
    assert_eq!(stage.told(), []);
    peer.say(r#"{"id":"s","type":"credit","stream":1}"#).await;
    assert_eq!(peer.json().await["payload"], 3);
    peer.say(r#"{"id":"s","type":"credit","stream":4294967295}"#).await;
    assert_eq!((peer.json().await["payload"].clone(), peer.json().await["payload"].clone()), (4.into(), 5.into()));
    assert_eq!(peer.json().await.get("more"), None);
}

#[tokio::test(start_paused = true)]
async fn items_that_nobody_reads_hold_up_the_handler_and_not_memory() {
    let mut stage = Stage::new();
    let mut peer = Raw::connect(&stage.place).await;
    peer.say(&format!(
        r#"{{"id":"s","type":"request",{HELLO},"stream":1000000,"payload":{{"act":"count","to":1000000}}}}"#
    ))
    .await;
    stage.wait_for(&Told::Sent(1000)).await;
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    let sent = stage.told().len() + 1000;
    assert!(
        sent < 20_000,
        "{sent} items of about 50 bytes in 64 KiB of transport, 64 KiB of outbox and 256 KiB of mail"
    );
    for number in 1..=20_000 {
        assert_eq!(peer.json().await["payload"], number);
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_takes_items_one_by_one_beyond_any_window() {
    let stage = Stage::new();
    let connection = Connection::connect(&stage.place).await.unwrap();
    let mut numbers = connection.stream::<_, u32>(&Act::Count { to: 1000 }).await.unwrap();
    for number in 1..=1000 {
        assert_eq!(numbers.next().await.unwrap().unwrap(), number);
    }
    assert!(numbers.next().await.is_none());
    assert!(numbers.next().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_not_read_holds_up_nobody_else() {
    let mut stage = Stage::new();
    let connection = Connection::connect(&stage.place).await.unwrap();
    let unread = connection.stream::<_, u32>(&Act::Count { to: 1_000_000 }).await.unwrap();
    stage.wait_for(&Told::Sent(64)).await;
    for value in 0..100 {
        assert_eq!(connection.call::<_, u64>(&Act::After { ms: value }).await.unwrap(), value);
    }
    assert_eq!(stage.told().iter().filter(|told| matches!(told, Told::Sent(_))).count(), 0, "no more than its window");
    drop(unread);
}

#[tokio::test(start_paused = true)]
async fn dropping_the_replies_gives_the_request_up() {
    let mut stage = Stage::new();
    let connection = Connection::connect(&stage.place).await.unwrap();
    connection.call::<_, ()>(&Act::Echo { value: None }).await.unwrap(); // the greeting is answered
    let replies = connection.stream::<_, u32>(&Act::UntilCancelled).await.unwrap();
    stage.wait_for(&Told::Began("until cancelled".into())).await;
    drop(replies);
    stage.wait_for(&Told::Cancelled).await;
}

#[tokio::test(start_paused = true)]
async fn a_failure_ends_the_answer_after_its_items() {
    let stage = Stage::new();
    let connection = Connection::connect(&stage.place).await.unwrap();
    let mut numbers = connection.stream::<_, u32>(&Act::CountAndFail).await.unwrap();
    assert_eq!(numbers.next().await.unwrap().unwrap(), 1);
    assert_eq!(numbers.next().await.unwrap().unwrap(), 2);
    let failure = numbers.next().await.unwrap().unwrap_err();
    assert!(failure.failure().unwrap().has_code("tired"), "{failure}");
    assert!(numbers.next().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn one_answer_is_the_only_item_of_a_stream_and_a_stream_is_no_answer_to_a_call() {
    let stage = Stage::new();
    let connection = Connection::connect(&stage.place).await.unwrap();
    let mut items = connection.stream::<_, u64>(&Act::After { ms: 7 }).await.unwrap();
    assert_eq!(items.next().await.unwrap().unwrap(), 7);
    assert!(items.next().await.is_none());
    let refused = connection.call::<_, u32>(&Act::Count { to: 2 }).await.unwrap_err();
    assert!(refused.failure().unwrap().has_code(code::NOT_STREAMING), "{refused}");
}

#[tokio::test(start_paused = true)]
async fn an_item_of_another_type_is_told_and_the_next_one_comes() {
    let stage = Stage::new();
    let connection = Connection::connect(&stage.place).await.unwrap();
    let mut items = connection.stream::<_, bool>(&Act::Count { to: 2 }).await.unwrap();
    assert!(matches!(items.next().await, Some(Err(RequestError::Reply(_)))));
    assert!(matches!(items.next().await, Some(Err(RequestError::Reply(_)))));
    assert!(items.next().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_server_that_closes_ends_answers_that_would_go_on_for_ever() {
    let mut stage = Stage::new();
    let connection = Connection::connect(&stage.place).await.unwrap();
    let mut items = connection.stream::<_, u32>(&Act::Count { to: 1_000_000 }).await.unwrap();
    stage.wait_for(&Told::Sent(64)).await;
    stage.server.close();
    let mut last = None;
    while let Some(item) = items.next().await {
        last = Some(item);
    }
    let failure = last.unwrap().unwrap_err();
    assert!(failure.failure().unwrap().has_code(code::SHUTTING_DOWN), "{failure}");
    stage.running.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_writes_no_more_gets_all_items_without_asking_for_them() {
    let stage = Stage::new();
    for in_flight in [false, true] {
        let mut peer = Raw::connect(&stage.place).await;
        peer.say(&format!(r#"{{"id":"s","type":"request",{HELLO},"stream":2,"payload":{{"act":"count","to":5}}}}"#))
            .await;
        if in_flight {
            peer.json().await;
        }
        peer.finish().await;
        let rest = peer.rest().await;
        assert_eq!(rest.lines().count(), if in_flight { 5 } else { 6 }, "{rest}");
    }
}

/// An answer that goes on after its end would be taken for another's, once the id is used again.
#[tokio::test(start_paused = true)]
async fn nothing_comes_after_the_last_message_though_somebody_still_has_the_items() {
    let place = Memory::new();
    let (sender, mut kept) = tokio::sync::mpsc::unbounded_channel();
    let handler = from_fn(move |mut request: Request| {
        let items = request.items().map(|items| sender.send(items).unwrap());
        async move { items.map(|()| Reply::empty()) }
    });
    tokio::spawn(Server::builder(handler).listen(&place).unwrap().run());
    let mut peer = Raw::connect(&place).await;
    let last = peer.ask(&format!(r#"{{"id":1,"type":"request",{HELLO},"stream":9}}"#)).await;
    assert!(!last.contains("more"), "{last}");
    let failure = kept.recv().await.unwrap().send(&1).await.unwrap_err();
    assert!(failure.has_code(code::CANCELLED), "{failure}");
    peer.finish().await;
    assert_eq!(peer.rest().await, "");
}

#[tokio::test(start_paused = true)]
async fn credit_is_for_the_one_of_its_id_that_can_use_it() {
    let mut stage = Stage::new();
    let mut peer = Raw::connect(&stage.place).await;
    // One that was given up and goes on for a moment, one that has no items, and one that has.
    peer.say(&format!(r#"{{"id":"s","type":"request",{HELLO},"stream":1,"payload":{{"act":"never"}}}}"#)).await;
    stage.wait_for(&Told::Began("never".into())).await;
    let given_up = peer.ask(r#"{"id":"s","type":"cancel"}"#).await;
    assert!(given_up.contains(code::CANCELLED), "{given_up}");
    peer.say(r#"{"id":"s","type":"request","payload":{"act":"until_released"}}"#).await;
    peer.say(r#"{"id":"s","type":"request","stream":1,"payload":{"act":"count","to":2}}"#).await;
    assert_eq!(peer.json().await["payload"], 1);
    peer.say(r#"{"id":"s","type":"credit","stream":1}"#).await;
    let second = tokio::time::timeout(std::time::Duration::from_secs(10), peer.json()).await;
    assert_eq!(second.expect("it has credit")["payload"], 2);
}

#[tokio::test(start_paused = true)]
async fn an_item_without_a_payload_is_none_but_takes_its_place_in_the_window() {
    let place = Memory::new();
    let mut listener = place.listen().unwrap();
    tokio::spawn(async move {
        let mut peer = Raw::over(listener.accept().await);
        let mut window = peer.json().await["stream"].as_u64().unwrap();
        for _ in 0..1000 {
            while window == 0 {
                window += peer.json().await["stream"].as_u64().unwrap();
            }
            window -= 1;
            peer.say(r#"{"id":"1","type":"response","more":true}"#).await;
        }
        peer.say(r#"{"id":"1","type":"response","payload":7}"#).await;
    });
    let connection = Connection::connect(&place).await.unwrap();
    let mut items = connection.stream::<_, u32>(&1).await.unwrap();
    let first = tokio::time::timeout(std::time::Duration::from_secs(10), items.next()).await;
    assert_eq!(first.expect("it asks for more").unwrap().unwrap(), 7);
    assert!(items.next().await.is_none());
}
