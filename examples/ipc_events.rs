//! A thermometer that tells whoever subscribes, and two subscribers: one that reads all it is sent, one that stops after two.
//!
//! ```sh
//! cargo run -p examples --example ipc_events
//! ```
//!
//! prints, the two subscribers' lines in any order:
//!
//! ```text
//! all: 20 degrees
//! all: 21 degrees
//! all: 22 degrees
//! all: the thermometer is gone: the server is shutting down
//! two: 20 degrees
//! two: 21 degrees
//! two: that is enough
//! everybody: the thermometer closes
//! ```

use daemon_ipc::{Connection, Memory, Reply, Request, RequestError, Server, from_fn};
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, watch};

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Measured {
    degrees: u32,
}

type Result<T = (), E = Box<dyn std::error::Error + Send + Sync>> = std::result::Result<T, E>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result {
    // A path, such as "/run/user/1000/thermometer/daemon.sock", would do as well.
    let place = Memory::new();
    let (thermometer, measured) = watch::channel(Measured { degrees: 20 });
    let (subscribed, mut subscriptions) = mpsc::channel(2);

    let subscribe = from_fn(move |mut request: Request| {
        let (mut measured, subscribed) = (measured.clone(), subscribed.clone());
        async move {
            // One answer of many items, which ends when the subscriber has enough or the server closes.
            let mut items = request.items()?;
            loop {
                let now = *measured.borrow_and_update();
                items.send(&now).await?;
                subscribed.send(()).await?;
                if measured.changed().await.is_err() {
                    return Ok(Reply::empty());
                }
            }
        }
    });
    let server = Server::builder(subscribe).listen(&place)?;
    let handle = server.handle();
    let serving = tokio::spawn(server.run());

    let all = tokio::spawn(read_all(Connection::connect(&place).await?));
    let two = tokio::spawn(read_two(Connection::connect(&place).await?));
    for degrees in [21, 22] {
        // Both have heard of the degrees before, or they would hear of the latest only.
        subscriptions.recv().await;
        subscriptions.recv().await;
        thermometer.send_replace(Measured { degrees });
    }
    subscriptions.recv().await;
    two.await??;
    // Something that nobody asked for, for everybody who is connected.
    handle.push("thermometer:closing", &())?;
    handle.close();
    all.await??;
    serving.await?;
    Ok(())
}

async fn read_all(connection: Connection) -> Result {
    let mut events = connection.events().await?;
    let mut measured = connection.stream::<_, Measured>("subscribe").await?;
    while let Some(item) = measured.next().await {
        match item {
            Ok(Measured { degrees }) => println!("all: {degrees} degrees"),
            Err(RequestError::Failed(failure)) => println!("all: the thermometer is gone: {failure}"),
            Err(error) => return Err(error.into()),
        }
    }
    let event = events.next().await?;
    assert_eq!(event.topic, "thermometer:closing");
    println!("everybody: the thermometer closes");
    Ok(())
}

async fn read_two(connection: Connection) -> Result {
    let mut measured = connection.stream::<_, Measured>("subscribe").await?;
    for _ in 0..2 {
        let Measured { degrees } = measured.next().await.ok_or("no more")??;
        println!("two: {degrees} degrees");
    }
    println!("two: that is enough");
    // Dropping what is left of the answer gives it up at the server.
    Ok(())
}
