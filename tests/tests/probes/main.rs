//! Programs of others that watch over daemons: HAProxy, monit, Prometheus, an OpenTelemetry collector, and the journal of systemd, each
//! the real one, with a real daemon.
//!
//! Where one is not installed its test says NOT RUN; `make probes` installs them all, and fails if one is missing.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "in a test a panic is the report, also in what tests share")]

mod collector;
mod haproxy;
mod journal;
mod monit;
mod prometheus;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tests::program::{Target, built};
use tests::{Program, Running, Signal, Source, TempDir};

/// More than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Whether a program is installed; says so if not.
fn is_there(program: &str) -> bool {
    let there = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok();
    if !there {
        tests::not_run(program, "it is not installed; see `make probes`");
    }
    there
}

/// Waits for something that is looked at again and again.
#[track_caller]
fn until<T>(what: &str, mut look: impl FnMut() -> Result<T, String>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match look() {
            Ok(there) => return there,
            Err(instead) => assert!(Instant::now() < deadline, "never {what}; instead {instead}"),
        }
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

/// A port of this machine that was free just now.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// The status and the body of an answer; `None` if there is none.
fn get(port: u16, path: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
}

/// Where files of one test are.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    fn write(&self, name: &str, text: &str) -> String {
        std::fs::write(self.path(name), text).unwrap();
        self.text(name)
    }
}

/// The example, which answers at a port.
fn visible(port: u16) -> Program {
    let program = Program::new(built("examples", Target::Example("09-visible")).unwrap());
    program.env("PORT", port.to_string()).env("JOURNAL_STREAM", "")
}

/// Waits until it says that it is ready.
fn until_ready(port: u16) {
    until("ready", || match get(port, "/readyz") {
        Some((200, _)) => Ok(()),
        other => Err(format!("{other:?}")),
    });
}

/// A figure of a daemon.
fn figure(port: u16, series: &str) -> Result<f64, String> {
    let (_, text) = get(port, "/metrics").ok_or("no answer")?;
    let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.and_then(|value| value.parse().ok()).ok_or_else(|| format!("no {series} in {text}"))
}

fn stop(mut running: Running) -> String {
    running.signal(Signal::TERM).unwrap();
    assert_eq!(running.wait(PATIENCE).unwrap().code(), Some(0), "{}", running.text(Source::Stderr));
    running.text(Source::Stderr)
}
