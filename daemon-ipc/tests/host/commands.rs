//! Commands: the same typed client as inside the process, and the same errors.

use daemon_core::{Call, CallError, DaemonBase, Result, State, daemon};
use daemon_ipc::{Connection, IpcServer, Json, RequestError, code};
use serde_json::{Value, json};
use std::error::Error;

use super::*;

#[tokio::test]
async fn the_typed_client_works_the_same_over_a_connection() {
    let (host, connection) = started().await;
    let room = Room::client(&connection);
    assert_eq!(room.greet(&Greeting { name: "Ada".to_owned() }).await.unwrap(), "hello, Ada");
    assert_eq!(room.double(&(u64::MAX / 2)).await.unwrap(), u64::MAX - 1, "64 bits stay what they are");
    room.dotted().await.unwrap();
    assert!(host.shutdown().await.unwrap().is_clean());
}

#[tokio::test]
async fn requests_are_counted_by_what_became_of_them() {
    let room = Room::default();
    let begun = room.begun.clone();
    let (host, place) = host(room, IpcServer::new()).await;
    let connection = Connection::connect(&place).await.unwrap();
    let client = Room::client(&connection);
    client.double(&1).await.unwrap();
    client.dotted().await.unwrap();
    client.fails().await.unwrap_err();
    Call::call::<_, Value>(&connection, "rom", "greet", &Value::Null).await.unwrap_err();
    connection.call::<_, Value>(&json!({"neither": 1})).await.unwrap_err();
    tokio::select! {
        _ = client.waits() => panic!("the gate is shut"),
        permit = begun.acquire() => permit.unwrap().forget(),
    }
    let counted = |name: &str, value: &str| {
        let status = host.handle().status();
        let mut all = status.daemon("ipc").unwrap().counters.clone().into_iter();
        all.find(|of| of.name == name && of.labels.values().any(|of| of == value)).map(|of| of.value)
    };
    let deadline = tokio::time::Instant::now() + SOON;
    while counted("daemon_ipc_calls", "given_up") != Some(1) {
        assert!(tokio::time::Instant::now() < deadline, "{:?}", host.handle().status().daemon("ipc"));
        tokio::task::yield_now().await;
    }
    assert_eq!(["ok", "failed"].map(|outcome| counted("daemon_ipc_calls", outcome)), [Some(2), Some(3)]);
    let codes = ["command_failed", "unknown_daemon", code::BAD_REQUEST];
    assert_eq!(codes.map(|code| counted("daemon_ipc_errors", code)), [Some(1); 3]);
    host.shutdown().await.unwrap();
}

/// Each error is the one that the host's own handle has.
#[tokio::test]
async fn every_error_is_the_one_that_a_call_inside_the_process_has() {
    let (host, connection) = started().await;
    let (handle, texts) = (host.handle(), |error: &CallError| {
        let mut texts = vec![error.to_string()];
        let mut source = Error::source(error);
        while let Some(error) = source {
            texts.push(error.to_string());
            source = error.source();
        }
        texts
    });
    let wrong = json!({"nam": "Ada"});
    for (daemon, command, request) in [
        ("rom", "greet", &wrong),
        ("room", "gret", &wrong),
        ("room", "greet", &wrong),
        ("room", "fails", &Value::Null),
        ("room", "panics", &Value::Null),
        ("ipc", "restart", &Value::Null),
    ] {
        let inside = handle.call::<_, Value>(daemon, command, request).await.unwrap_err();
        let outside = Call::call::<_, Value>(&connection, daemon, command, request).await.unwrap_err();
        assert_eq!(std::mem::discriminant(&inside), std::mem::discriminant(&outside), "{inside:?} {outside:?}");
        // Text has places that values have not.
        let same =
            texts(&inside).into_iter().zip(texts(&outside)).all(|(inside, outside)| outside.starts_with(&inside));
        assert!(same && texts(&inside).len() == texts(&outside).len(), "{inside:?} {outside:?}");
    }
    let unfit = Call::call::<_, String>(&connection, "room", "double", &7).await.unwrap_err();
    assert!(matches!(unfit, CallError::Reply(_)), "{unfit:?}");
    host.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_daemon_that_does_not_run_is_told_of_at_once_with_its_state() {
    let (host, connection) = started().await;
    host.handle().stop_daemon("room").await.unwrap();
    let error = Room::client(&connection).double(&1).await.unwrap_err();
    assert!(error.is_unavailable() && error.to_string() == "daemon `room` is stopped", "{error:?}");
    let failure = connection.call::<_, Value>(&json!({"command": "room.double", "request": 1})).await.unwrap_err();
    let failure = failure.failure().unwrap().clone();
    assert!(failure.has_code("unavailable"), "{failure:?}");
    assert_eq!(failure.data.unwrap().read::<Value>().unwrap(), json!({"daemon": "room", "state": "stopped"}));
    host.handle().start_daemon("room").await.unwrap();
    assert_eq!(Room::client(&connection).double(&1).await.unwrap(), 2);
    host.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_command_that_is_aborted_at_stop_is_told_so() {
    #[daemon(name = "short", stop_timeout = "100ms")]
    struct Short(Arc<Semaphore>);

    #[daemon]
    impl Short {
        #[command]
        async fn never(&self) -> Result<()> {
            self.0.add_permits(1);
            std::future::pending().await
        }
    }

    impl DaemonBase for Short {}

    let (place, begun) = (Memory::new(), Arc::<Semaphore>::new(Semaphore::new(0)));
    let server = IpcServer::new().path(&place);
    let host = Host::new("house").daemon(server).daemon(Short(begun.clone())).start().await.unwrap();
    let connection = Connection::connect(&place).await.unwrap();
    let call = tokio::spawn(async move { Short::client(&connection).never().await });
    begun.acquire().await.unwrap().forget();
    let report = host.shutdown().await.unwrap();
    assert_eq!(report.exit_code, 75);
    let error = call.await.unwrap().unwrap_err();
    assert!(matches!(error, CallError::ShuttingDown { .. }), "{error:?}");
    assert_eq!(error.to_string(), "daemon `short` is shutting down");
}

#[tokio::test]
async fn what_is_no_request_is_answered_with_what_there_is_to_ask() {
    let (host, connection) = started().await;
    for (payload, says) in [
        (None, "the request has no payload"),
        (Some("{}"), "the payload names neither"),
        (Some(r#"{"type":"status"}"#), "unknown field `type`"),
        (Some(r#"{"command":"room.double","requets":1}"#), "unknown field `requets`"),
        (Some(r#"{"command":"room.double","subscribe":"a"}"#), "the payload asks for two things"),
        (Some(r#"["room.double",1,null]"#), "the payload is no object"),
        (Some("7"), "the payload is no object"),
        (Some(r#"{"command":7}"#), "the payload does not fit: invalid type"),
    ] {
        let payload = payload.map(|payload| payload.parse::<Json>().unwrap());
        let error = connection.send(payload).await.unwrap_err();
        let failure = error.failure().unwrap();
        assert!(failure.has_code(code::BAD_REQUEST), "{failure:?}");
        assert!(failure.message.contains(says), "{failure:?} does not say {says}");
        assert!(failure.message.ends_with(r#"for events with {"subscribe":"topic:**"}"#), "{failure:?}");
    }
    for (route, says) in [
        ("double", "no daemon named `double`; this host has: ipc, room"),
        ("room", "no daemon named `room`; this host has: ipc, room"),
        ("", "no daemon named ``; this host has: ipc, room"),
        ("room.", "daemon `room` has no command ``; it has: greet, double"),
    ] {
        let error = connection.call::<_, Value>(&json!({ "command": route })).await.unwrap_err();
        assert!(matches!(&error, RequestError::Failed(failure) if failure.message.starts_with(says)), "{error}");
    }
    host.shutdown().await.unwrap();
}

#[tokio::test]
async fn the_server_is_up_until_the_others_have_stopped() {
    #[daemon(name = "late", no_handlers)]
    struct Late(Memory);

    impl DaemonBase for Late {
        async fn cleanup(&self, _cx: &Context) -> Result<()> {
            // As an operator would look at a stop that takes its time.
            let connection = Connection::connect(&self.0).await?;
            let error = Room::client(&connection).double(&1).await.unwrap_err();
            assert!(error.is_unavailable(), "{error:?}");
            Ok(())
        }
    }

    let place = Memory::new();
    let server = IpcServer::new().path(&place);
    let host = Host::new("house").daemon(server).daemon(Room::default()).daemon(Late(place.clone()));
    let host = host.start().await.unwrap();
    host.handle().stop_daemon("room").await.unwrap();
    assert_eq!(host.handle().status().daemon("ipc").unwrap().state, State::Running);
    let report = host.shutdown().await.unwrap();
    assert!(report.is_clean(), "{report}");
    assert!(Connection::connect(&place).await.is_err(), "and then it is gone");
}
