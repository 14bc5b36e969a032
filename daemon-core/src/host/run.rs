//! `Host::run`: the main thread, which owns the signals, the shutdown's clock and the exit, and runs no user code.
//!
//! Invariants:
//! 1. This thread polls no user future, drops no user value, emits no tracing event and writes to no stream; other
//!    threads do that, and it never waits for them without a limit.
//! 2. From the beginning of a shutdown the process ends within the stop budget and [`GRACE`], whatever blocks.

use std::mem::ManuallyDrop;
use std::process::ExitCode;
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::builder::Host;
use super::conductor::Conductor;
use super::embed::exit_code;
use super::exit::exit;
use super::planes::{self, Planes};
use super::signals::{Meaning, Presses, Signals};
use super::voice::{PATIENCE, Voice, give_back, show_logs};
use super::workers::{self, Lookout};
use crate::declaration::Plane;
use crate::reload::ReloadReport;
use crate::schedule::Clock;

/// How long after the stop budget the process may still take to end.
const GRACE: Duration = Duration::from_millis(250);
/// How much of that is kept for what comes last: the report, the lock, the exit.
const LAST: Duration = Duration::from_millis(125);
/// How much of that is kept for the exit.
const EXITING: Duration = Duration::from_millis(25);
/// How much of that is kept for giving back the lock.
const GIVING_BACK: Duration = Duration::from_millis(25);
/// How often a stop on a terminal says whom it waits for.
const WORD_EVERY: Duration = Duration::from_secs(1);

/// What is said to who calls it in a runtime, before anything is taken or begun.
const WITHIN_A_RUNTIME: &str = "`Host::run` makes its own runtime, and cannot run within another; call it from a plain `fn main() -> ExitCode`, \
    or write `host.start().await` here";

/// How the main thread's wait ended.
enum End {
    /// The host stopped.
    Stopped { failed: bool },
    /// The budget was used up.
    Overrun,
    /// A second signal came.
    Forced { code: u8 },
}

impl Host {
    /// Runs the host to its end on the calling thread, and returns the code the process should exit with.
    ///
    /// The daemons run on a runtime of their own. SIGINT, SIGTERM and a hang-up of the terminal begin the shutdown; a
    /// second SIGINT or SIGTERM, half a second later or more, forces the exit. SIGHUP without a controlling terminal
    /// [reloads](crate::HostHandle::reload). A start receipt and a shutdown report go
    /// to standard error unless the host is [`quiet`](Self::quiet). If no tracing subscriber is installed, warnings and
    /// errors are shown there too.
    ///
    /// Before anything starts it takes the lock of the host's name, and makes its PID file; see [`instance`](crate::instance),
    /// [`with_lock_path`](Self::with_lock_path) and [`without_lock`](Self::without_lock). A second instance ends at once.
    ///
    /// Exit codes, highest first: 128 + n when signal n forced the exit; 75 when a step of the stop had to be cut; 69 when
    /// another instance runs; 1 when a required daemon failed, its stop met a problem such as an error of `cleanup`, or
    /// the host was refused; 0 otherwise.
    ///
    /// When the exit is forced or the budget is overrun the process exits from inside this function.
    ///
    /// # Panics
    /// If it is called where a runtime is, such as from an `async fn main`: a thread of it may not be blocked. Await
    /// [`start`](Self::start) there.
    #[track_caller]
    pub fn run(mut self) -> ExitCode {
        assert!(tokio::runtime::Handle::try_current().is_err(), "{WITHIN_A_RUNTIME}");
        let waits = self.on_settled.take();
        let mut voice = Voice::new(self.quiet, self.report_file.clone(), self.warns_of_blocked(), waits);
        show_logs();
        let name = self.name.clone();
        let (workers, blocked_after) = (self.worker_threads(), self.blocked_after());
        let wanted = self.wanted.clone();
        let conductor = match self.assemble(Clock::new()) {
            Ok(conductor) => conductor,
            Err(refused) => return voice.refuse(name, &refused),
        };
        match wanted.claim(&name, true) {
            Ok(claims) => conductor.board.claimed.hold(claims),
            Err(error) if error.is_already_running() => return voice.give_way(&error),
            Err(error) => return voice.refuse(name, &error),
        }
        let control = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let operations = conductor.has_operations().then(planes::operations).transpose();
        let (control, (runtime, pulse), operations) = match (control, workers::runtime(workers), operations) {
            (Ok(control), Ok(workers), Ok(operations)) => (control, workers, operations),
            (Err(error), ..) | (_, Err(error), _) | (.., Err(error)) => {
                return voice.refuse(name, &format!("cannot start the runtime: {error}"));
            }
        };
        let board = conductor.board.clone();
        let budget = conductor.stop_budget;
        let mut lookout = Lookout::new(blocked_after, runtime.handle().clone(), pulse);
        let planes = Planes::new(runtime.handle(), operations.as_ref());
        let end = control.block_on(watch(conductor, planes, budget, &mut lookout, &mut voice));
        let (end, deadline) = match end {
            Ok(ended) => ended,
            Err(error) => return voice.refuse(name, &format!("cannot listen to signals: {error}")),
        };
        voice.tell(|| board.start_report(false));
        board.look_again();
        let code = match end {
            End::Stopped { failed } => exit_code(failed || board.ended_badly(), board.was_cut()),
            End::Overrun => 75,
            End::Forced { code } => code,
        };
        let patience = match end {
            End::Stopped { .. } => deadline.saturating_duration_since(Instant::now()).min(PATIENCE),
            End::Overrun | End::Forced { .. } => LAST - EXITING,
        };
        let mut report = board.shutdown_report(code);
        report.blocked_threads = lookout.unknown();
        let until = Instant::now() + patience;
        voice.last_words(report, for_words(patience));
        let left = for_giving_back(until, Instant::now());
        if matches!(end, End::Stopped { .. }) {
            give_back(board, left);
            // Never waits for a blocked thread.
            operations.into_iter().chain([runtime]).for_each(Runtime::shutdown_background);
            return ExitCode::from(code);
        }
        give_back(board.clone(), left);
        exit(code, EXITING)
    }
}

/// How long the last words may take of so much time.
fn for_words(patience: Duration) -> Duration {
    patience.saturating_sub(GIVING_BACK)
}

/// How long giving back may take after them, however late they ended.
fn for_giving_back(until: Instant, now: Instant) -> Duration {
    until.saturating_duration_since(now).max(GIVING_BACK)
}

/// Waits for whichever comes first: the host's end, the end of its budget, or a signal that forces the exit. Returns also
/// when the process must have ended.
async fn watch(
    conductor: Conductor,
    planes: Planes,
    budget: Duration,
    lookout: &mut Lookout,
    voice: &mut Voice,
) -> std::io::Result<(End, Instant)> {
    let mut signals = Signals::listen()?;
    let board = conductor.board.clone();
    let (sender, mut settled) = oneshot::channel();
    // Holds what users made, and is never dropped on this thread: a forced exit leaves it, an end has emptied it.
    let mut conducted = ManuallyDrop::new(Box::pin(conductor.conduct(planes, sender)));
    let mut presses = Presses::default();
    // One at a time, and however many signals come meanwhile, one more after it.
    let (mut reloading, mut again) = (None, None);
    let mut told = false;
    let mut limit = budget;
    let mut began: Option<Instant> = None;
    let mut next_word: Option<Instant> = None;
    loop {
        let deadline = began.map(|began| began + limit + GRACE);
        let must_end = deadline.unwrap_or_else(|| Instant::now() + limit + GRACE);
        tokio::select! {
            biased;
            signal = signals.next() => match presses.judge(signal, Instant::now()) {
                Meaning::Stop => {
                    limit = signal.within.map_or(limit, |within| within.min(limit));
                    board.shut_down(signal.name);
                }
                Meaning::Force => return Ok((End::Forced { code: signal.forced_code }, must_end)),
                Meaning::Reload if reloading.is_some() => again = Some(signal.name),
                Meaning::Reload => reloading = Some(board.begin_reload(signal.name)),
                Meaning::Nothing => {}
            },
            () = until(deadline.map(|deadline| deadline - LAST)) => return Ok((End::Overrun, must_end)),
            failed = &mut *conducted => {
                if let Ok(start) = settled.try_recv() {
                    voice.receipt(start);
                }
                return Ok((End::Stopped { failed }, must_end));
            }
            start = &mut settled, if !told => {
                told = true;
                if let Ok(start) = start {
                    voice.receipt(start);
                }
            }
            () = board.began.notified(), if began.is_none() => {
                began = board.stopping_since();
                next_word = began.map(|began| began + WORD_EVERY);
                lookout.hurry();
            }
            () = until(next_word), if voice.counts_down => {
                let left = deadline.map_or(limit, |deadline| deadline.saturating_duration_since(Instant::now()));
                voice.count_down(left, &board.still_up());
                next_word = next_word.map(|at| at + WORD_EVERY);
            }
            report = reloaded(&mut reloading) => {
                reloading = again.take().map(|signal| board.begin_reload(signal));
                if let Ok(report) = report {
                    voice.reloaded(&report);
                }
            }
            words = lookout.next(|| board.polled(Some(Plane::Workers))) => {
                // The report tells who holds up the stop.
                if began.is_none() {
                    voice.warn(words);
                }
            }
        }
    }
}

/// The report of the reload under way. Cancel safe.
async fn reloaded(
    reloading: &mut Option<oneshot::Receiver<ReloadReport>>,
) -> Result<ReloadReport, oneshot::error::RecvError> {
    match reloading {
        Some(report) => report.await,
        None => std::future::pending().await,
    }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_last_leaves_time_to_give_back_what_is_held_and_both_together_leave_time_to_exit() {
        let patience = LAST - EXITING;
        assert_eq!(for_words(patience) + GIVING_BACK + EXITING, LAST);
        let until = Instant::now() + patience;
        assert_eq!(for_giving_back(until, until - PATIENCE), PATIENCE);
        for late in [Duration::ZERO, LAST] {
            assert_eq!(for_giving_back(until, until + late), GIVING_BACK);
        }
    }
}
