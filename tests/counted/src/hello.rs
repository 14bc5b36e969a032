//! A whole program whose one daemon does nothing: from its first instruction to its last.
//!
//! What a program of the same threads takes by hand is taken off it. It has two threads that wake each other, so its count
//! is not the same each time, but to a per cent.

use std::io;
use std::process::ExitCode;

use daemon_core::{Context, DaemonBase, Host, Result, daemon};
use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};

#[daemon(no_handlers)]
struct Hello;

impl DaemonBase for Hello {
    async fn initialize_deferred(&self, cx: &Context) -> Result<()> {
        cx.request_shutdown();
        Ok(())
    }
}

/// Starts, and stops once it runs.
pub(crate) fn run() -> ExitCode {
    Host::new("hello").daemon(Hello).workers(1).run()
}

/// The same threads by hand: one for the signals, one for the rest.
pub(crate) fn bare() -> io::Result<ExitCode> {
    let control = Builder::new_current_thread().enable_all().build()?;
    let workers = Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let ended = control.block_on(async {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let work = workers.spawn(async {});
        tokio::select! {
            _ = terminate.recv() => Ok(ExitCode::FAILURE),
            _ = interrupt.recv() => Ok(ExitCode::FAILURE),
            ended = work => Ok(if ended.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }),
        }
    });
    workers.shutdown_background();
    ended
}
