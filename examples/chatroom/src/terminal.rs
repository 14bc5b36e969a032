//! Standard error, shared by the log and the status line: the line is taken away before a log line and drawn again below.
//!
//! A terminal that cannot be written to costs its lines and nothing else.

use std::io::{self, IsTerminal, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};

const CLEAR: &[u8] = b"\r\x1b[K";
/// Around the status line, so that one wider than the terminal is cut off and not continued below, where it would stay.
const NO_WRAP: &[u8] = b"\x1b[?7l";
const WRAP: &[u8] = b"\x1b[?7h";

/// The status line as it stands on the terminal; empty if there is none.
static STATUS: Mutex<String> = Mutex::new(String::new());

/// Whether a person looks at standard error.
pub(crate) fn is_terminal() -> bool {
    io::stderr().is_terminal()
}

/// Draws the status line anew; an empty one takes it away.
pub(crate) fn set_status(line: String) {
    let mut status = status();
    if *status != line {
        *status = line;
        write(&[CLEAR, NO_WRAP, status.as_bytes(), WRAP]);
    }
}

/// Writes a line of the log, above the status line if there is one.
pub(crate) fn write_line(line: &str) {
    let status = status();
    if status.is_empty() {
        write(&[line.as_bytes()]);
    } else {
        write(&[CLEAR, line.as_bytes(), NO_WRAP, status.as_bytes(), WRAP]);
    }
}

fn status() -> MutexGuard<'static, String> {
    STATUS.lock().unwrap_or_else(PoisonError::into_inner)
}

fn write(parts: &[&[u8]]) {
    // There is no place left to complain about standard error.
    io::stderr().lock().write_all(&parts.concat()).ok();
}
