//! A host as a process that is started and stopped by hand: the lifecycle of `@outfitter/daemon`, on this crate's own.
//!
//! Invariants:
//! 1. All it does it has a [`Host`] do; what is its own is which call is answered how.
//! 2. From a start until its end there is one run, whose end all who ask hear of, and only then there may be another.

mod run;

use std::fmt;
use std::panic::Location;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::AbortHandle;

use super::board::Board;
use super::builder::Host;
use super::farewell::Handler;
use super::report::ShutdownReport;
use crate::BoxFuture;
use crate::context::HostHandle;
use crate::error::{DaemonError, DaemonErrorCode, IntoOutcome, Result};
use crate::status::State;

type Call = Arc<dyn Fn() -> BoxFuture<'static, Result<()>> + Send + Sync>;
type Outcome = Result<(), DaemonError>;

/// A process that is started and stopped by hand, and again: a PID file, signals, shutdown handlers, and whatever daemons
/// it is given.
///
/// [`start`](Self::start) makes the PID file, listens to SIGTERM and SIGINT, and starts the daemons, if there are any.
/// [`stop`](Self::stop), like those signals, stops them, calls the shutdown handlers one after the other, and removes the
/// PID file. A second signal, half a second later or more, ends the process at once; so does one that comes while it is
/// stopped. SIGHUP is what it is for [`Host::run`].
///
/// It is a [`Host`] in the runtime that it is started in. A program whose end must not be held up by anything,
/// not by a blocked thread either, calls [`Host::run`].
///
/// Clones are cheap and are the same process. Dropping them stops nothing.
///
/// ```
/// use daemon_core::{DaemonProcess, State};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), daemon_core::DaemonError> {
/// # let pid_file = std::env::temp_dir().join(format!("process-example-{}.pid", std::process::id()));
/// let daemon = DaemonProcess::builder("my-service").pid_file(&pid_file).build();
/// daemon.on_shutdown(|| async { println!("the last thing it does") });
///
/// daemon.start().await?;
/// assert_eq!(daemon.state(), State::Running);
/// daemon.stop().await?;
/// assert!(!pid_file.exists());
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct DaemonProcess {
    shared: Arc<Shared>,
}

/// Puts a [`DaemonProcess`] together.
#[must_use = "a process does nothing until it is built and started"]
pub struct DaemonProcessBuilder {
    name: String,
    pid_file: Option<PathBuf>,
    shutdown_timeout: Option<Duration>,
    signals: bool,
    host: Box<dyn Fn(Host) -> Host + Send + Sync>,
}

struct Shared {
    plan: DaemonProcessBuilder,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    handlers: Vec<(&'static Location<'static>, Call)>,
    run: Option<Run>,
    last: Option<(Outcome, Option<ShutdownReport>)>,
    /// Who listens to signals.
    listener: Option<AbortHandle>,
}

/// A run under way.
#[derive(Clone)]
struct Run {
    board: Arc<Board>,
    handle: HostHandle,
    outcome: watch::Receiver<Option<Outcome>>,
}

impl DaemonProcess {
    /// Begins to put a process of that name together.
    pub fn builder(name: impl Into<String>) -> DaemonProcessBuilder {
        DaemonProcessBuilder {
            name: name.into(),
            pid_file: None,
            shutdown_timeout: None,
            signals: true,
            host: Box::new(|host| host),
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.shared.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts it, and returns once it is running.
    ///
    /// # Errors
    /// [`AlreadyRunning`](DaemonErrorCode::AlreadyRunning): it is not stopped, or another process has the PID file, or the lock that its
    /// host was given;
    /// [`PidError`](DaemonErrorCode::PidError): the PID file cannot be written;
    /// [`StartFailed`](DaemonErrorCode::StartFailed): anything else, also that it was stopped meanwhile. It is stopped
    /// then.
    ///
    /// # Panics
    /// Outside a tokio runtime with time and I/O.
    ///
    /// # Cancel safety
    /// The start goes on even if the future is dropped.
    pub async fn start(&self) -> Result<(), DaemonError> {
        let started = self.begin()?;
        started.await.unwrap_or_else(|_| Err(self.died()))
    }

    fn died(&self) -> DaemonError {
        let message = format!("Daemon \"{}\" lost its own task", self.shared.plan.name);
        DaemonError::new(DaemonErrorCode::ShutdownFailed, message)
    }

    /// Stops it, and returns once it is stopped. If it is stopping already this waits for that, and gives the same answer.
    ///
    /// Handlers that overrun are dropped, and those behind them not called: nothing of them runs once this has returned.
    ///
    /// Called from inside what it would wait for, a shutdown handler or work of one of its daemons, it begins the stop and returns at once.
    ///
    /// # Errors
    /// [`NotRunning`](DaemonErrorCode::NotRunning): it was stopped;
    /// [`ShutdownTimeout`](DaemonErrorCode::ShutdownTimeout): the handlers took longer than they may;
    /// [`ShutdownFailed`](DaemonErrorCode::ShutdownFailed): a handler failed, or a daemon did not stop well;
    /// [`PidError`](DaemonErrorCode::PidError): the PID file cannot be removed. It is stopped in each case.
    ///
    /// # Cancel safety
    /// The stop goes on even if the future is dropped.
    pub async fn stop(&self) -> Result<(), DaemonError> {
        let run = self.inner().run.clone().ok_or_else(|| self.not_running())?;
        run.board.shut_down("asked for by `stop`");
        if run.board.is_asked_from_inside() {
            return Ok(());
        }
        self.end_of(run).await
    }

    /// Waits until it is stopped, whatever stops it, and says how that went, as [`stop`](Self::stop) does. If it is
    /// stopped already this says how its last run ended.
    ///
    /// # Errors
    /// As [`stop`](Self::stop); [`NotRunning`](DaemonErrorCode::NotRunning) if it never ran.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub async fn wait(&self) -> Result<(), DaemonError> {
        let run = {
            let inner = self.inner();
            match (&inner.run, &inner.last) {
                (Some(run), _) => run.clone(),
                (None, Some((outcome, _))) => return outcome.clone(),
                (None, None) => return Err(self.not_running()),
            }
        };
        self.end_of(run).await
    }

    async fn end_of(&self, mut run: Run) -> Outcome {
        match run.outcome.wait_for(Option::is_some).await {
            Ok(outcome) => outcome.clone().unwrap_or(Ok(())),
            Err(_) => Err(self.died()),
        }
    }

    fn not_running(&self) -> DaemonError {
        let message = format!("Daemon \"{}\" is not running", self.shared.plan.name);
        DaemonError::new(DaemonErrorCode::NotRunning, message)
    }

    /// Whether it is running: started, and not yet asked to stop.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.state() == State::Running
    }

    /// Where it is: `stopped`, `starting`, `running` or `stopping`.
    #[must_use]
    pub fn state(&self) -> State {
        let inner = self.inner();
        let Some(run) = &inner.run else { return State::Stopped };
        if run.board.stopping_since().is_some() {
            return State::Stopping;
        }
        match run.board.state() {
            State::Stopped => State::Starting, // it has not begun yet
            state => state,
        }
    }

    /// Registers what is to be done last: handlers are called one after the other, in this order, when all daemons have
    /// stopped, all of them within one timeout. One that fails or panics is in the report, and the next is called.
    ///
    /// One that is registered while the process is stopped is called at the end of every run; one that is registered
    /// during a run, at the end of that.
    #[track_caller]
    pub fn on_shutdown<F, Fut>(&self, handler: F)
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output: IntoOutcome> + Send + 'static,
    {
        let at = Location::caller();
        let call = move || -> BoxFuture<'static, Result<()>> {
            let handler = handler();
            Box::pin(async move { handler.await.into_outcome() })
        };
        let run = {
            let mut inner = self.inner();
            match &inner.run {
                Some(run) => run.clone(),
                None => {
                    inner.handlers.push((at, Arc::new(call)));
                    return;
                }
            }
        };
        if let Err(late) = run.board.farewell.add(Handler::new(at, call)) {
            tracing::warn!(handler = ?late, "a shutdown handler was registered after the last of them, and is not called");
        }
    }

    /// How the last run ended, in full.
    #[must_use]
    pub fn report(&self) -> Option<ShutdownReport> {
        self.inner().last.as_ref()?.1.clone()
    }

    /// A handle on its host, while there is a run.
    #[must_use]
    pub fn handle(&self) -> Option<HostHandle> {
        self.inner().run.as_ref().map(|run| run.handle.clone())
    }
}

impl DaemonProcessBuilder {
    /// Sets the PID file [[`pid_path`](crate::instance::pid_path) of its name].
    pub fn pid_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.pid_file = Some(path.into());
        self
    }

    /// Sets how long all shutdown handlers together may take [5 s].
    pub fn shutdown_timeout(mut self, timeout: Duration) -> Self {
        self.shutdown_timeout = Some(timeout);
        self
    }

    /// Sets what else the host gets that runs it, such as daemons: called at each start.
    ///
    /// ```
    /// # use daemon_core::{DaemonBase, DaemonProcess, daemon};
    /// # #[daemon(no_handlers)]
    /// # #[derive(Default)]
    /// # struct Store;
    /// # impl DaemonBase for Store {}
    /// let daemon = DaemonProcess::builder("my-service").host(|host| host.daemon(Store)).build();
    /// ```
    pub fn host(mut self, host: impl Fn(Host) -> Host + Send + Sync + 'static) -> Self {
        self.host = Box::new(host);
        self
    }

    /// Leaves the process's signals alone.
    pub fn without_signals(mut self) -> Self {
        self.signals = false;
        self
    }

    /// The process, stopped.
    #[must_use]
    pub fn build(self) -> DaemonProcess {
        DaemonProcess { shared: Arc::new(Shared { plan: self, inner: Mutex::default() }) }
    }
}

impl fmt::Debug for DaemonProcess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DaemonProcess").field("name", &self.shared.plan.name).field("state", &self.state()).finish()
    }
}

impl fmt::Debug for DaemonProcessBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DaemonProcessBuilder").field("name", &self.name).finish_non_exhaustive()
    }
}
