//! `Host::run`: the main thread, which owns the signals, the shutdown's clock and the exit, and runs no user code.
//!
//! Invariants:
//! 1. This thread polls no user future, drops no user value, emits no tracing event and writes to no stream; other
//!    threads do that, and it never waits for them without a limit.
//! 2. From the beginning of a shutdown the process ends within the stop budget and [`GRACE`], whatever blocks.

use std::io::{IsTerminal, Write};
use std::mem::ManuallyDrop;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::builder::Host;
use super::conductor::Conductor;
use super::embed::exit_code;
use super::report::ShutdownReport;
use super::signals::{Meaning, Presses, Signals};
use crate::schedule::Clock;

/// How long after the stop budget the process may still take to end.
const GRACE: Duration = Duration::from_millis(250);
/// How much of that is kept for writing the report.
const WRITING: Duration = Duration::from_millis(100);
/// How often a stop on a terminal says whom it waits for.
const WORD_EVERY: Duration = Duration::from_secs(1);
/// How long a clean end waits for its report to be written, if the budget allows.
const PATIENCE: Duration = Duration::from_secs(2);

/// How the main thread's wait ended.
enum End {
    /// The host stopped.
    Stopped { failed: bool },
    /// The budget was used up.
    Overrun,
    /// A second signal came.
    Forced { code: u8 },
}

/// Where the main thread's words go.
struct Voice {
    quiet: bool,
    /// Whether a person watches who would like to know whom the stop waits for.
    counts_down: bool,
    report_file: Option<PathBuf>,
    /// Writes the start receipt, which comes before the report.
    receipt: Option<JoinHandle<()>>,
}

impl Host {
    /// Runs the host to its end on the calling thread, and returns the code the process should exit with.
    ///
    /// The daemons run on a runtime of their own. SIGINT, SIGTERM and a hang-up of the terminal begin the shutdown; a
    /// second SIGINT or SIGTERM, half a second later or more, forces the exit. A start receipt and a shutdown report go
    /// to standard error unless the host is [`quiet`](Self::quiet). If no tracing subscriber is installed, warnings and
    /// errors are shown there too.
    ///
    /// Exit codes, highest first: 128 + n when signal n forced the exit; 75 when a step of the stop had to be cut; 1
    /// when a required daemon failed, its stop met a problem such as an error of `cleanup`, or the host was refused; 0
    /// otherwise.
    ///
    /// When the exit is forced or the budget is overrun the process exits from inside this function.
    ///
    /// # Panics
    /// If it is called from inside asynchronous code, where a thread may not be blocked; await
    /// [`start`](Self::start) there.
    pub fn run(self) -> ExitCode {
        let mut voice = Voice {
            quiet: self.quiet,
            counts_down: !self.quiet && std::io::stderr().is_terminal(),
            report_file: self.report_file.clone(),
            receipt: None,
        };
        show_logs();
        let workers = self.worker_threads();
        let conductor = match self.assemble(Clock::new()) {
            Ok(conductor) => conductor,
            Err(refused) => return refuse(&refused),
        };
        let control = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(workers)
            .thread_name("daemon")
            .enable_all()
            .build();
        let (control, runtime) = match (control, runtime) {
            (Ok(control), Ok(runtime)) => (control, runtime),
            (Err(error), _) | (_, Err(error)) => return refuse(&format!("cannot start the runtime: {error}")),
        };
        let board = conductor.board.clone();
        let budget = conductor.stop_budget;
        let end = control.block_on(watch(conductor, runtime.handle().clone(), budget, &mut voice));
        let (end, deadline) = match end {
            Ok(ended) => ended,
            Err(error) => return refuse(&format!("cannot listen to signals: {error}")),
        };
        let code = match end {
            End::Stopped { failed } => exit_code(failed || board.ended_badly(), board.was_cut()),
            End::Overrun => 75,
            End::Forced { code } => code,
        };
        let patience = match end {
            End::Stopped { .. } => deadline.saturating_duration_since(Instant::now()).min(PATIENCE),
            End::Overrun | End::Forced { .. } => WRITING,
        };
        voice.last_words(board.shutdown_report(code), patience);
        if matches!(end, End::Stopped { .. }) {
            runtime.shutdown_background(); // never waits for a blocked thread
            return ExitCode::from(code);
        }
        exit(code)
    }
}

/// Ends the process with threads that may be blocked still in it.
#[expect(clippy::exit, reason = "returning would run the caller's destructors beside threads that are stuck")]
fn exit(code: u8) -> ! {
    std::process::exit(i32::from(code))
}

/// Waits for whichever comes first: the host's end, the end of its budget, or a signal that forces the exit. Returns also
/// when the process must have ended.
async fn watch(
    conductor: Conductor,
    runtime: tokio::runtime::Handle,
    budget: Duration,
    voice: &mut Voice,
) -> std::io::Result<(End, Instant)> {
    let mut signals = Signals::listen()?;
    let board = conductor.board.clone();
    let mut stopping = board.stopping.subscribe();
    let (sender, mut settled) = oneshot::channel();
    // Holds what users made, and is never dropped on this thread: a forced exit leaves it, an end has emptied it.
    let mut conducted = ManuallyDrop::new(Box::pin(conductor.conduct(runtime, sender)));
    let mut presses = Presses::default();
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
                Meaning::Force => {
                    board.set_cause(signal.name);
                    return Ok((End::Forced { code: signal.forced_code }, must_end));
                }
                Meaning::Nothing => {}
            },
            () = until(deadline.map(|deadline| deadline - WRITING)) => return Ok((End::Overrun, must_end)),
            failed = &mut *conducted => return Ok((End::Stopped { failed }, must_end)),
            start = &mut settled, if !told => {
                told = true;
                if let Ok(start) = start {
                    voice.receipt(start.to_string(), start.started);
                }
            }
            Ok(now) = stopping.wait_for(Option::is_some), if began.is_none() => {
                began = *now;
                next_word = began.map(|began| began + WORD_EVERY);
            }
            () = until(next_word), if voice.counts_down => {
                let left = deadline.map_or(limit, |deadline| deadline.saturating_duration_since(Instant::now()));
                voice.count_down(left, &board.still_up());
                next_word = next_word.map(|at| at + WORD_EVERY);
            }
        }
    }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

impl Voice {
    /// Shows the start receipt. Nobody waits for it but the report.
    fn receipt(&mut self, text: String, started: bool) {
        if !(self.quiet && started) {
            self.receipt = aside(move || write_error(&text)).0;
        }
    }

    /// Says whom the stop waits for.
    fn count_down(&self, left: Duration, up: &[String]) {
        let text = format!("stopping, {} s left; waiting for {}\n", left.as_secs(), up.join(", "));
        drop(aside(move || write_error(&text))); // nobody waits for it
    }

    /// Shows and files the shutdown report, for no longer than `patience`.
    fn last_words(self, report: ShutdownReport, patience: Duration) {
        let deadline = std::time::Instant::now() + patience;
        let text = if self.quiet && report.is_clean() { String::new() } else { report.to_string() };
        let (receipt, file) = (self.receipt, self.report_file);
        let (_, shown) = aside(move || {
            drop(receipt.map(JoinHandle::join)); // it comes first, and cannot panic
            write_error(&text);
        });
        let (_, filed) = aside(move || {
            let Some(path) = file else { return };
            let written = serde_json::to_string_pretty(&report).map_err(std::io::Error::from);
            if let Err(error) = written.and_then(|json| std::fs::write(&path, json + "\n")) {
                write_error(&format!("cannot write the shutdown report to {}: {error}\n", path.display()));
            }
        });
        for done in [filed, shown] {
            let _ = done.recv_timeout(deadline.saturating_duration_since(std::time::Instant::now())); // late: go on
        }
    }
}

/// Does something on a thread of its own; the receiver hears when it is done.
fn aside(work: impl FnOnce() + Send + 'static) -> (Option<JoinHandle<()>>, mpsc::Receiver<()>) {
    let (sender, done) = mpsc::channel();
    let spawned = std::thread::Builder::new().name("daemon-voice".to_owned()).spawn(move || {
        work();
        let _ = sender.send(()); // the waiting side may have given up
    });
    (spawned.ok(), done) // without a thread there is no voice, and the receiver hears so
}

/// Writes to standard error; where that cannot be written there is nobody left to tell.
fn write_error(text: &str) {
    let mut stderr = std::io::stderr().lock();
    drop(stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush()));
}

fn refuse(why: &impl std::fmt::Display) -> ExitCode {
    let text = format!("{why}\n");
    let (_, said) = aside(move || write_error(&text));
    let _ = said.recv_timeout(PATIENCE); // nobody reads: the exit code tells
    ExitCode::FAILURE
}

/// Shows warnings and errors on standard error, unless the program installed a subscriber of its own.
#[cfg(feature = "log")]
fn show_logs() {
    use tracing_subscriber::filter::{LevelFilter, Targets};
    use tracing_subscriber::layer::SubscriberExt;
    use tracing_subscriber::util::SubscriberInitExt;

    if tracing::dispatcher::has_been_set() {
        return;
    }
    let wanted = std::env::var("RUST_LOG").ok().and_then(|text| text.parse::<Targets>().ok());
    let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|no| no.is_empty());
    let layer = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(colour).with_target(false);
    let layers = tracing_subscriber::registry()
        .with(wanted.unwrap_or_else(|| Targets::new().with_default(LevelFilter::WARN)))
        .with(layer);
    drop(layers.try_init()); // another thread was quicker: its subscriber stays
}

#[cfg(not(feature = "log"))]
fn show_logs() {}
