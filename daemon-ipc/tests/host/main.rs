//! A host on a socket: its commands called, its events heard, its errors carried, from another process or as if.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test states what it expects")]

mod commands;
mod deadlines;
mod events;
mod hostile;
#[cfg(unix)]
mod places;
mod skew;

use std::sync::Arc;
use std::time::Duration;

use daemon_core::{Context, DaemonBase, Event, Host, Result, RunningHost, daemon};
use daemon_ipc::{Connection, IpcServer, Memory};
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;

const SOON: Duration = Duration::from_secs(30);

#[derive(Debug, Serialize, Deserialize)]
struct Greeting {
    name: String,
}

#[derive(Debug, Event, Serialize, Deserialize)]
#[event("room:said")]
struct Said {
    text: String,
    number: u64,
}

#[derive(Event)]
#[event("room:whispered", local)]
struct Whispered;

/// A daemon with commands of every kind of end.
#[daemon(name = "room")]
struct Room {
    /// A permit for each command that may go on.
    gate: Arc<Semaphore>,
    /// A permit for each command that has begun to wait, and for each that has ended.
    begun: Arc<Semaphore>,
    ended: Arc<Semaphore>,
}

impl Default for Room {
    fn default() -> Self {
        let shut = || Arc::new(Semaphore::new(0));
        Self { gate: shut(), begun: shut(), ended: shut() }
    }
}

#[daemon]
impl Room {
    /// Greets.
    #[command]
    async fn greet(&self, request: Greeting) -> Result<String> {
        Ok(format!("hello, {}", request.name))
    }

    #[command]
    fn double(&self, number: u64) -> Result<u64> {
        Ok(number * 2)
    }

    #[command(name = "dotted.name")]
    fn dotted(&self) -> Result<()> {
        Ok(())
    }

    #[command]
    fn large(&self, length: usize) -> Result<String> {
        Ok("x".repeat(length))
    }

    #[command]
    fn fails(&self) -> Result<()> {
        #[derive(Debug, thiserror::Error)]
        #[error("the room is closed")]
        struct Closed(#[source] std::num::ParseIntError);
        Err(Closed("x".parse::<u8>().unwrap_err()).into())
    }

    #[command]
    fn panics(&self) -> Result<()> {
        panic!("burst")
    }

    #[command]
    async fn waits(&self) -> Result<()> {
        self.begun.add_permits(1);
        self.gate.acquire().await?.forget();
        self.ended.add_permits(1);
        Ok(())
    }

    #[command]
    async fn say(&self, text: String, cx: &Context) -> Result<()> {
        for number in 0..3 {
            cx.publish(Said { text: text.clone(), number }).await?;
        }
        cx.publish(Whispered).await?;
        Ok(())
    }
}

impl DaemonBase for Room {}

/// A host with a room, reached through memory.
async fn host(room: Room, server: IpcServer) -> (RunningHost, Memory) {
    let place = Memory::new();
    let host = Host::new("house").daemon(server.path(&place)).daemon(room).start().await.unwrap();
    (host, place)
}

async fn started() -> (RunningHost, Connection) {
    let (host, place) = host(Room::default(), IpcServer::new()).await;
    (host, Connection::connect(&place).await.unwrap())
}
