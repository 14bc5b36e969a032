//! Looks on at the events of any host that has a socket, from another process.
//!
//! ```sh
//! cargo run -p examples --example ipc_watch -- NAME ['data:**'] [COUNT]
//! ```
//!
//! prints a line for each event on these topics: of a running [chatroom](../chatroom), for example,
//!
//! ```text
//! data:chat_messages:created by data {"id":"..","room":"general",..}
//! ```
//!
//! It ends with the host, or after so many events. What is published faster than it is read is lost here, and counted; it holds nobody up.

use std::process::ExitCode;

use daemon_core::instance;
use daemon_ipc::{Connection, Json, Published};

type Result<T = (), E = Box<dyn std::error::Error>> = std::result::Result<T, E>;

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let Some(name) = args.next() else {
        eprintln!("usage: ipc_watch NAME [PATTERN] [COUNT]");
        return ExitCode::from(2);
    };
    let pattern = args.next().unwrap_or_else(|| "**".to_owned());
    let count = args.next().and_then(|count| count.parse().ok());
    match watch(&name, &pattern, count) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("ipc_watch: {error}");
            ExitCode::FAILURE
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn watch(name: &str, pattern: &str, count: Option<usize>) -> Result {
    let connection = Connection::connect(instance::socket_path(name)?).await?;
    let mut events = connection.subscribe(pattern).await?;
    let mut seen = 0;
    while count.is_none_or(|count| seen < count) {
        let Some(event) = events.next().await else { break };
        show(&event?);
        seen += 1;
    }
    Ok(())
}

fn show(event: &Published) {
    let Published { topic, publisher, payload, missed, .. } = event;
    if *missed > 0 {
        println!("({missed} missed)");
    }
    let payload = payload.as_ref().map_or("(stays in its process)", Json::as_str);
    println!("{topic} by {publisher} {payload}");
}
