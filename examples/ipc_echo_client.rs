//! Sends requests to `ipc_echo_server`, so many in all, so many at once, with a payload of so many bytes each, and checks every answer.
//!
//! ```sh
//! cargo run --release -p examples --example ipc_echo_client -- /tmp/echo.sock 100000 64 64
//! ```

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use daemon_ipc::Connection;
use serde::{Deserialize, Serialize};

/// What is sent: an integer that a double cannot hold, and text to fill the bytes.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Echo {
    number: u64,
    text: String,
}

type Error = Box<dyn std::error::Error + Send + Sync>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let numbers: Result<Vec<u64>, _> = arguments.iter().skip(1).map(|argument| argument.parse()).collect();
    let (Some(path), Ok(numbers)) = (arguments.first(), numbers) else { return usage() };
    let [count, in_flight, bytes] = numbers[..] else { return usage() };
    match run(path, count, in_flight, bytes) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("ipc_echo_client: {error}");
            ExitCode::FAILURE
        }
    }
}

fn usage() -> ExitCode {
    eprintln!("usage: ipc_echo_client PATH COUNT IN_FLIGHT BYTES");
    ExitCode::from(2)
}

#[tokio::main(flavor = "current_thread")]
async fn run(path: &str, count: u64, in_flight: u64, bytes: u64) -> Result<(), Error> {
    let connection = Connection::connect(path).await?;
    let text: String = ('a'..='z').cycle().take(usize::try_from(bytes)?).collect();
    let next = Arc::new(AtomicU64::new(0));
    let since = Instant::now();
    let callers: Vec<_> = (0..in_flight.max(1))
        .map(|_| {
            let (connection, next, text) = (connection.clone(), Arc::clone(&next), text.clone());
            tokio::spawn(async move {
                let mut sent = Echo { number: 0, text };
                loop {
                    let turn = next.fetch_add(1, Ordering::Relaxed);
                    if turn >= count {
                        return Ok::<_, Error>(());
                    }
                    sent.number = u64::MAX - turn;
                    let came: Echo = connection.call(&sent).await?;
                    if came != sent {
                        return Err("an answer is not what was sent".into());
                    }
                }
            })
        })
        .collect();
    for caller in callers {
        caller.await??;
    }
    let elapsed = since.elapsed();
    let per_second = count as f64 / elapsed.as_secs_f64();
    println!("{count} answers of {bytes} bytes, {in_flight} at once, in {elapsed:.1?}: {per_second:.0} a second");
    Ok(())
}
