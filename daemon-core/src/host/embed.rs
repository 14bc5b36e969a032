//! Running a host inside a runtime that the user already has.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::bereft::UnderWay;
use super::builder::Host;
use super::check::CheckError;
use super::conductor::Conductor;
use super::planes::Planes;
use super::report::{ShutdownReport, StartReport};
use crate::context::HostHandle;
use crate::error::DaemonError;
use crate::schedule::Clock;

/// Why a host did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The host is not sound.
    #[error(transparent)]
    Check(#[from] CheckError),
    /// A daemon that the host requires failed to start; what had started was stopped in order.
    #[error("{}", failures(start))]
    Failed {
        /// How each daemon started, or did not.
        start: Box<StartReport>,
        /// How what had started was stopped.
        shutdown: Box<ShutdownReport>,
    },
    /// The shutdown was asked for before every daemon was running.
    #[error("asked to stop before it had started: {}", shutdown.cause)]
    Stopped {
        /// How far each daemon had started.
        start: Box<StartReport>,
        /// How what had started was stopped.
        shutdown: Box<ShutdownReport>,
    },
    /// Another instance runs, or the lock or the PID file that the host was given cannot be had.
    #[error(transparent)]
    Instance(#[from] DaemonError),
    /// The current tokio runtime lacks what a host needs, or there is none.
    #[error(
        "a host needs a tokio runtime with timers and I/O, and this one has no {lacks}; build it with `enable_all()`"
    )]
    Runtime {
        /// What it lacks.
        lacks: &'static str,
    },
    /// The host's own task died.
    #[error("the host's own task died")]
    Died,
}

impl StartError {
    /// How what had started was stopped, if anything had.
    pub(super) fn into_report(self) -> Option<ShutdownReport> {
        match self {
            Self::Failed { shutdown, .. } | Self::Stopped { shutdown, .. } => Some(*shutdown),
            Self::Check(_) | Self::Instance(_) | Self::Runtime { .. } | Self::Died => None,
        }
    }
}

fn failures(start: &StartReport) -> String {
    let failed =
        start.daemons.iter().filter_map(|daemon| Some(format!("`{}`: {}", daemon.name, daemon.reason.as_ref()?)));
    format!("{} did not start: {}", start.name, failed.collect::<Vec<_>>().join("; "))
}

/// A host that runs in the user's own runtime. Dropping it lets the host run on; a [`HostHandle`] can still stop it.
#[derive(Debug)]
pub struct RunningHost {
    handle: HostHandle,
    start: StartReport,
    task: JoinHandle<ShutdownReport>,
}

impl Host {
    /// Starts the host in the current tokio runtime, and returns once every daemon runs.
    ///
    /// The runtime needs its timers and its I/O, as `enable_all()` and `#[tokio::main]` give it.
    ///
    /// Signals, the exit of the process and the report's printing are left to the caller. So is the guarantee that
    /// needs a thread of its own: if user code blocks all of the runtime's threads, the stop cannot begin.
    ///
    /// # Errors
    /// [`StartError`]: the runtime lacks something, the host is not sound, another instance has the lock it was given, or a required daemon failed. All failures come together, and what had
    /// started has been stopped.
    ///
    /// # Cancel safety
    /// If the future is dropped the host is shut down.
    ///
    /// If the runtime is shut down before the host has stopped, no step of a stop is taken any more, no `cleanup` either. What the host holds is
    /// let go of, its lock too, its state is `stopped`, and whoever waits for it elsewhere is answered.
    pub async fn start(self) -> Result<RunningHost, StartError> {
        if let Some(lacks) = lacks() {
            return Err(StartError::Runtime { lacks });
        }
        let wanted = self.wanted.clone();
        let conductor = self.assemble(Clock::new())?;
        let claims = wanted.claim_embedded(&conductor.board.name).await?;
        conductor.board.claimed.hold(claims);
        launch(conductor, std::future::pending()).await
    }
}

/// What the current runtime lacks. Tokio tells of its drivers by a panic only, which goes by the program's panic hook.
fn lacks() -> Option<&'static str> {
    let has = |made: &dyn Fn()| catch_unwind(AssertUnwindSafe(made)).is_ok();
    if !has(&|| drop(tokio::time::sleep(Duration::ZERO))) {
        return Some("timers");
    }
    // for the alarm of the clocks
    #[cfg(any(target_os = "linux", target_os = "android"))]
    if !has(&|| drop(tokio::net::UnixDatagram::unbound())) {
        return Some("I/O");
    }
    None
}

/// Starts a host in the current runtime. It ends when it has stopped, or at once when `forced` does, with the code that brings.
pub(super) async fn launch(
    conductor: Conductor,
    forced: impl Future<Output = u8> + Send + 'static,
) -> Result<RunningHost, StartError> {
    let (board, bus) = (conductor.board.clone(), conductor.bus.clone());
    let handle = HostHandle::new(board.clone(), bus.publisher("host"));
    let (sender, settled) = oneshot::channel();
    let planes = Planes::shared(tokio::runtime::Handle::current());
    let task = tokio::spawn({
        let (board, under_way) = (board.clone(), UnderWay::new(&board));
        async move {
            let code = tokio::select! {
                biased;
                code = forced => code,
                failed = conductor.conduct(planes, sender) => {
                    board.look_again();
                    exit_code(failed || board.ended_badly(), board.was_cut())
                }
            };
            let mut report = board.shutdown_report(code);
            board.claimed.give_back();
            report.problems.extend(board.claimed.unreturned().map(|error| error.to_string()));
            under_way.over();
            report
        }
    });
    let mut unless_started = ShutDown(Some(handle.clone()));
    let start = settled.await;
    unless_started.0 = None;
    // Nobody told of the start where the end was forced.
    let start = start.unwrap_or_else(|_| board.start_report(false));
    if start.started {
        return Ok(RunningHost { handle, start, task });
    }
    let shutdown = Box::new(task.await.map_err(|_| StartError::Died)?);
    let stopped = start.daemons.iter().all(|daemon| daemon.optional || daemon.reason.is_none());
    let start = Box::new(start);
    Err(if stopped { StartError::Stopped { start, shutdown } } else { StartError::Failed { start, shutdown } })
}

/// Shuts the host down unless it is told otherwise.
struct ShutDown(Option<HostHandle>);

impl Drop for ShutDown {
    fn drop(&mut self) {
        if let Some(handle) = self.0.take() {
            handle.request_shutdown();
        }
    }
}

/// The code for how a host ended.
pub(super) fn exit_code(failed: bool, cut: bool) -> u8 {
    match (failed, cut) {
        (_, true) => 75,
        (true, false) => 1,
        (false, false) => 0,
    }
}

impl RunningHost {
    /// A handle on the host.
    #[must_use]
    pub fn handle(&self) -> HostHandle {
        self.handle.clone()
    }

    /// How the start went.
    #[must_use]
    pub fn start_report(&self) -> &StartReport {
        &self.start
    }

    /// Shuts the host down, and returns its report.
    ///
    /// # Errors
    /// [`StartError::Died`] if the host's own task died.
    ///
    /// # Cancel safety
    /// The shutdown goes on even if the future is dropped.
    pub fn shutdown(self) -> impl Future<Output = Result<ShutdownReport, StartError>> + Send {
        self.handle.request_shutdown();
        self.wait()
    }

    /// Waits until the host has stopped, whatever stops it.
    ///
    /// # Errors
    /// [`StartError::Died`] if the host's own task died.
    ///
    /// # Cancel safety
    /// The host runs on if the future is dropped.
    pub async fn wait(mut self) -> Result<ShutdownReport, StartError> {
        self.ended().await
    }

    /// As [`wait`](Self::wait), once.
    pub(crate) async fn ended(&mut self) -> Result<ShutdownReport, StartError> {
        (&mut self.task).await.map_err(|_| StartError::Died)
    }
}
