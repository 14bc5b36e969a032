//! The command line of operators, driven as they drive it: processes in the background, their answers, their exit codes.

#![cfg(target_os = "linux")]

mod answers;
mod background;
mod pictures;
mod trouble;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use daemon_core::instance::read_lock_pid;
use serde_json::Value;
use tests::program::{Target, built};
use tests::{Program, Running, Source, TempDir};

type Result<T = (), E = Box<dyn std::error::Error>> = std::result::Result<T, E>;

/// A bound for what should happen soon, on a busy machine.
const SOON: Duration = Duration::from_secs(60);
/// The path of the program under test.
const OPERATED: &str = env!("CARGO_BIN_EXE_operated");

/// Where the instances of one test are. What still runs at its end is killed.
struct Place {
    runtime: TempDir,
    state: TempDir,
}

/// What a command line came to.
#[derive(Debug)]
struct Done {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Place {
    fn new() -> Result<Self> {
        Ok(Self { runtime: TempDir::new()?, state: TempDir::new()? })
    }

    /// A place in which it runs in the background.
    fn started() -> Result<Self> {
        let place = Self::new()?;
        place.run(&["start"])?.expect(0);
        Ok(place)
    }

    fn program(&self, path: impl AsRef<std::path::Path>) -> Program {
        let program = Program::new(path).runtime_dir(self.runtime.path()).env("XDG_STATE_HOME", self.state.path());
        program.env("OPERATED_GO", self.go()).env("RUST_BACKTRACE", "0")
    }

    fn begin(&self, args: &[&str]) -> Result<Running> {
        Ok(self.program(OPERATED).args(args).start()?)
    }

    fn run(&self, args: &[&str]) -> Result<Done> {
        done(self.begin(args)?)
    }

    /// Asks with `daemonctl`.
    fn control(&self, args: &[&str]) -> Result<Done> {
        done(self.program(built("daemon-cli", Target::Bin("daemonctl"))?).args(args).start()?)
    }

    /// The answer as a script reads it.
    fn json(&self, args: &[&str]) -> Result<Value> {
        let done = self.run(&[args, &["--json"]].concat())?;
        done.expect(0);
        done.json()
    }

    /// The file that lets the slow one become ready.
    fn go(&self) -> PathBuf {
        self.state.path().join("go")
    }

    fn dir(&self) -> PathBuf {
        self.runtime.path().join("operated")
    }

    fn pid(&self) -> Option<u32> {
        read_lock_pid(self.dir().join("daemon.lock"))
    }

    /// What is in the directory of the instance.
    fn left(&self) -> Result<Vec<String>> {
        let entries = std::fs::read_dir(self.dir())?;
        entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
    }

    /// What it logged, and what it printed.
    fn logged(&self, kind: &str) -> Result<String> {
        let path = self.state.path().join(format!("log/operated/operated.{kind}"));
        Ok(std::fs::read_to_string(path)?)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let lock = self.dir().join("daemon.lock");
        if daemon_core::instance::is_daemon_alive(&lock)
            && let Some(pid) = self.pid().and_then(|pid| rustix::process::Pid::from_raw(pid.cast_signed()))
        {
            rustix::process::kill_process(pid, tests::Signal::KILL).ok();
        }
    }
}

/// Looks again and again until it is so.
#[track_caller]
fn until(mut is: impl FnMut() -> Result<bool>) -> Result {
    let deadline = Instant::now() + SOON;
    while !is()? {
        assert!(Instant::now() < deadline, "it never came about");
    }
    Ok(())
}

fn done(mut running: Running) -> Result<Done> {
    let code = running.wait(SOON)?.code();
    Ok(Done { code, out: running.text(Source::Stdout), err: running.text(Source::Stderr) })
}

impl Done {
    #[track_caller]
    fn expect(&self, code: i32) -> &Self {
        assert_eq!(self.code, Some(code), "{self:#?}");
        self
    }

    /// Expects that it says this to whoever sits there.
    #[track_caller]
    fn says(&self, text: &str) -> &Self {
        assert!(self.err.contains(text), "no {text:?}: {self:#?}");
        self
    }

    fn json(&self) -> Result<Value> {
        assert_eq!(self.out.lines().count(), 1, "{self:#?}");
        Ok(serde_json::from_str(&self.out)?)
    }
}
