//! Peers that mean no good, or know no better.

use daemon_core::CallError;
use daemon_ipc::{Limits, Policy, RequestError, code};
use proptest::{prelude::*, test_runner::TestRunner};
use serde_json::{Value, json};
use std::time::Instant;

use super::*;

async fn refusal(connection: &Connection, payload: Value) -> daemon_ipc::Failure {
    connection.call::<_, Value>(&payload).await.unwrap_err().failure().unwrap().clone()
}

/// What is asked may be as long as a frame; what is answered is not.
#[tokio::test]
async fn names_and_topics_of_any_length_are_not_repeated() {
    let (host, connection) = started().await;
    let long = "x".repeat(1_000_000);
    for payload in [
        json!({ "command": long }),
        json!({"command": format!("room.{long}")}),
        json!({"command": format!("{long}.double")}),
        json!({"command": ".".repeat(1_000_000)}),
        json!({ "subscribe": long }),
        json!({"subscribe": ":".repeat(1_000_000)}),
        json!({ long.as_str(): 1 }),
    ] {
        let failure = refusal(&connection, payload).await;
        assert!(failure.has_code(code::BAD_REQUEST), "{failure:?}");
        assert!(failure.message.len() < 1_000, "{} bytes", failure.message.len());
    }
    assert_eq!(Room::client(&connection).double(&1).await.unwrap(), 2);
    host.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_request_of_any_depth_is_refused_by_the_command_and_not_by_its_stack() {
    let (host, connection) = started().await;
    let deep = "[".repeat(100_000) + &"]".repeat(100_000);
    let payload = format!(r#"{{"command":"room.greet","request":{deep}}}"#);
    let error = match payload.parse::<daemon_ipc::Json>() {
        Ok(payload) => connection.send(Some(payload)).await.unwrap_err(),
        // It cannot even be sent by a client of ours.
        Err(error) => panic!("{error}"),
    };
    let failure = error.failure().unwrap();
    assert!(failure.has_code(code::BAD_REQUEST), "{failure:?}");
    assert_eq!(Room::client(&connection).double(&1).await.unwrap(), 2);
    host.shutdown().await.unwrap();
}

/// A daemon that hangs, and clients that ask again and again, take the place of nobody else.
#[tokio::test]
async fn a_daemon_whose_commands_never_end_takes_the_place_of_no_other() {
    let first = Room::default();
    let begun = first.begun.clone();
    let place = Memory::new();
    let server = IpcServer::new().path(&place).max_commands(3);
    let host = Host::new("house").daemon(server).daemon(first).daemon_as("other", Room::default());
    let host = host.stop_budget(Duration::from_millis(500)).start().await.unwrap();
    let connection = Connection::connect(&place).await.unwrap();
    for _ in 0..3 {
        let client = Room::client(&connection);
        tokio::select! {
            _ = client.waits() => panic!("the gate is shut"),
            permit = begun.acquire() => permit.unwrap().forget(),
        }
    }
    for _ in 0..100 {
        let error = Room::client(&connection).waits().await.unwrap_err();
        assert!(matches!(error, CallError::Transport(_)), "{error:?}");
        assert_eq!(Room::client(&connection).instance("other").double(&1).await.unwrap(), 2);
    }
    assert_eq!(host.handle().status().daemon("room").unwrap().tasks.len(), 1 + 3, "the driver and three commands");
    assert_eq!(host.shutdown().await.unwrap().exit_code, 75);
}

#[tokio::test]
async fn subscriptions_are_bounded_and_end_with_their_connection() {
    let (host, place) = host(Room::default(), IpcServer::new().max_subscriptions(2)).await;
    let greedy = Connection::connect(&place).await.unwrap();
    let other = Connection::connect(&place).await.unwrap();
    // The third is refused; which one that is shows when two are there.
    let mut open = Vec::new();
    for _ in 0..2 {
        open.push(greedy.subscribe("**").await.unwrap());
        assert_eq!(Room::client(&greedy).double(&1).await.unwrap(), 2, "by now it is there");
    }
    let mut third = other.subscribe("**").await.unwrap();
    let error = third.next().await.unwrap().unwrap_err();
    assert!(error.failure().is_some_and(|failure| failure.has_code(code::BUSY)), "{error:?}");
    greedy.close();
    let until = Instant::now() + SOON;
    loop {
        let mut again = other.subscribe("**").await.unwrap();
        Room::client(&other).say(&"hi".to_owned()).await.unwrap();
        match again.next().await.unwrap() {
            Ok(_) => break,
            Err(_) if Instant::now() < until => tokio::task::yield_now().await,
            Err(error) => panic!("{error}"),
        }
    }
    host.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_reply_that_is_too_long_is_told_of_and_the_next_is_answered() {
    let limits = Limits::default().with_max_frame(4096);
    let (host, place) = host(Room::default(), IpcServer::new().limits(limits)).await;
    let connection = Connection::connect(&place).await.unwrap();
    let error = Room::client(&connection).large(&5_000).await.unwrap_err();
    let CallError::Transport(why) = &error else { panic!("{error:?}") };
    assert!(why.to_string().contains("exceeds the limit of 4096 bytes"), "{why}");
    assert_eq!(Room::client(&connection).large(&5).await.unwrap(), "xxxxx");
    let error = Room::client(&connection).greet(&Greeting { name: "x".repeat(5_000) }).await.unwrap_err();
    assert!(matches!(error, CallError::Transport(_)), "the server hangs up on nobody for it: {error:?}");
    assert_eq!(Room::client(&connection).double(&1).await.unwrap(), 2);
    host.shutdown().await.unwrap();
}

/// The restart of the server that carries it ends in time, and the next connection is served.
#[tokio::test]
async fn a_restart_of_the_server_through_itself_is_answered_before_it_begins() {
    #[daemon(name = "control", plane = operations)]
    struct Control;

    #[daemon]
    impl Control {
        #[command]
        async fn restart(&self, name: String, cx: &Context) -> Result<()> {
            Ok(cx.host().restart_daemon(&name).await?)
        }
    }

    impl DaemonBase for Control {}

    let place = Memory::new();
    let server = IpcServer::new().path(&place);
    let host = Host::new("house").daemon(server).daemon(Control).daemon(Room::default()).start().await.unwrap();
    let connection = Connection::connect(&place).await.unwrap();
    let restarted = Control::client(&connection).restart(&"ipc".to_owned()).await;
    assert!(restarted.is_ok(), "{restarted:?}");
    let again = async {
        loop {
            let Ok(connection) = Connection::connect(&place).await else {
                tokio::task::yield_now().await;
                continue;
            };
            if let Ok(two) = Room::client(&connection).double(&1).await {
                return two;
            }
        }
    };
    assert_eq!(tokio::time::timeout(SOON, again).await.unwrap(), 2);
    assert!(host.shutdown().await.unwrap().is_clean(), "nothing had to be cut");
}

#[tokio::test]
async fn whoever_the_policy_keeps_out_calls_nothing() {
    let (host, place) = host(Room::default(), IpcServer::new().policy(Policy::of(|_| false))).await;
    let connection = Connection::builder(&place).build();
    let error = Room::client(&connection).double(&1).await.unwrap_err();
    let CallError::Transport(why) = &error else { panic!("{error:?}") };
    assert!(why.to_string().contains("does not talk to"), "{why}");
    assert!(host.handle().status().daemon("room").unwrap().errors == 0);
    host.shutdown().await.unwrap();
}

/// Values of every kind under the keys that mean something, and under others.
fn any_payload() -> impl Strategy<Value = Value> {
    let text = prop_oneof![
        "[a-z.:*]{0,12}",
        Just("room.double".to_owned()),
        Just("room.greet".to_owned()),
        Just("room.panics".to_owned()),
        Just("room:said".to_owned()),
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        text.prop_map(Value::from)
    ];
    let value = leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map("[a-z]{1,6}", inner, 0..4).prop_map(|map| map.into_iter().collect::<Value>()),
        ]
    });
    let key = prop_oneof![
        3 => Just("command".to_owned()),
        3 => Just("request".to_owned()),
        2 => Just("subscribe".to_owned()),
        1 => "[a-z]{1,8}",
    ];
    prop_oneof![
        5 => prop::collection::vec((key, value.clone()), 0..4).prop_map(|fields| fields.into_iter().collect::<Value>()),
        1 => value,
    ]
}

#[test]
fn any_payload_is_answered_and_leaves_the_host_serving() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (host, connection) = runtime.block_on(started());
    let mut runner =
        TestRunner::new(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() });
    let ran = runner.run(&any_payload(), |payload| {
        let call = async { tokio::time::timeout(SOON, connection.call::<_, Value>(&payload)).await };
        let answered = runtime.block_on(call);
        match answered.expect("every request is answered") {
            Ok(_) => {}
            Err(RequestError::Failed(failure)) => prop_assert!(failure.code.is_some(), "{failure:?}"),
            Err(error) => prop_assert!(false, "{error:?}"),
        }
        Ok(())
    });
    ran.unwrap();
    assert_eq!(runtime.block_on(Room::client(&connection).double(&1)).unwrap(), 2);
    runtime.block_on(host.shutdown()).unwrap();
}
