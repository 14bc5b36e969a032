//! A server that answers every request with its own payload, as it came. Interrupt it to stop it: the socket is gone then.
//!
//! ```sh
//! cargo run --release -p examples --example ipc_echo_server -- /tmp/echo.sock
//! ```

use std::process::ExitCode;

use daemon_ipc::{BindError, Reply, Request, Server, from_fn};

fn main() -> ExitCode {
    let Some(path) = std::env::args_os().nth(1) else {
        eprintln!("usage: ipc_echo_server PATH");
        return ExitCode::from(2);
    };
    match serve(path.into()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("ipc_echo_server: {error}");
            ExitCode::FAILURE
        }
    }
}

// One thread: connections that all do little are served fastest without handing them from thread to thread.
#[tokio::main(flavor = "current_thread")]
async fn serve(path: std::path::PathBuf) -> Result<(), BindError> {
    let echo = from_fn(|request: Request| async move { Ok(Reply::from(request.payload())) });
    let server = Server::builder(echo).listen(&path)?;
    println!("listening on {}", path.display());
    server.run_until(interrupted()).await;
    Ok(())
}

/// Waits for the first signal that asks to stop.
#[cfg(unix)]
async fn interrupted() {
    use tokio::signal::unix::{SignalKind, signal};

    match (signal(SignalKind::interrupt()), signal(SignalKind::terminate())) {
        (Ok(mut interrupt), Ok(mut terminate)) => tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        },
        (Err(error), _) | (_, Err(error)) => eprintln!("ipc_echo_server: cannot listen for signals: {error}"),
    }
}

#[cfg(not(unix))]
async fn interrupted() {
    if let Err(error) = tokio::signal::ctrl_c().await {
        eprintln!("ipc_echo_server: cannot listen for signals: {error}");
    }
}
