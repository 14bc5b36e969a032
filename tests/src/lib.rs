//! Support for tests that drive real processes of this workspace.
//!
//! [`program::built`] finds a binary or an example, [`Program`] starts it, [`Running`] is what it then is: its lines, its signals,
//! its end. Nothing outlives the test: dropping a [`Running`] kills the process, dropping a [`TempDir`] removes the directory.
//!
//! ```no_run
//! use std::time::Duration;
//! use tests::{Program, Signal, Source, program::{Target, built}};
//!
//! let chatroom = Program::new(built("chatroom", Target::Bin("chatroom"))?).args(["--watch", "."]);
//! let mut running = chatroom.start()?;
//! running.wait_for_line(Source::Stdout, Duration::from_secs(10), |line| line.contains("running"))?;
//! running.write(b"general: hello\n")?;
//! running.signal(Signal::TERM)?;
//! assert_eq!(running.wait(Duration::from_secs(30))?.code(), Some(0));
//! # Ok::<(), tests::ProcessError>(())
//! ```

#![cfg(unix)]
#![forbid(unsafe_code)]

#[cfg(any(doctest, test))]
mod documents;
mod lines;
mod process;
pub mod program;

pub use process::{ProcessError, Program, Running, Source};
pub use rustix::process::Signal;
pub use tempfile::TempDir;

/// Says on the terminal, past the capture of the test, that something could not be tried here.
///
/// # Panics
/// If `NOTHING_MISSING` is set, which says that everything can be tried here: then it is a failure.
pub fn not_run(what: &str, why: &str) {
    use std::io::Write;
    assert!(std::env::var_os("NOTHING_MISSING").is_none(), "{what}: {why}, and nothing may be missing");
    let _ = writeln!(std::io::stderr().lock(), "NOT RUN: {what}: {why}"); // then nobody reads it
}
