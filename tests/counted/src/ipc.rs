//! Requests over IPC. What is counted is this process, which serves; a copy of it asks, and is not counted.
//!
//! The server reads once and writes once for what came at once, and then waits, however fast either end is; so the count is the same
//! each time.

use std::error::Error;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::{self, JoinHandle};

use daemon_core::{DaemonBase, Host, daemon};
use daemon_ipc::{Failure, IpcServer, Reply, Request, Server, blocking, from_fn};
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

/// The same by a command of a host.
#[daemon(name = "echoes")]
struct Echoes;

#[daemon]
impl Echoes {
    #[command]
    async fn echo(&self, echo: Echo) -> daemon_core::Result<Echo> {
        Ok(echo)
    }
}

impl DaemonBase for Echoes {}

async fn echo(request: Request) -> Result<Reply, Failure> {
    Reply::of(&request.read::<Echo>()?)
}

/// Serves a copy of this program that asks so many times.
pub(crate) fn serve(case: &str, times: &str) -> Result {
    let place = std::env::temp_dir().join(format!("counted-{}.sock", std::process::id()));
    let start = || Command::new(std::env::current_exe()?).args([case, times]).arg(&place).stdin(Stdio::null()).spawn();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let status = runtime.block_on(async {
        if case == "ipc-command" { serve_commands(&place, start).await } else { serve_requests(&place, start).await }
    })?;
    if status.success() { Ok(()) } else { Err(format!("the client ended with {status}").into()) }
}

async fn serve_requests(place: &Path, start: impl Fn() -> std::io::Result<Child>) -> Result<ExitStatus> {
    let server = Server::builder(from_fn(echo)).listen(place)?;
    let handle = server.handle();
    let waited = wait_for(start()?, move || handle.close());
    server.run().await;
    Ok(waited.join().map_err(|_| "the thread panicked")??)
}

async fn serve_commands(place: &Path, start: impl Fn() -> std::io::Result<Child>) -> Result<ExitStatus> {
    let host = Host::new("counted").daemon(IpcServer::new().path(place)).daemon(Echoes).start().await?;
    let handle = host.handle();
    let waited = wait_for(start()?, move || handle.request_shutdown());
    host.wait().await?;
    Ok(waited.join().map_err(|_| "the thread panicked")??)
}

/// Waits on a thread until a process has ended, and ends the server then.
fn wait_for(mut client: Child, end: impl FnOnce() + Send + 'static) -> JoinHandle<std::io::Result<ExitStatus>> {
    thread::spawn(move || {
        let status = client.wait();
        end();
        status
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
        "ipc-command" => {
            let mut connection = blocking::Connection::connect(place)?;
            for _ in 0..times {
                let answer = connection.commands(async |call| Echoes::client(call).echo(&echo).await)?;
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
