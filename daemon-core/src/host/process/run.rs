//! One run of a process, from its start to its end, and the signals it obeys.

use std::time::Duration;

use tokio::sync::{oneshot, watch};
use tokio::time::Instant;

use super::{DaemonProcess, Inner, Outcome, Run};
use crate::context::HostHandle;
use crate::error::{DaemonError, DaemonErrorCode};
use crate::host::board::Board;
use crate::host::builder::Host;
use crate::host::claims::{Place, Wanted};
use crate::host::conductor::Conductor;
use crate::host::embed::{StartError, launch};
use crate::host::exit::exit;
use crate::host::farewell::{self, Handler};
use crate::host::report::ShutdownReport;
use crate::host::signals::{Meaning, Presses, Signals};
use crate::schedule::Clock;

/// How long the exit may take once a signal forces it.
const EXITING: Duration = Duration::from_millis(250);

/// How a run ended.
struct Ended {
    /// What its start came to.
    start: Outcome,
    /// What its stop came to.
    outcome: Outcome,
    report: Option<ShutdownReport>,
}

impl Ended {
    fn unstarted(error: DaemonError, report: Option<ShutdownReport>) -> Self {
        Self { start: Err(error.clone()), outcome: Err(error), report }
    }
}

impl DaemonProcess {
    /// Begins a run; the receiver hears how its start went.
    pub(super) fn begin(&self) -> Result<oneshot::Receiver<Outcome>, DaemonError> {
        let runtime = tokio::runtime::Handle::current();
        self.check_stopped(&self.inner())?;
        let host = self.host();
        let wanted = host.wanted.clone();
        let conductor = host.assemble(Clock::new()).map_err(|error| start_failed(error.to_string()))?;
        let handle = HostHandle::new(conductor.board.clone(), conductor.bus.publisher("host"));
        let (told, outcome) = watch::channel(None);
        let (sender, started) = oneshot::channel();
        {
            let mut inner = self.inner();
            self.check_stopped(&inner)?;
            inner.run = Some(Run { board: conductor.board.clone(), handle, outcome });
        }
        let mut ends = Ends { process: self.clone(), told: Some(told) };
        runtime.spawn(async move {
            let mut starting = Some(sender);
            let Ended { start, outcome, report } = ends.process.conduct(conductor, wanted, &mut starting).await;
            ends.book(outcome, report, || {
                if let Some(starting) = starting {
                    drop(starting.send(start)); // nobody may wait for it
                }
            });
        });
        Ok(started)
    }

    fn check_stopped(&self, inner: &Inner) -> Result<(), DaemonError> {
        if inner.run.is_none() {
            return Ok(());
        }
        let message = format!("Daemon \"{}\" is already running", self.shared.plan.name);
        Err(DaemonError::new(DaemonErrorCode::AlreadyRunning, message).with_pid(Some(std::process::id())))
    }

    /// The host of one run.
    fn host(&self) -> Host {
        let plan = &self.shared.plan;
        let mut host = (plan.host)(Host::new(&plan.name));
        host.wanted.pid_file = plan.pid_file.clone().map_or(Place::Usual, Place::At);
        if let Some(timeout) = plan.shutdown_timeout {
            host = host.shutdown_timeout(timeout);
        }
        for (at, call) in self.inner().handlers.iter().cloned() {
            host.handlers.push(Handler::new(at, move || call()));
        }
        host
    }

    /// Makes one run. Who waits for the start is told once it is running, and left to be told if it never is.
    async fn conduct(
        &self,
        conductor: Conductor,
        wanted: Wanted,
        starting: &mut Option<oneshot::Sender<Outcome>>,
    ) -> Ended {
        let board = conductor.board.clone();
        // Held only once it listens: dropped before that they are given back.
        match wanted.claim_embedded(&board.name).await.and_then(|claims| self.listen().map(|()| claims)) {
            Ok(claims) => board.claimed.hold(claims),
            Err(error) => return Ended::unstarted(error, None),
        }
        let report = match launch(conductor, std::future::pending()).await {
            Ok(running) => {
                if let Some(starting) = starting.take() {
                    drop(starting.send(Ok(()))); // nobody may wait for it
                }
                running.wait().await
            }
            Err(error) => {
                let message = format!("Daemon \"{}\" did not start: {error}", self.shared.plan.name);
                let was_stopped = matches!(error, StartError::Stopped { .. });
                let ended = Ended::unstarted(start_failed(message), error.into_report());
                // Whoever stopped it meanwhile wanted just that.
                let stop = ended.report.as_ref().filter(|_| was_stopped).map(|report| self.outcome(report, &board));
                return Ended { outcome: stop.unwrap_or_else(|| ended.outcome.clone()), ..ended };
            }
        };
        let outcome = report.as_ref().map_or_else(|_| Err(self.died()), |report| self.outcome(report, &board));
        Ended { start: Ok(()), outcome, report: report.ok() }
    }

    /// Listens to signals, for this run and after it.
    fn listen(&self) -> Result<(), DaemonError> {
        if !self.shared.plan.signals {
            return Ok(());
        }
        let signals = Signals::listen();
        let signals = signals.map_err(|error| start_failed(format!("cannot listen to signals: {error}")))?;
        let listener = tokio::spawn(obey(self.clone(), signals)).abort_handle();
        if let Some(before) = self.inner().listener.replace(listener) {
            before.abort();
        }
        Ok(())
    }

    /// What a report says of a stop.
    fn outcome(&self, report: &ShutdownReport, board: &Board) -> Outcome {
        if report.handlers.iter().any(|handler| handler.cut.is_some()) {
            let limit = self.shared.plan.shutdown_timeout.unwrap_or(farewell::DEFAULT_TIMEOUT).as_millis();
            let message = format!("Shutdown handlers exceeded timeout of {limit}ms");
            return Err(DaemonError::new(DaemonErrorCode::ShutdownTimeout, message));
        }
        if report.exit_code != 0 {
            let handlers = report.handlers.iter().filter_map(|handler| {
                Some(format!("shutdown handler {}: {}", handler.name, handler.problem.as_ref()?))
            });
            let daemons = report.daemons.iter().flat_map(|daemon| {
                let cuts = daemon.cut.iter().map(ToString::to_string);
                let faults = daemon.problems.iter().chain(&daemon.reason).cloned().chain(cuts);
                faults.map(|fault| format!("daemon `{}`: {fault}", daemon.name))
            });
            let faults = daemons.chain(handlers).collect::<Vec<_>>().join("; ");
            let message = format!("Daemon \"{}\" did not stop well: {faults}", self.shared.plan.name);
            return Err(DaemonError::new(DaemonErrorCode::ShutdownFailed, message));
        }
        board.claimed.unreturned().map_or(Ok(()), Err)
    }
}

/// The end of a run: as it is told, or, dropped before that, with the runtime.
struct Ends {
    process: DaemonProcess,
    told: Option<watch::Sender<Option<Outcome>>>,
}

impl Ends {
    fn book(&mut self, outcome: Outcome, report: Option<ShutdownReport>, tell: impl FnOnce()) {
        let Some(told) = self.told.take() else { return };
        {
            let mut inner = self.process.inner();
            inner.last = Some((outcome.clone(), report));
            inner.run = None;
        }
        tell();
        told.send_replace(Some(outcome));
    }
}

impl Drop for Ends {
    fn drop(&mut self) {
        let died = Err(self.process.died());
        self.book(died, None, || ()); // unless it is booked
    }
}

fn start_failed(message: String) -> DaemonError {
    DaemonError::new(DaemonErrorCode::StartFailed, message)
}

/// Does what signals mean, for as long as there may be a run.
async fn obey(process: DaemonProcess, mut signals: Signals) {
    let mut presses = Presses::default();
    loop {
        let signal = signals.next().await;
        let meaning = presses.judge(signal, Instant::now());
        let run = process.inner().run.clone();
        match (meaning, run) {
            (Meaning::Stop, Some(run)) => run.board.shut_down(signal.name),
            (Meaning::Force, Some(run)) => {
                run.board.claimed.give_back();
                exit(signal.forced_code, EXITING)
            }
            (Meaning::Stop | Meaning::Force, None) => exit(signal.forced_code, EXITING),
            (Meaning::Reload, Some(run)) => drop(run.board.begin_reload(signal.name)), // it tells of its end itself
            (Meaning::Reload, None) | (Meaning::Nothing, _) => {}
        }
    }
}
