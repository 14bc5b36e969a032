//! One instance, as several processes see it: races, kills at every step, forks, full disks.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test states what it expects")]

mod fork;
mod full_disk;
mod race;
mod steps;

use std::fs::File;
use std::io::{BufRead, BufReader, PipeReader, PipeWriter, Write, pipe};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::time::Duration;

use tests::TempDir;

type Result<T = (), E = Box<dyn std::error::Error>> = std::result::Result<T, E>;

/// A bound for what should happen soon, on a busy machine.
const SOON: Duration = Duration::from_secs(30);
const CONTENDER: &str = env!("CARGO_BIN_EXE_contender");

/// A lock to contend for, and the witness beside it.
struct Arena {
    dir: TempDir,
    lock: PathBuf,
    witness: PathBuf,
}

impl Arena {
    fn new() -> Result<Self> {
        let dir = TempDir::new()?;
        Ok(Self { lock: dir.path().join("daemon.lock"), witness: dir.path().join("witness"), dir })
    }

    /// Some contenders, who wait for the gate to open.
    fn enter(&self, number: usize, more: &[&str]) -> Result<(Gate, Vec<Contender>)> {
        let (at, gate) = pipe()?;
        let contenders = (0..number).map(|_| Contender::start(&self.lock, &self.witness, more, at.try_clone()?));
        Ok((Gate { pipe: gate, number }, contenders.collect::<Result<_>>()?))
    }

    /// A single one, past the gate; it goes on for as long as it holds the first of these.
    fn enter_one(&self, more: &[&str]) -> Result<(Gate, Contender)> {
        let (mut gate, mut contenders) = self.enter(1, more)?;
        gate.open()?;
        Ok((gate, contenders.remove(0)))
    }

    /// Starts one, expects it to have the lock, and ends it well. Nothing is left then.
    #[track_caller]
    fn starts(&self) {
        let (gate, mut one) = self.enter_one(&[]).unwrap();
        assert_eq!(one.says(), format!("held by {}", one.pid()));
        drop(gate);
        assert!(one.end().success());
        assert_eq!(self.left(), ["witness"]);
    }

    /// What is in the directory.
    fn left(&self) -> Vec<String> {
        let names = std::fs::read_dir(self.dir.path()).unwrap();
        let mut names: Vec<_> = names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

/// What contenders wait at, all of them at the same one.
struct Gate {
    pipe: PipeWriter,
    number: usize,
}

impl Gate {
    /// Lets all of them go at once: one byte for each.
    fn open(&mut self) -> Result {
        Ok(self.pipe.write_all(&vec![b'.'; self.number])?)
    }
}

struct Contender {
    child: Child,
    out: BufReader<PipeReader>,
}

impl Contender {
    fn start(lock: &Path, witness: &Path, more: &[&str], stdin: PipeReader) -> Result<Self> {
        let (out, stdout) = pipe()?;
        let mut command = Command::new(CONTENDER);
        let child = command.args([lock, witness]).args(more).stdin(stdin).stdout(stdout).spawn()?;
        Ok(Self { child, out: BufReader::new(out) })
    }

    fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The next line; nothing if it ended without one.
    fn says(&mut self) -> String {
        let mut line = String::new();
        self.out.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    fn end(&mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }

    /// Kills it, and waits until it is dead.
    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.end();
    }
}

impl Drop for Contender {
    fn drop(&mut self) {
        // Both fail only if it is gone, which is what is wanted.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Writes a file with this in it.
fn write(path: &Path, content: &str) -> Result {
    Ok(File::create(path)?.write_all(content.as_bytes())?)
}
