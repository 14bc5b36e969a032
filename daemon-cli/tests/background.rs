//! A program in the background, on every system: started, asked and stopped by processes that come and go.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

use tempfile::TempDir;

/// Far longer than anything takes here.
const LONG: Duration = Duration::from_secs(120);

type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Where an instance has its files, with nobody else in them. A pipe of Windows has no directory, so that there is one at a time.
struct Place {
    dir: TempDir,
    _alone: MutexGuard<'static, ()>,
}

/// What a command said.
#[derive(Debug)]
struct Said {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Place {
    fn new() -> Result<Self> {
        static ALONE: Mutex<()> = Mutex::new(());
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(Self { dir: TempDir::new()?, _alone: alone })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// What a command says until nobody has its output any more: the program that it leaves behind must not have it.
    fn run(&self, args: &[&str]) -> Result<Said> {
        self.run_with(&self.path("beats"), args)
    }

    fn run_with(&self, beats: &Path, args: &[&str]) -> Result<Said> {
        let mut command = Command::new(program()?);
        command.args(args).env("HEARTBEAT_FILE", beats).stdin(Stdio::null());
        for name in ["XDG_RUNTIME_DIR", "XDG_STATE_HOME", "HOME", "TEMP", "TMP", "LOCALAPPDATA"] {
            command.env(name, self.dir.path());
        }
        for name in ["RUNTIME_DIRECTORY", "STATE_DIRECTORY", "LOGS_DIRECTORY", "RUST_LOG"] {
            command.env_remove(name);
        }
        let (sender, said) = mpsc::channel();
        thread::spawn(move || sender.send(command.output()));
        let Output { status, stdout, stderr } = said.recv_timeout(LONG)??;
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Ok(Said { code: status.code(), out: text(stdout), err: text(stderr) })
    }

    /// Where a file of this name is, in whatever directory this system has for it.
    fn find(&self, name: &str) -> Result<PathBuf> {
        let mut left = vec![self.dir.path().to_owned()];
        while let Some(dir) = left.pop() {
            for entry in dir.read_dir()? {
                let path = entry?.path();
                if path.is_dir() {
                    left.push(path);
                } else if path.ends_with(name) {
                    return Ok(path);
                }
            }
        }
        Err(format!("there is no {name}").into())
    }
}

/// Whatever became of a test, nothing is left running.
impl Drop for Place {
    fn drop(&mut self) {
        drop(self.run(&["stop"]));
    }
}

/// The example, which is built with all tests, but not with this one alone.
fn program() -> Result<PathBuf> {
    let test = std::env::current_exe()?;
    let built = test.parent().and_then(Path::parent).ok_or("a test is in a directory of its own")?;
    let program = built.join("examples").join("heartbeat").with_extension(std::env::consts::EXE_EXTENSION);
    if program.exists() { Ok(program) } else { Err("not built: cargo build -p daemon-cli --example heartbeat".into()) }
}

#[test]
fn it_is_started_asked_and_stopped() -> Result {
    let place = Place::new()?;
    let started = place.run(&["start"])?;
    assert!(started.code == Some(0) && started.out.starts_with("heartbeat runs: PID "), "{started:?}");
    let pid = started.out.split(' ').nth(3).and_then(|pid| pid.strip_suffix(',')).ok_or("it names its process")?;

    let status = place.run(&["status", "--json"])?;
    assert!(status.code == Some(0) && status.out.contains(&format!("\"pid\":{pid}")), "{status:?}");
    let again = place.run(&["start"])?;
    assert_eq!((again.code, again.out), (Some(0), format!("heartbeat runs already with PID {pid}\n")));
    assert_eq!(place.run(&["wait", "--ready"])?.out, "heartbeat is ready\n");

    let restarted = place.run(&["restart", "--json"])?;
    assert!(restarted.code == Some(0) && restarted.out.contains("\"started\":true"), "{restarted:?}");
    assert!(!restarted.out.contains(&format!("\"pid\":{pid},")), "{restarted:?}");

    let stopped = place.run(&["stop"])?;
    assert!(stopped.code == Some(0) && stopped.out.starts_with("heartbeat has stopped"), "{stopped:?}");
    assert_eq!(place.run(&["status"])?.code, Some(3));
    assert!(std::fs::read_to_string(place.path("beats"))?.starts_with("beat\nbeat\n"), "one at least in each life");
    assert!(std::fs::read_to_string(place.find("heartbeat.log")?)?.contains("beats"));
    // What is printed goes there once nobody waits: the receipts of both lives.
    let printed = std::fs::read_to_string(place.find("heartbeat.out")?)?;
    assert_eq!(printed.matches("heartbeat started: ").count(), 2, "{printed}");
    Ok(())
}

#[test]
fn a_start_that_fails_says_why_and_leaves_nothing_running() -> Result {
    let place = Place::new()?;
    let directory = place.path("beats");
    std::fs::create_dir(&directory)?;
    let failed = place.run_with(&directory, &["start"])?;
    assert_eq!(failed.code, Some(1), "{failed:?}");
    assert!(failed.err.starts_with("heartbeat did not start: ") && failed.err.contains("os error"), "{failed:?}");
    assert_eq!(place.run(&["status"])?.code, Some(3));
    Ok(())
}
