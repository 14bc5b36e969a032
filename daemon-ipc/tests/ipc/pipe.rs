//! Named pipes, which Windows has in the place of sockets: their names, who may use them, and how many.

use crate::acts::{Act, Acts, Told};
use daemon_ipc::{BindError, Connection, ConnectionError, Server, blocking};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::time::timeout;

const SOON: Duration = Duration::from_secs(30);

/// A name that no other pipe has.
fn name() -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    format!(r"\\.\pipe\daemon-ipc-test-{}-{number}", std::process::id()).into()
}

#[tokio::test]
async fn a_pipe_is_there_while_its_server_is() {
    let name = name();
    for _ in 0..3 {
        let server = Server::builder(Acts::new().0).listen(&name).unwrap();
        let handle = server.handle();
        let running = tokio::spawn(server.run());
        let connection = Connection::connect(&name).await.unwrap();
        assert_eq!(connection.call::<_, u64>(&Act::After { ms: 1 }).await.unwrap(), 1);
        handle.close();
        timeout(SOON, running).await.unwrap().unwrap();
        let gone = Connection::connect(&name).await.unwrap_err();
        assert!(matches!(gone, ConnectionError::Refused { .. }), "{gone:?}");
    }
}

#[tokio::test]
async fn the_name_of_a_living_server_is_never_taken() {
    if std::env::var_os("WINEPREFIX").is_some() {
        eprintln!("NOT RUN: Wine lets a second server take the name of the first");
        return;
    }
    let name = name();
    let server = Server::builder(Acts::new().0).listen(&name).unwrap();
    let refused = Server::builder(Acts::new().0).listen(&name).unwrap_err();
    assert!(matches!(refused, BindError::Live { .. }), "{refused:?}");
    let running = tokio::spawn(server.run());
    let connection = Connection::connect(&name).await.unwrap();
    assert_eq!(connection.call::<_, u64>(&Act::After { ms: 1 }).await.unwrap(), 1);
    running.abort();
}

#[tokio::test]
async fn the_handler_is_told_which_process_asks() {
    let name = name();
    tokio::spawn(Server::builder(Acts::new().0).listen(&name).unwrap().run());
    let connection = Connection::connect(&name).await.unwrap();
    let told: (Option<u32>, Option<u32>, Option<u32>) = connection.call(&Act::Who).await.unwrap();
    assert_eq!(told, (None, None, Some(std::process::id())));
}

#[tokio::test]
async fn many_clients_at_once_are_all_answered() {
    let name = name();
    tokio::spawn(Server::builder(Acts::new().0).listen(&name).unwrap().run());
    let clients: Vec<_> = (0..32)
        .map(|_| {
            let name = name.clone();
            tokio::spawn(async move {
                let connection = Connection::connect(&name).await.unwrap();
                for _ in 0..20 {
                    assert_eq!(connection.call::<_, u64>(&Act::After { ms: 1 }).await.unwrap(), 1);
                }
            })
        })
        .collect();
    for client in clients {
        timeout(SOON, client).await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_client_that_goes_takes_its_requests_along() {
    let name = name();
    let (handler, mut told, _release) = Acts::new();
    tokio::spawn(Server::builder(handler).listen(&name).unwrap().run());
    let connection = Connection::connect(&name).await.unwrap();
    let call = tokio::spawn(async move { connection.call::<_, ()>(&Act::UntilCancelled).await });
    assert_eq!(timeout(SOON, told.recv()).await.unwrap(), Some(Told::Began("until cancelled".into())));
    call.abort();
    assert_eq!(timeout(SOON, told.recv()).await.unwrap(), Some(Told::Cancelled));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_without_a_runtime_has_its_deadlines_too() {
    let name = name();
    tokio::spawn(Server::builder(Acts::new().0).listen(&name).unwrap().run());
    let asking = tokio::task::spawn_blocking(move || {
        let mut connection = blocking::Connection::builder(&name).timeout(Duration::from_millis(50)).connect().unwrap();
        assert_eq!(connection.call::<_, u64>(&Act::After { ms: 1 }).unwrap(), 1);
        connection.call::<_, ()>(&Act::UntilCancelled).unwrap_err()
    });
    let error = timeout(SOON, asking).await.unwrap().unwrap();
    assert!(error.is_timeout(), "by either end: {error:?}");
}
