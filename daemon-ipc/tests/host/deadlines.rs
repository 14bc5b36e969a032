//! Deadlines, cancellation and the bound of what is at work.

use daemon_core::{Call, CallError};
use daemon_ipc::{Limits, code};
use serde_json::{Value, json};

use super::*;

#[tokio::test(start_paused = true)]
async fn a_command_that_takes_too_long_is_named_at_both_ends() {
    let (host, place) = host(Room::default(), IpcServer::new()).await;
    let connection = Connection::connect(&place).await.unwrap();
    let error = Room::client(&connection).timeout(Duration::from_millis(250)).waits().await.unwrap_err();
    assert!(error.is_timeout(), "{error:?}");
    assert_eq!(error.to_string(), "`room.waits` did not answer within 250ms");
    host.shutdown().await.unwrap();
}

/// A client of another kind reads the same from the failure.
#[tokio::test(start_paused = true)]
async fn the_server_s_own_limit_names_the_command() {
    let limits = Limits::default().with_request_timeout(Duration::from_millis(1_500));
    let (host, place) = host(Room::default(), IpcServer::new().limits(limits)).await;
    let connection = Connection::connect(&place).await.unwrap().without_timeout();
    let error = connection.call::<_, Value>(&json!({"command": "room.waits"})).await.unwrap_err();
    let failure = error.failure().unwrap();
    assert!(failure.has_code(code::DEADLINE_EXCEEDED), "{failure:?}");
    assert_eq!(failure.message, "`room.waits` did not answer within 1.5s");
    let error = Call::call::<_, ()>(&connection, "room", "waits", &()).await.unwrap_err();
    let limit = Duration::from_millis(1_500);
    assert!(matches!(error, CallError::Timeout { limit: told, .. } if told == limit), "{error:?}");
    host.shutdown().await.unwrap();
}

#[tokio::test]
async fn a_command_whose_caller_gives_up_goes_on_and_counts_until_it_has_ended() {
    let room = Room::default();
    let (gate, begun, ended) = (room.gate.clone(), room.begun.clone(), room.ended.clone());
    let (host, place) = host(room, IpcServer::new().max_commands(2)).await;
    let connection = Connection::connect(&place).await.unwrap();
    for _ in 0..2 {
        let client = Room::client(&connection);
        let call = client.waits();
        tokio::select! {
            _ = call => panic!("the gate is shut"),
            permit = begun.acquire() => permit.unwrap().forget(),
        }
    }
    let busy = Room::client(&connection).double(&1).await.unwrap_err();
    assert!(
        matches!(&busy, CallError::Transport(error) if error.to_string().contains("daemon `room` has as many commands")),
        "{busy:?}"
    );
    gate.add_permits(1);
    ended.acquire().await.unwrap().forget();
    // Its end is told to the server a moment after.
    let doubled = async {
        loop {
            match Room::client(&connection).double(&1).await {
                Err(CallError::Transport(_)) => tokio::task::yield_now().await,
                doubled => return doubled.unwrap(),
            }
        }
    };
    assert_eq!(tokio::time::timeout(SOON, doubled).await.unwrap(), 2);
    gate.add_permits(1);
    host.shutdown().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_limit_is_for_connecting_too() {
    let place = Memory::new();
    let connection = Connection::builder(&place).wait_for_server().connect_timeout(Duration::from_secs(60)).build();
    let error = Room::client(&connection).timeout(Duration::from_secs(2)).waits().await.unwrap_err();
    assert!(error.is_timeout(), "{error:?}");
    let error = Room::client(&connection).timeout(Duration::from_secs(90)).waits().await.unwrap_err();
    assert!(matches!(error, CallError::Transport(_)), "{error:?}");
}
