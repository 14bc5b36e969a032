//! Promises about processes: signals, exit codes, the end that always comes, and what the report says of it.

#![cfg(target_os = "linux")]

mod blocked;
mod embedded;
mod exit_codes;
mod idle;
mod paused;
mod pauses;
mod reload;
mod served;
mod signals;
mod single;
mod storm;
mod stuck;
mod supervisor;

use std::time::{Duration, Instant};

use daemon_core::{ShutdownReport, State};
use serde_json::Value;
use tests::{ProcessError, Program, Running, Signal, Source, TempDir};

type Result<T = (), E = Box<dyn std::error::Error>> = std::result::Result<T, E>;

/// A bound for what should happen soon, on a busy machine.
const SOON: Duration = Duration::from_secs(30);
/// The path of the program under test.
const SUBJECT: &str = env!("CARGO_BIN_EXE_subject");

/// The program under test, with its report on file.
struct Subject {
    running: Running,
    dir: TempDir,
}

impl Subject {
    /// Starts a host of this kind.
    fn start(kind: &str, options: &[&str]) -> Result<Self> {
        Self::start_by(Program::new(SUBJECT), kind, options)
    }

    /// Starts it by another program, or in another way.
    fn start_by(program: Program, kind: &str, options: &[&str]) -> Result<Self> {
        let dir = TempDir::new()?;
        let report = dir.path().join("report.json");
        let program = program.args([kind]).args(options).args(["--report".as_ref(), report.as_os_str()]);
        Ok(Self { running: program.env("RUST_BACKTRACE", "0").start()?, dir })
    }

    /// Waits until it has said this on standard output.
    fn says(&self, text: &str) -> Result<(), ProcessError> {
        self.running.wait_for_line(Source::Stdout, SOON, |line| line == text).map(drop)
    }

    /// Waits for the start receipt.
    fn started(&self) -> Result<(), ProcessError> {
        self.running.wait_for_line(Source::Stderr, SOON, |line| line.starts_with("subject started")).map(drop)
    }

    /// Waits for its end.
    fn ends(mut self) -> Result<Ended> {
        let waited = Instant::now();
        let status = self.running.wait(SOON)?;
        let after = waited.elapsed();
        let file = self.dir.path().join("report.json");
        let json = if file.exists() { serde_json::from_str(&std::fs::read_to_string(file)?)? } else { Value::Null };
        let ended = Ended {
            code: status.code(),
            after,
            out: self.running.text(Source::Stdout),
            err: self.running.text(Source::Stderr),
            json,
        };
        ended.check();
        Ok(ended)
    }

    fn signal(&self, signal: Signal) -> Result<(), ProcessError> {
        self.running.signal(signal)
    }
}

/// What a program left behind.
#[derive(Debug)]
struct Ended {
    code: Option<i32>,
    /// How long it was waited for.
    after: Duration,
    out: String,
    err: String,
    json: Value,
}

impl Ended {
    fn report(&self) -> ShutdownReport {
        serde_json::from_value(self.json.clone()).unwrap_or_else(|error| panic!("{error}: {self:#?}"))
    }

    /// What holds of every end: there is a report on file, it agrees with the exit code, it is complete, and what went wrong comes
    /// with the journal.
    #[track_caller]
    fn check(&self) {
        let report = self.report();
        assert_eq!(self.code, Some(report.exit_code.into()), "{self:#?}");
        for row in &report.events {
            let accounted = row.handled + row.failed + row.dropped + row.abandoned;
            assert_eq!(row.offered, accounted, "{}: {self:#?}", row.subscription);
        }
        let refused = report.cause.starts_with("refused: ");
        assert_eq!(report.daemons.is_empty(), refused, "{self:#?}");
        assert_eq!(report.journal.is_empty(), refused || report.exit_code == 0, "{self:#?}");
        assert!(report.journal.is_sorted_by_key(|line| line.at_ms), "{self:#?}");
        if let [first, .., last] = &report.journal[..] {
            assert_eq!((&first.daemon, first.state), (&None, State::Starting), "{self:#?}");
            let ended = (&last.daemon, last.state) == (&None, State::Stopped);
            assert!(ended || report.exit_code >= 75, "it came to its end, or was cut or forced: {self:#?}");
        }
        if self.err.contains("exit code") {
            assert_eq!(self.err.contains("\n  journal"), report.exit_code != 0, "{self:#?}");
            for daemon in &report.daemons {
                assert!(self.err.contains(&daemon.name), "{} is not shown: {self:#?}", daemon.name);
            }
        }
    }

    fn said(&self, text: &str) -> usize {
        self.out.lines().filter(|line| *line == text).count()
    }
}
