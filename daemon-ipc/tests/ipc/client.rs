//! Connections: made, shared, lost, made again; what is asked on them, and given up.

use crate::acts::{Act, Stage, Told};
use crate::raw::Raw;
use daemon_ipc::{
    Connection, ConnectionError, Json, Limits, Memory, Policy, Reconnect, Reply, Request, RequestError, Server, code,
    from_fn,
};
use std::time::Duration;
use tokio::time::{Instant, timeout};

const SOON: Duration = Duration::from_secs(20);

fn echo(value: impl serde::Serialize) -> Act {
    Act::Echo { value: Some(Json::of(&value).unwrap()) }
}

/// A server that says to each request what is given, with `ID` in place of its id; then it ends the connection if there is nothing
/// more to say.
fn says(answers: &'static [&'static str]) -> Memory {
    let place = Memory::new();
    let mut listener = place.listen().unwrap();
    tokio::spawn(async move {
        loop {
            let mut peer = Raw::over(listener.accept().await);
            tokio::spawn(async move {
                for answer in answers {
                    let Some(request) = peer.line().await else { return };
                    let request: serde_json::Value = serde_json::from_str(&request).unwrap();
                    peer.send(answer.replace("ID", &request["id"].to_string())).await;
                }
            });
        }
    });
    place
}

#[tokio::test(start_paused = true)]
async fn every_caller_gets_its_own_answer() {
    let stage = Stage::new();
    let connection = Connection::connect(&stage.place).await.unwrap();
    let callers: Vec<_> = (0..1000_u64)
        .map(|number| {
            let connection = connection.clone();
            tokio::spawn(async move {
                let after = Act::After { ms: number * 7 % 50 };
                assert_eq!(connection.call::<_, u64>(&after).await.unwrap(), number * 7 % 50);
                assert_eq!(connection.call::<_, u64>(&echo(number)).await.unwrap(), number);
            })
        })
        .collect();
    for caller in callers {
        caller.await.unwrap();
    }
    assert_eq!(stage.server.connections(), 1);
}

#[tokio::test(start_paused = true)]
async fn payloads_go_and_come_as_they_are() {
    let stage = Stage::new();
    let connection = Connection::connect(&stage.place).await.unwrap();
    let payload: Json = r#"{"act":"echo","value":{"n":18446744073709551615,"f":1.50,"big":123456789012345678901234567890}}"#.parse().unwrap();
    let reply = connection.send(Some(payload)).await.unwrap().unwrap();
    assert_eq!(reply.as_str(), r#"{"n":18446744073709551615,"f":1.50,"big":123456789012345678901234567890}"#);
    assert_eq!(connection.send(Some(Json::of(&Act::Echo { value: None }).unwrap())).await.unwrap(), None);
    let refused = connection.send(None).await.unwrap_err();
    assert!(refused.failure().unwrap().has_code(code::BAD_REQUEST));
}

#[tokio::test(start_paused = true)]
async fn errors_tell_who_is_to_blame() {
    let stage = Stage::new();
    let connection = Connection::builder(&stage.place).limits(Limits::default().with_max_frame(1000)).build();
    let failed =
        connection.call::<_, ()>(&Act::Fail { message: "no".into(), code: Some("x".into()) }).await.unwrap_err();
    let failure = failed.failure().unwrap();
    assert_eq!(
        (&*failure.message, failure.tag.as_deref(), failed.to_string()),
        ("no", Some("TestError"), "no".to_owned())
    );
    assert!(failure.has_code("x"));

    let misfit = connection.call::<_, bool>(&echo(7)).await.unwrap_err();
    assert!(matches!(misfit, RequestError::Reply(_)), "{misfit}");

    let too_long = connection.call::<_, ()>(&echo("x".repeat(1000))).await.unwrap_err();
    assert!(matches!(too_long, RequestError::Request(_)), "{too_long}");
    let no_json = connection.call::<_, ()>(&std::collections::BTreeMap::from([((), ())])).await.unwrap_err();
    assert!(matches!(no_json, RequestError::Request(_)), "{no_json}");
    assert_eq!(connection.call::<_, u8>(&echo(7)).await.unwrap(), 7, "all that was on one connection");
    assert_eq!(stage.server.connections(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_takes_too_long_fails_and_the_others_go_on() {
    let mut stage = Stage::new();
    let connection = Connection::connect(&stage.place).await.unwrap();
    assert_eq!(connection.call::<_, u8>(&echo(1)).await.unwrap(), 1);
    let hasty = connection.with_timeout(Duration::from_millis(300));
    let start = Instant::now();
    let error = hasty.call::<_, ()>(&Act::UntilCancelled).await.unwrap_err();
    assert!(error.is_timeout(), "{error}");
    assert_eq!(start.elapsed(), Duration::from_millis(300));
    stage.wait_for(&Told::Cancelled).await;
    assert_eq!(connection.call::<_, u64>(&Act::After { ms: 5000 }).await.unwrap(), 5000);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_never_answers_costs_the_timeout() {
    let place = Memory::new();
    let mut listener = place.listen().unwrap();
    let connection = Connection::builder(&place).timeout(Duration::from_secs(3)).build();
    let start = Instant::now();
    let error = connection.call::<_, ()>(&1).await.unwrap_err();
    assert_eq!(start.elapsed(), Duration::from_secs(3));
    let RequestError::Connection(ConnectionError::Timeout { timeout, awaited, .. }) = error else { panic!("{error}") };
    assert_eq!((timeout, awaited), (Duration::from_secs(3), "reply"));
    drop(listener.accept().await);
}

#[tokio::test(start_paused = true)]
async fn dropping_a_call_gives_it_up_at_the_server() {
    let mut stage = Stage::new();
    let connection = Connection::connect(&stage.place).await.unwrap();
    connection.call::<_, u8>(&echo(1)).await.unwrap();
    let caller = tokio::spawn({
        let connection = connection.clone();
        async move { connection.call::<_, ()>(&Act::UntilCancelled).await }
    });
    stage.wait_for(&Told::Began("until cancelled".into())).await;
    caller.abort();
    stage.wait_for(&Told::Cancelled).await;
    assert_eq!(connection.call::<_, u8>(&echo(2)).await.unwrap(), 2);
}

#[tokio::test(start_paused = true)]
async fn what_is_given_up_before_the_greeting_is_answered_is_told_after_it() {
    let mut stage = Stage::new();
    let connection = Connection::connect(&stage.place).await.unwrap();
    let slow = tokio::spawn({
        let connection = connection.clone();
        async move { connection.call::<_, u64>(&Act::After { ms: 1000 }).await }
    });
    stage.wait_for(&Told::Began("after 1000".into())).await;
    let dropped = tokio::spawn({
        let connection = connection.clone();
        async move { connection.call::<_, ()>(&Act::UntilCancelled).await }
    });
    stage.wait_for(&Told::Began("until cancelled".into())).await;
    dropped.abort();
    assert_eq!(slow.await.unwrap().unwrap(), 1000);
    stage.wait_for(&Told::Cancelled).await;
}

#[tokio::test(start_paused = true)]
async fn the_greeting_goes_with_the_first_request_and_its_answer_is_known() {
    let stage = Stage::new();
    let connection = Connection::builder(&stage.place).build();
    assert_eq!(connection.hello(), None);
    connection.call::<_, u8>(&echo(1)).await.unwrap();
    let hello = connection.hello().unwrap();
    assert_eq!((hello.version, hello.commands["acts"].as_str(), hello.capabilities.cancel), (1, "s1", true));

    let place = Memory::new();
    let mut listener = place.listen().unwrap();
    let connection = Connection::builder(&place).timeout(Duration::from_millis(1500)).build();
    let calls = tokio::spawn(async move {
        tokio::join!(connection.call::<_, ()>(&1), connection.call::<_, ()>(&2)).0.unwrap();
    });
    let mut server = Raw::over(listener.accept().await);
    let capabilities = r#"["cancel","deadline","stream","push"]"#;
    assert_eq!(
        server.line().await.unwrap(),
        format!(
            r#"{{"id":"1","type":"request","hello":{{"version":1,"capabilities":{capabilities}}},"deadline":1500,"payload":1}}"#
        )
    );
    assert_eq!(server.line().await.unwrap(), r#"{"id":"2","type":"request","deadline":1500,"payload":2}"#);
    server.say(r#"{"id":"1","type":"response"}"#).await;
    server.say(r#"{"id":"2","type":"response"}"#).await;
    calls.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_server_that_knows_no_extensions_is_told_of_none() {
    let place = Memory::new();
    let mut listener = place.listen().unwrap();
    let connection = Connection::builder(&place).build();
    let caller = tokio::spawn({
        let connection = connection.clone();
        async move {
            connection.call::<_, ()>(&1).await.unwrap();
            // It is dropped while it waits.
            tokio::time::timeout(Duration::from_secs(1), connection.call::<_, ()>(&2)).await.unwrap_err();
            let mut items = connection.stream::<_, u8>(&3).await.unwrap();
            assert_eq!(items.next().await.unwrap().unwrap(), 3);
            assert!(items.next().await.is_none());
        }
    });
    let mut server = Raw::over(listener.accept().await);
    assert!(server.line().await.unwrap().contains("hello"));
    server.say(r#"{"id":"1","type":"response"}"#).await;
    assert!(server.line().await.unwrap().contains(r#""payload":2"#));
    assert!(server.line().await.unwrap().contains(r#""payload":3"#), "no cancel in between");
    server.say(r#"{"id":"3","type":"response","payload":3}"#).await;
    caller.await.unwrap();
    assert_eq!(connection.hello(), None);
    drop(connection);
    assert_eq!(server.line().await, None);
}

#[tokio::test(start_paused = true)]
async fn everything_pending_fails_when_the_connection_ends() {
    let mut stage = Stage::new();
    let connection = Connection::connect(&stage.place).await.unwrap();
    let callers: Vec<_> = (0..10)
        .map(|_| {
            let connection = connection.clone();
            tokio::spawn(async move { connection.call::<_, ()>(&Act::UntilReleased).await.unwrap_err() })
        })
        .collect();
    let mut items = connection.stream::<_, u32>(&Act::UntilReleased).await.unwrap();
    let mut events = connection.events().await.unwrap();
    stage.wait_for(&Told::Began("released 11".into())).await;
    stage.running.abort();
    for caller in callers {
        let error = caller.await.unwrap();
        assert!(matches!(error, RequestError::Connection(ConnectionError::Closed { .. })), "{error}");
    }
    assert!(matches!(items.next().await, Some(Err(RequestError::Connection(ConnectionError::Closed { .. })))));
    assert!(items.next().await.is_none());
    assert!(matches!(events.next().await, Err(ConnectionError::Closed { .. })));
    assert!(!connection.is_connected());
}

#[tokio::test(start_paused = true)]
async fn answers_that_make_no_sense_are_told_as_such() {
    for (answers, expected) in [
        (&["garbage\n"][..], "not a message"),
        (&["{\"id\":ID,\"type\":\"response\",\"payload\":\"\u{1}\"}\n"], "control character"),
        (&["{\"id\":ID,\"type\":\"answer\"}\n"], "no message type `answer`"),
        (&["{\"id\":ID,\"type\":\"request\"}\n"], "no answer: request"),
        (&["{\"id\":ID,\"type\":\"response\",\"more\":7}\n"], "`more` that cannot be read"),
        (&["{\"id\":ID,\"type\":\"resp"], "inside a frame"),
        (&["[1,2]\n"], "not a message"),
    ] {
        let connection = Connection::builder(says(answers)).build();
        let error = connection.call::<_, ()>(&1).await.unwrap_err();
        let RequestError::Connection(ConnectionError::Protocol { details, .. }) = &error else {
            panic!("{answers:?}: {error:?}")
        };
        assert!(details.contains(expected), "{answers:?}: {details}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_reply_longer_than_the_limit_ends_the_connection() {
    let stage = Stage::new();
    let connection = Connection::builder(&stage.place).limits(Limits::default().with_max_frame(5000)).build();
    let error = connection.call::<_, String>(&Act::Big { bytes: 10_000 }).await.unwrap_err();
    assert!(error.to_string().contains("limit of 5000 bytes"), "{error}");
    assert_eq!(connection.call::<_, u8>(&echo(1)).await.unwrap(), 1);
}

#[tokio::test(start_paused = true)]
async fn answers_to_nothing_are_passed_over() {
    let answers = &[
        "{\"id\":\"77\",\"type\":\"response\",\"payload\":7}\n{\"id\":{},\"type\":\"response\"}\n{\"type\":\"response\"}\n{\"id\":ID,\"type\":\"response\",\"payload\":1}\n",
    ];
    let connection = Connection::builder(says(answers)).build();
    assert_eq!(connection.call::<_, u8>(&1).await.unwrap(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_refuses_is_told_in_its_words() {
    let place = Memory::new();
    let nobody = Server::builder(from_fn(|_: Request| async { Ok(Reply::empty()) })).policy(Policy::of(|_| false));
    tokio::spawn(nobody.listen(&place).unwrap().run());
    let connection = Connection::connect(&place).await.unwrap();
    let error = connection.call::<_, ()>(&1).await.unwrap_err();
    let RequestError::Connection(ConnectionError::Rejected { failure, .. }) = error else { panic!("{error}") };
    assert!(failure.has_code(code::FORBIDDEN) && failure.message.contains("does not talk to"), "{failure}");
}

#[tokio::test(start_paused = true)]
async fn a_lost_connection_is_made_again_for_the_next_call() {
    let place = says(&["{\"id\":ID,\"type\":\"response\",\"payload\":1}\n"]);
    let connection = Connection::connect(&place).await.unwrap();
    for _ in 0..5 {
        assert_eq!(connection.call::<_, u8>(&1).await.unwrap(), 1);
        while connection.is_connected() {
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_restarts_is_waited_for() {
    let stage = Stage::new();
    let slowly = Reconnect::attempts_of(6, Duration::from_millis(100), Duration::from_millis(400));
    let connection = Connection::builder(&stage.place).reconnect(slowly).build();
    connection.call::<_, u8>(&echo(1)).await.unwrap();
    stage.running.abort();
    while connection.is_connected() {
        tokio::task::yield_now().await;
    }
    let place = stage.place.clone();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(600)).await;
        let server = Server::builder(from_fn(|_: Request| async { Reply::of(&2) })).listen(&place).unwrap();
        server.run().await;
    });
    assert_eq!(connection.call::<_, u8>(&echo(1)).await.unwrap(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_stays_away_is_given_up() {
    let stage = Stage::new();
    let connection = Connection::connect(&stage.place).await.unwrap();
    stage.running.abort();
    while connection.is_connected() {
        tokio::task::yield_now().await;
    }
    let start = Instant::now();
    let error = connection.call::<_, ()>(&1).await.unwrap_err();
    assert!(matches!(&error, RequestError::Connection(error) if error.is_not_running()), "{error}");
    // Four pauses, of 50 ms doubling, give or take a quarter.
    assert!((500..=1000).contains(&start.elapsed().as_millis()), "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn without_reconnecting_a_lost_connection_stays_lost_until_it_is_wanted() {
    let place = says(&["{\"id\":ID,\"type\":\"response\",\"payload\":1}\n"]);
    let connection = Connection::builder(&place).reconnect(Reconnect::never()).build();
    assert_eq!(connection.call::<_, u8>(&1).await.unwrap(), 1);
    while connection.is_connected() {
        tokio::task::yield_now().await;
    }
    let error = connection.call::<_, u8>(&1).await.unwrap_err();
    assert!(matches!(error, RequestError::Connection(ConnectionError::Closed { .. })), "{error}");
    connection.reconnect().await.unwrap();
    assert_eq!(connection.call::<_, u8>(&1).await.unwrap(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_first_connection_is_tried_once_unless_it_is_to_be_waited_for() {
    let place = Memory::new();
    let start = Instant::now();
    let error = Connection::connect(&place).await.unwrap_err();
    assert!(matches!(error, ConnectionError::Refused { .. }), "{error}");
    assert_eq!((start.elapsed(), error.tag()), (Duration::ZERO, "ConnectionRefusedError"));

    let patient = Connection::builder(&place).wait_for_server().connect_timeout(Duration::from_secs(2)).build();
    let error = patient.reconnect().await.unwrap_err();
    assert!(matches!(error, ConnectionError::Timeout { awaited: "connection", .. }), "{error}");
    assert_eq!(start.elapsed(), Duration::from_secs(2));

    let server = Server::builder(from_fn(|_: Request| async { Reply::of(&1) }));
    let later = place.clone();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(1)).await;
        server.listen(&later).unwrap().run().await;
    });
    assert_eq!(patient.call::<_, u8>(&1).await.unwrap(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_closed_connection_stays_closed_until_it_is_wanted_again() {
    let mut stage = Stage::new();
    let connection = Connection::connect(&stage.place).await.unwrap();
    let caller = tokio::spawn({
        let connection = connection.clone();
        async move { connection.call::<_, ()>(&Act::UntilCancelled).await.unwrap_err() }
    });
    stage.wait_for(&Told::Began("until cancelled".into())).await;
    connection.close();
    connection.close();
    assert!(matches!(caller.await.unwrap(), RequestError::Connection(ConnectionError::Closed { .. })));
    let error = connection.call::<_, u8>(&echo(1)).await.unwrap_err();
    assert!(matches!(error, RequestError::Connection(ConnectionError::Closed { .. })), "{error}");
    while stage.server.connections() > 0 {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    connection.reconnect().await.unwrap();
    assert_eq!(connection.call::<_, u8>(&echo(1)).await.unwrap(), 1);
}

#[tokio::test(start_paused = true)]
async fn dropping_the_last_handle_closes_the_connection() {
    let stage = Stage::new();
    let connection = Connection::connect(&stage.place).await.unwrap();
    let other = connection.with_timeout(Duration::from_secs(1));
    connection.call::<_, u8>(&echo(1)).await.unwrap();
    drop(connection);
    other.call::<_, u8>(&echo(1)).await.unwrap();
    assert_eq!(stage.server.connections(), 1);
    drop(other);
    while stage.server.connections() > 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_read_holds_up_callers_and_not_memory() {
    let place = Memory::new();
    let mut listener = place.listen().unwrap();
    let limits = Limits::default().with_write_timeout(Duration::from_secs(20));
    let connection = Connection::builder(&place).limits(limits).timeout(Duration::from_secs(5)).build();
    let text = "x".repeat(100_000);
    let start = Instant::now();
    let callers: Vec<_> = (0..50)
        .map(|_| {
            let (connection, text) = (connection.clone(), text.clone());
            tokio::spawn(async move { connection.call::<_, ()>(&text).await.unwrap_err() })
        })
        .collect();
    let unread = listener.accept().await;
    for caller in callers {
        assert!(caller.await.unwrap().is_timeout());
    }
    assert_eq!(start.elapsed(), Duration::from_secs(5));
    let error = connection.without_timeout().call::<_, ()>(&1).await.unwrap_err();
    assert!(error.to_string().contains("read nothing for 20s"), "{error}");
    assert_eq!(start.elapsed(), Duration::from_secs(20));
    drop(unread);
}

#[test]
fn callers_on_many_threads_share_one_connection() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build().unwrap();
    runtime.block_on(async {
        let stage = Stage::new();
        let connection = Connection::connect(&stage.place).await.unwrap();
        let callers: Vec<_> = (0..64_u64)
            .map(|caller| {
                let connection = connection.clone();
                tokio::spawn(async move {
                    for turn in 0..50 {
                        let number = caller * 1000 + turn;
                        assert_eq!(connection.call::<_, u64>(&echo(number)).await.unwrap(), number);
                        if turn % 10 == 0 {
                            let given_up = connection.call::<_, ()>(&Act::UntilCancelled);
                            tokio::time::timeout(Duration::from_micros(number % 300), given_up).await.ok();
                        }
                    }
                })
            })
            .collect();
        for caller in callers {
            caller.await.unwrap();
        }
        assert_eq!(stage.server.connections(), 1);
    });
}

/// The deadlines of a connection are looked after by its task, which a request that is never sent must not keep from waking.
#[tokio::test(start_paused = true)]
async fn a_request_that_is_too_long_to_be_sent_takes_no_deadline_along() {
    let place = Memory::new();
    let mut listener = place.listen().unwrap();
    let limits = Limits::default().with_max_frame(1000);
    let connection = Connection::builder(&place).limits(limits).timeout(Duration::from_secs(5)).build();
    connection.reconnect().await.unwrap();
    let _unanswered = listener.accept().await;
    tokio::task::yield_now().await;
    let error = connection.call::<_, ()>(&"x".repeat(2000)).await.unwrap_err();
    assert!(matches!(error, RequestError::Request(_)), "{error}");
    let start = Instant::now();
    let error = timeout(Duration::from_secs(3600), connection.call::<_, ()>(&1)).await.unwrap().unwrap_err();
    assert!(error.is_timeout(), "{error}");
    assert_eq!(start.elapsed(), Duration::from_secs(5));
}

#[test]
fn a_connection_whose_runtime_has_ended_is_lost_and_made_again_on_another() {
    let threads = || tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let (serving, first, second) = (threads(), threads(), threads());
    let mut stage = serving.block_on(async { Stage::new() });
    let connection = first.block_on(Connection::connect(&stage.place)).unwrap();
    let under_way = second.spawn({
        let connection = connection.clone();
        async move { timeout(SOON, connection.call::<_, ()>(&Act::UntilCancelled)).await }
    });
    serving.block_on(stage.wait_for(&Told::Began("until cancelled".into())));
    drop(first);
    let lost = second.block_on(under_way).unwrap().expect("whoever waits hears of it").unwrap_err();
    assert!(matches!(lost, RequestError::Connection(ConnectionError::Closed { .. })), "{lost}");
    let answer = second.block_on(async { timeout(SOON, connection.call::<_, u8>(&echo(1))).await });
    assert_eq!(answer.expect("it is made again").unwrap(), 1);
}
