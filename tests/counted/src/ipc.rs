//! Requests over IPC. What is counted is this process, which serves; a copy of it asks, and is not counted.
//!
//! The server reads once and writes once for what came at once, and then waits, however fast either end is; so the count is the same
//! each time.

use std::error::Error;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

use daemon_ipc::{Failure, Reply, Request, Server, blocking, from_fn};
use serde::{Deserialize, Serialize};

type Result<T = (), E = Box<dyn Error + Send + Sync>> = std::result::Result<T, E>;

/// How many bytes each request carries.
const BYTES: usize = 64;
/// How many requests are sent at once.
const IN_FLIGHT: u64 = 64;

#[derive(Serialize, Deserialize)]
struct Echo {
    data: String,
}

async fn echo(request: Request) -> Result<Reply, Failure> {
    Reply::of(&request.read::<Echo>()?)
}

/// Serves a copy of this program that asks so many times.
pub(crate) fn serve(case: &str, times: &str) -> Result {
    let place = std::env::temp_dir().join(format!("counted-{}.sock", std::process::id()));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let server = Server::builder(from_fn(echo)).listen(&place)?;
        let handle = server.handle();
        let mut client = Command::new(std::env::current_exe()?);
        let mut client = client.args([case, times]).arg(&place).stdin(Stdio::null()).spawn()?;
        let waited = thread::spawn(move || {
            let status = client.wait();
            handle.close();
            status
        });
        server.run().await;
        let status = waited.join().map_err(|_| "the thread panicked")??;
        if status.success() { Ok(()) } else { Err(format!("the client ended with {status}").into()) }
    })
}

/// Asks, one after the other or many at once.
pub(crate) fn ask(case: &str, times: u64, place: &Path) -> Result {
    let data: String = ('a'..='z').cycle().take(BYTES).collect();
    let echo = Echo { data };
    match case {
        "ipc-request" => {
            let mut connection = blocking::Connection::connect(place)?;
            for _ in 0..times {
                let answer: Echo = connection.call(&echo)?;
                assert_eq!(answer.data, echo.data);
            }
        }
        _ => ask_at_once(times, place, &serde_json::to_string(&echo)?)?,
    }
    Ok(())
}

fn ask_at_once(times: u64, place: &Path, payload: &str) -> Result {
    let mut stream = UnixStream::connect(place)?;
    let mut answers = BufReader::new(stream.try_clone()?);
    let mut answer = String::new();
    let hello = r#""hello":{"version":1,"capabilities":["cancel","deadline","stream","push"]}"#;
    stream.write_all(format!("{{\"id\":\"0\",\"type\":\"request\",{hello},\"payload\":{payload}}}\n").as_bytes())?;
    answers.read_line(&mut answer)?;
    for turn in 0..times / IN_FLIGHT {
        let ids = turn * IN_FLIGHT + 1..=(turn + 1) * IN_FLIGHT;
        let lines = ids
            .map(|id| format!("{{\"id\":\"{id}\",\"type\":\"request\",\"deadline\":30000,\"payload\":{payload}}}\n"));
        stream.write_all(lines.collect::<String>().as_bytes())?;
        for _ in 0..IN_FLIGHT {
            answer.clear();
            answers.read_line(&mut answer)?;
            assert!(answer.ends_with(&format!("\"type\":\"response\",\"payload\":{payload}}}\n")), "{answer}");
        }
    }
    Ok(())
}
