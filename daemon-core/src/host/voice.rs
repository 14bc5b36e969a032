//! The main thread's words: said by other threads, which it waits for no longer than it says.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::mpsc;

use super::blocked::Word;
use super::board::Board;
use super::over::{Hears, over};
use super::report::{ShutdownReport, StartReport, spawned_at};
use super::settled::{OnSettled, Settled};
use crate::error::DaemonError;
use crate::reload::ReloadReport;
use crate::status::BlockedWork;
use crate::task::drop_quietly;
use crate::unwind::quietly;

/// How long a clean end waits for its report to be written, if the budget allows.
pub(super) const PATIENCE: Duration = Duration::from_secs(2);

/// The code of an instance that is not the first: `EX_UNAVAILABLE` of sysexits(3).
const EXIT_ALREADY_RUNNING: u8 = 69;

/// Where the main thread's words go.
pub(super) struct Voice {
    quiet: bool,
    /// Whether a person watches who would like to know whom the stop waits for.
    pub(super) counts_down: bool,
    report_file: Option<PathBuf>,
    /// Who waits for what the start comes to, until that is known.
    waits: Option<OnSettled>,
    /// Writes the start receipt, which comes before the report.
    receipt: Option<JoinHandle<()>>,
    /// Whether blocked workers are to be warned of.
    warns: bool,
    /// Where warnings are logged, once there was one.
    log: Option<mpsc::Sender<Word>>,
}

/// How many warnings may wait for whoever takes the log.
const UNHEARD: usize = 64;

impl Voice {
    pub(super) fn new(quiet: bool, report_file: Option<PathBuf>, warns: bool, waits: Option<OnSettled>) -> Self {
        let counts_down = !quiet && std::io::stderr().is_terminal();
        Self { quiet, counts_down, report_file, waits, receipt: None, warns, log: None }
    }

    /// Shows the start receipt, and tells who waits for it. Nobody waits for that but the report.
    pub(super) fn receipt(&mut self, start: StartReport) {
        let (is_shown, waits) = (!(self.quiet && start.started), self.waits.take());
        if is_shown || waits.is_some() {
            self.receipt = aside(move || {
                if is_shown {
                    write_error(&start.to_string());
                }
                if let Some(waits) = waits {
                    tell(waits, Settled::of(start));
                }
            })
            .0;
        }
    }

    /// Tells who waits what the start came to, if that has not been told yet.
    pub(super) fn tell(&mut self, start: impl FnOnce() -> StartReport) {
        if let Some(waits) = self.waits.take() {
            let start = start();
            self.receipt = aside(move || tell(waits, Settled::of(start))).0;
        }
    }

    /// Says whom the stop waits for.
    pub(super) fn count_down(&self, left: Duration, up: &[String]) {
        let text = format!("stopping, {} s left; waiting for {}\n", left.as_secs(), up.join(", "));
        drop(aside(move || write_error(&text))); // nobody waits for it
    }

    /// Says how a reload went. Nobody waits for it.
    pub(super) fn reloaded(&self, report: &ReloadReport) {
        if !(self.quiet && report.is_reloaded()) {
            let text = report.to_string();
            drop(aside(move || write_error(&text)));
        }
    }

    /// Logs what there is to tell of blocked workers. Where the log does not take it nobody hears of it.
    pub(super) fn warn(&mut self, words: Vec<Word>) {
        if !self.warns {
            return;
        }
        let log = self.log.get_or_insert_with(|| {
            let (sender, mut words) = mpsc::channel(UNHEARD);
            drop(aside(move || {
                while let Some(word) = words.blocking_recv() {
                    log_word(&word);
                }
            }));
            sender
        });
        words.into_iter().for_each(|word| drop(log.try_send(word)));
    }

    /// Shows and files the shutdown report, for no longer than `patience`.
    pub(super) fn last_words(self, report: ShutdownReport, patience: Duration) {
        let text = (!(self.quiet && report.is_clean())).then(|| report.to_string());
        self.say_last(text, report, patience);
    }

    /// Says why a host cannot even begin.
    pub(super) fn refuse(mut self, name: String, why: &dyn std::fmt::Display) -> ExitCode {
        let why = why.to_string();
        if let Some(waits) = self.waits.take() {
            let message = why.clone();
            self.receipt = aside(move || tell(waits, Settled::Refused { message })).0;
        }
        self.say_last(Some(format!("{why}\n")), ShutdownReport::refused(name, 1, &why), PATIENCE);
        ExitCode::FAILURE
    }

    /// Says that another instance runs. Its report file is left to that.
    pub(super) fn give_way(self, error: &DaemonError) -> ExitCode {
        let (waits, error) = (self.waits, error.clone());
        let (_, said) = aside(move || {
            write_error(&format!("{error}\n"));
            if let Some(waits) = waits {
                tell(waits, Settled::taken(&error));
            }
        });
        said.wait(PATIENCE); // nobody reads: the exit code tells
        ExitCode::from(EXIT_ALREADY_RUNNING)
    }

    /// Shows the text and files the report, each if it is wanted, and neither waits for the other: a thread each.
    fn say_last(self, text: Option<String>, report: ShutdownReport, patience: Duration) {
        let deadline = std::time::Instant::now() + patience;
        let receipt = self.receipt;
        let shown = (text.is_some() || receipt.is_some()).then(|| {
            let show = move || {
                drop(receipt.map(JoinHandle::join)); // it comes first, and cannot panic
                write_error(&text.unwrap_or_default());
            };
            aside(show).1
        });
        let filed = self.report_file.map(|path| aside(move || file(&report, &path)).1);
        for done in filed.into_iter().chain(shown) {
            done.wait(deadline.saturating_duration_since(std::time::Instant::now())); // late: go on
        }
    }
}

/// Writes the report to its file.
fn file(report: &ShutdownReport, path: &Path) {
    let written = serde_json::to_string_pretty(report).map_err(std::io::Error::from);
    if let Err(error) = written.and_then(|json| std::fs::write(path, json + "\n")) {
        write_error(&format!("cannot write the shutdown report to {}: {error}\n", path.display()));
    }
}

/// Tells who waits. It is user code, so a panic in it is its own affair.
fn tell(waits: OnSettled, settled: Settled) {
    if !quietly(move || waits(&settled)) {
        tracing::warn!("what `on_settled` was given panicked");
    }
}

fn log_word(word: &Word) {
    let of = |work: &BlockedWork, blocked: String, message: &str| {
        let BlockedWork { daemon, kind, .. } = work;
        let place = format!("{}{}", work.work, spawned_at(&work.spawned_at));
        let _span = tracing::error_span!("daemon", name = &**daemon).entered();
        tracing::warn!(%daemon, work = place, %kind, %blocked, "{message}");
    };
    match word {
        Word::Blocks(work) => {
            let message = "it blocks a worker thread; what may block belongs in `cx.spawn_blocking`";
            of(work, format!("{:.1?}", work.blocked), message);
        }
        Word::Ended { work, at_most } => {
            let blocked = format!("{:.1?} to {at_most:.1?}", work.blocked);
            of(work, blocked, "it no longer blocks a worker thread");
        }
        Word::Unknown { workers } => {
            tracing::warn!(workers, "worker threads are blocked by what was not spawned through the host");
        }
        Word::UnknownEnded => tracing::warn!("what was not spawned through the host no longer blocks worker threads"),
        Word::All { workers } => tracing::warn!(workers, "all worker threads are blocked: nothing else runs"),
    }
}

/// Gives back what the host has claimed, and waits for that no longer than `patience`: the end of the process does it too,
/// but for the files. The same thread drops the board then, which holds what is the user's if nobody else has it, such as
/// retained events and filters; nobody waits for that.
pub(super) fn give_back(board: Arc<Board>, patience: Duration) {
    let (given, given_back) = over();
    drop(aside(move || {
        board.claimed.give_back();
        if let Some(error) = board.claimed.unreturned() {
            write_error(&format!("{error}\n"));
        }
        drop(given);
        drop_quietly(board);
    }));
    given_back.wait(patience); // late: go on
}

/// Does something on a thread of its own, and says when it is done.
///
/// It is boxed, so that a program has the code of one such thread and not of one for each thing that is said.
fn aside(work: impl FnOnce() + Send + 'static) -> (Option<JoinHandle<()>>, Hears) {
    aside_boxed(Box::new(work))
}

fn aside_boxed(work: Box<dyn FnOnce() + Send>) -> (Option<JoinHandle<()>>, Hears) {
    let (over, done) = over();
    let spawned = std::thread::Builder::new().name("daemon-voice".to_owned()).spawn(move || {
        let _over = over;
        work();
    });
    (spawned.ok(), done) // without a thread there is no voice, and that is over at once
}

/// Writes to standard error; where that cannot be written there is nobody left to tell.
fn write_error(text: &str) {
    let mut stderr = std::io::stderr().lock();
    drop(stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush()));
}

/// Shows warnings and errors on standard error, unless the program installed a subscriber of its own.
#[cfg(feature = "log")]
pub(super) fn show_logs() {
    use tracing_subscriber::filter::{LevelFilter, Targets};
    use tracing_subscriber::layer::SubscriberExt;
    use tracing_subscriber::util::SubscriberInitExt;

    if tracing::dispatcher::has_been_set() {
        return;
    }
    let wanted = std::env::var("RUST_LOG").ok().filter(|text| !text.is_empty()).map(|text| text.parse::<Targets>());
    let (wanted, unread) = wanted.transpose().map_or_else(|error| (None, Some(error)), |wanted| (wanted, None));
    let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|no| no.is_empty());
    let layer = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(colour).with_target(false);
    let layers = tracing_subscriber::registry()
        .with(wanted.unwrap_or_else(|| Targets::new().with_default(LevelFilter::WARN)))
        .with(layer);
    drop(layers.try_init()); // another thread was quicker: its subscriber stays
    if let Some(error) = unread {
        let told = move || {
            tracing::warn!(%error, "RUST_LOG cannot be read, and counts as `warn`; write it as in info,app::store=debug");
        };
        // Not from here: nobody may be reading. If there is no thread for it, nothing else will get far either.
        drop(std::thread::Builder::new().spawn(told));
    }
}

#[cfg(not(feature = "log"))]
pub(super) fn show_logs() {}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::sync::Mutex;
    use std::sync::mpsc::{Receiver, Sender, channel};
    use std::time::Instant;

    use super::*;
    use crate::event::Event;
    use crate::host::builder::Host;
    use crate::host::quiet::Quiet;
    use crate::schedule::Clock;
    use crate::task::FOREVER;

    #[test]
    fn whoever_waits_for_what_the_start_came_to_is_told_once_and_before_the_last_words_at_the_latest() {
        let conductor = Host::new("t").daemon(Quiet).assemble(Clock::new()).unwrap();
        for is_told_early in [true, false] {
            let (tells, told) = channel();
            let waits: OnSettled = Box::new(move |settled| tells.send(settled.is_running()).unwrap());
            let mut voice = Voice::new(true, None, false, Some(waits));
            if is_told_early {
                voice.receipt(conductor.board.start_report(true));
            }
            voice.tell(|| conductor.board.start_report(false));
            voice.tell(|| conductor.board.start_report(false));
            let clean = ShutdownReport { exit_code: 0, ..ShutdownReport::refused("t".to_owned(), 1, "") };
            voice.last_words(clean, FOREVER);
            assert_eq!(told.iter().collect::<Vec<_>>(), [is_told_early]);
        }
    }

    /// What it panics with panics when it is dropped.
    struct Spiteful(Option<Sender<()>>);

    impl Event for Spiteful {
        const TOPIC: &'static str = "test:spiteful";
        const RETAIN: bool = true;
    }

    struct Payload;

    impl Drop for Payload {
        fn drop(&mut self) {
            panic!("a payload");
        }
    }

    impl Drop for Spiteful {
        fn drop(&mut self) {
            thread_local! {
                static ENDS: RefCell<Option<Sender<()>>> = const { RefCell::new(None) };
            }
            ENDS.set(self.0.take()); // dropped once the thread has ended well
            std::panic::panic_any(Payload);
        }
    }

    /// Waits for a hang-up when it is dropped.
    struct Sticky(Mutex<Receiver<()>>);

    impl Event for Sticky {
        const TOPIC: &'static str = "test:sticky";
        const RETAIN: bool = true;
    }

    impl Drop for Sticky {
        fn drop(&mut self) {
            drop(self.0.get_mut().map(|waits| waits.recv()));
        }
    }

    #[test]
    fn nobody_waits_for_the_destructors_of_what_a_board_holds() {
        let (hangs_up, waits) = channel();
        let conductor = Host::new("t").daemon(Quiet).assemble(Clock::new()).unwrap();
        assert!(conductor.bus.publisher("t").try_publish(Sticky(Mutex::new(waits))).is_ok());
        let board = conductor.board.clone();
        drop(conductor);
        let (began, patience) = (Instant::now(), Duration::from_secs(60));
        give_back(board, patience);
        assert!(began.elapsed() < patience, "it waited for the destructor");
        drop(hangs_up);
    }

    /// The standard library ends a process in one thread of which a panic remains that cannot be dropped.
    #[test]
    fn what_a_board_holds_may_panic_with_what_panics_when_it_is_dropped() {
        let (ends, ended) = channel();
        let conductor = Host::new("t").daemon(Quiet).assemble(Clock::new()).unwrap();
        conductor.bus.publisher("t").try_publish(Spiteful(Some(ends))).unwrap();
        let board = conductor.board.clone();
        drop(conductor);
        give_back(board, FOREVER);
        assert!(ended.recv().is_err());
    }
}
