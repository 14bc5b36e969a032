//! Where answers are written: tables for people, JSON for scripts.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};

use serde::Serialize;

use crate::error::Error;
use crate::table::{Table, Tone};

/// How wide a page is where there is no terminal to ask.
const PAGE: usize = 80;

/// What is written to standard output.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Out {
    pub(crate) json: bool,
    pub(crate) colour: bool,
    /// How many columns the terminal has; `None` if it is none.
    terminal: Option<usize>,
}

impl Out {
    /// As standard output is.
    pub(crate) fn new(json: bool) -> Self {
        let terminal = io::stdout().is_terminal().then(|| columns().unwrap_or(PAGE));
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let refused = std::env::var_os("NO_COLOR").is_some_and(|no| !no.is_empty());
        Self { json, colour: terminal.is_some() && !dumb && !refused, terminal }
    }

    /// For how many columns text is wrapped.
    pub(crate) fn width(&self) -> usize {
        self.terminal.unwrap_or(PAGE)
    }

    /// How many columns a line may have; `None` if it may have any number.
    pub(crate) fn longest_line(&self) -> Option<usize> {
        self.terminal
    }

    /// An answer: as JSON exactly that, for people what `text` makes of it.
    pub(crate) fn answer<T: Serialize>(&self, answer: &T, text: impl FnOnce() -> String) -> Result<(), Error> {
        match self.json {
            true => self.json(answer),
            false => self.text(&text()),
        }
    }

    /// A value as JSON, on a line of its own.
    pub(crate) fn json<T: Serialize>(&self, value: &T) -> Result<(), Error> {
        let json = serde_json::to_string(value)
            .map_err(|error| Error::failed(format!("cannot be written as JSON: {error}")))?;
        self.text(&(json + "\n"))
    }

    /// Text as it is.
    pub(crate) fn text(&self, text: &str) -> Result<(), Error> {
        write_out(text.as_bytes()).map_err(|error| Error::unwritten(&error))
    }

    pub(crate) fn table(&self, table: &Table) -> String {
        table.text(self.width(), self.colour)
    }

    pub(crate) fn paint(&self, tone: Tone, text: &str) -> String {
        tone.paint(text, self.colour)
    }
}

fn write_out(bytes: &[u8]) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(bytes)?;
    stdout.flush()
}

/// Says something to whoever sits there, beside the answer; where that cannot be written nobody is there.
pub(crate) fn say(text: impl Display) {
    let mut stderr = io::stderr().lock();
    drop(writeln!(stderr, "{text}").and_then(|()| stderr.flush()));
}

#[cfg(unix)]
fn columns() -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(io::stdout()).ok()?;
    Some(usize::from(size.ws_col)).filter(|columns| *columns > 0)
}

#[cfg(not(unix))]
fn columns() -> Option<usize> {
    None
}
