//! A calculator that other processes call, and such a process: one program, so that both know the daemon's type.
//!
//! ```sh
//! cargo run -p examples --example ipc_commands -- serve &
//! cargo run -p examples --example ipc_commands -- ask divide 84 2   # 42
//! cargo run -p examples --example ipc_commands -- ask divide 1 0    # the command failed: cannot divide by zero
//! ```
//!
//! The client is the one that daemons of the same host use. Anything that writes JSON can call, too:
//!
//! ```sh
//! echo '{"id":1,"type":"request","payload":{"command":"calculator.divide","request":{"number":84,"by":2}}}' |
//!     nc -NU "$XDG_RUNTIME_DIR/calculator/daemon.sock"
//! ```

use std::process::ExitCode;
use std::time::Duration;

use daemon_core::{CallError, Context, DaemonBase, Host, Result, daemon, instance};
use daemon_ipc::{Connection, IpcServer};
use serde::{Deserialize, Serialize};

#[derive(Debug, Serialize, Deserialize)]
struct Divide {
    number: i64,
    by: i64,
}

#[daemon]
#[derive(Default)]
struct Calculator;

#[daemon]
impl Calculator {
    /// Divides, without a rest.
    #[command]
    async fn divide(&self, request: Divide) -> Result<i64> {
        let Divide { number, by } = request;
        number.checked_div(by).ok_or_else(|| "cannot divide by zero".into())
    }

    /// Ends the host, as Ctrl-C does.
    #[command]
    async fn close(&self, cx: &Context) -> Result<()> {
        cx.request_shutdown();
        Ok(())
    }
}

impl DaemonBase for Calculator {}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args[..] {
        ["serve"] => Host::new("calculator").daemon(IpcServer::new()).daemon(Calculator).run(),
        ["ask", "divide", number, by] => match (number.parse(), by.parse()) {
            (Ok(number), Ok(by)) => ask(&Divide { number, by }),
            _ => usage(),
        },
        ["ask", "close"] => close(),
        _ => usage(),
    }
}

fn usage() -> ExitCode {
    eprintln!("usage: ipc_commands serve | ask divide NUMBER BY | ask close");
    ExitCode::from(2)
}

#[tokio::main(flavor = "current_thread")]
async fn ask(request: &Divide) -> ExitCode {
    match divide(request).await {
        Ok(quotient) => {
            println!("{quotient}");
            ExitCode::SUCCESS
        }
        Err(error) => failed(&error),
    }
}

async fn divide(request: &Divide) -> Result<i64, CallError> {
    // A limit for all of it; the host is told of what is left of it.
    Calculator::client(&connection()?).timeout(Duration::from_secs(5)).divide(request).await
}

#[tokio::main(flavor = "current_thread")]
async fn close() -> ExitCode {
    let closed = async { Calculator::client(&connection()?).close().await };
    match closed.await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&error),
    }
}

/// A connection to the running calculator, which is made when it is first needed.
fn connection() -> Result<Connection, CallError> {
    let path = instance::socket_path("calculator").map_err(CallError::transport)?;
    Ok(Connection::builder(path).build())
}

fn failed(error: &CallError) -> ExitCode {
    eprintln!("{error}");
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        eprintln!("  {error}");
        source = error.source();
    }
    ExitCode::FAILURE
}
