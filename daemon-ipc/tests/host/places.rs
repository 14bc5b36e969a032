//! Where the server listens: on the socket of its instance, under the host's lock, or where it is told.

use daemon_core::{StartError, State};
use daemon_ipc::blocking;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::*;

fn serving(path: &Path) -> Host {
    Host::new("house").daemon(IpcServer::new().path(path)).daemon(Room::default())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_is_served_for_its_user_alone_and_left_empty_at_the_end() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("daemon.sock");
    let host = serving(&path).start().await.unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let connection = Connection::connect(&path).await.unwrap();
    assert_eq!(Room::client(&connection).double(&21).await.unwrap(), 42);
    let second = serving(&path).start().await.unwrap_err();
    let StartError::Failed { start, .. } = &second else { panic!("{second:?}") };
    let ipc = start.daemons.iter().find(|daemon| daemon.name == "ipc").unwrap();
    assert_eq!(ipc.state, State::Failed);
    assert!(ipc.reason.as_ref().unwrap().contains("another server"), "{ipc:?}");
    assert_eq!(Room::client(&connection).double(&4).await.unwrap(), 8, "the first is left alone");
    host.shutdown().await.unwrap();
    let left: Vec<_> = std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_of_the_server_listens_again() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("daemon.sock");
    let host = serving(&path).start().await.unwrap();
    let connection = Connection::connect(&path).await.unwrap();
    assert_eq!(Room::client(&connection).double(&1).await.unwrap(), 2);
    host.handle().restart_daemon("ipc").await.unwrap();
    let connection = Connection::connect(&path).await.unwrap();
    assert_eq!(Room::client(&connection).double(&2).await.unwrap(), 4);
    host.shutdown().await.unwrap();
    assert!(!path.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_without_a_runtime_calls_commands_and_hears_events_too() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("daemon.sock");
    let host = serving(&path).start().await.unwrap();
    let calls = tokio::task::spawn_blocking(move || {
        let mut connection = blocking::Connection::connect(&path).unwrap();
        let doubled: u64 = connection.call_command("room", "double", &21).unwrap();
        let client =
            async |call: &blocking::Commands<'_>| Room::client(call).greet(&Greeting { name: "Ada".to_owned() }).await;
        assert_eq!(connection.commands(client).unwrap(), "hello, Ada");
        let limit = Duration::from_millis(50);
        let late = connection.commands(async |call| Room::client(call).timeout(limit).waits().await).unwrap_err();
        assert!(late.is_timeout() && late.to_string().ends_with("within 50ms"), "{late:?}");
        let unknown = connection.call_command::<_, ()>("rom", "double", &21).unwrap_err();
        let mut other = blocking::Connection::connect(&path).unwrap();
        let mut events = connection.subscribe("room:said").unwrap();
        // Published until it is heard: when the subscription is there the other connection cannot know.
        let heard = std::thread::spawn(move || {
            loop {
                match other.call_command::<_, ()>("room", "say", &"hi") {
                    Ok(()) => {}
                    Err(_) => return,
                }
            }
        });
        let event = events.next().unwrap().unwrap();
        (doubled, unknown.to_string(), event.topic, heard)
    });
    let (doubled, unknown, topic, publisher) = calls.await.unwrap();
    assert_eq!((doubled, &*topic), (42, "room:said"));
    assert_eq!(unknown, "no daemon named `rom`; this host has: ipc, room");
    host.shutdown().await.unwrap();
    tokio::task::spawn_blocking(move || publisher.join().unwrap()).await.unwrap();
}
