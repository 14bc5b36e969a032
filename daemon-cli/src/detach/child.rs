//! The process in the background: it leaves the terminal, and keeps the pipe to whoever started it.

use std::fs::File;
use std::io::{self, Write};

use daemon_core::Settled;

use super::message::Message;
use super::sys;
use crate::error::Error;

/// The pipe to whoever waits. Dropping it without a word tells that nothing came of it.
#[derive(Debug)]
pub(crate) struct Ready(Option<File>);

/// Leaves the terminal and its session, and has what is printed go where errors go: the file that whoever started this gave it.
pub(crate) fn detach() -> Result<Ready, Error> {
    let failed = |what: &str, error: io::Error| Error::failed(format!("cannot {what}: {error}"));
    io::stdout().flush().map_err(|error| failed("write", error))?;
    let pipe = sys::take_stdout().map_err(|error| failed("keep the pipe", error))?;
    sys::leave_terminal().map_err(|error| failed("leave the terminal", error))?;
    Ok(Ready(Some(pipe)))
}

impl Ready {
    /// Says what the start came to. Once said, nobody waits any more.
    pub(crate) fn tell(&mut self, settled: &Settled) {
        if let Some(mut pipe) = self.0.take() {
            let line = Message { settled: settled.clone() }.line();
            drop(pipe.write_all(line.as_bytes())); // nobody waits any more
        }
    }

    /// Says that there is nothing to start.
    pub(crate) fn refuse(&mut self, why: &str) {
        self.tell(&Settled::refused(why));
    }
}
