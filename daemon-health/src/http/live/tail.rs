//! The latest of what goes by: events and log lines, each with its number, so that a viewer is sent what it has not seen.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use serde::Serialize;

use crate::millis;

/// The latest things of one kind, up to a number of them.
#[derive(Debug)]
pub(super) struct Tail {
    capacity: usize,
    /// The number of the first that is kept.
    first: u64,
    kept: VecDeque<Arc<str>>,
}

impl Tail {
    pub(super) fn new(capacity: usize) -> Self {
        Self { capacity, first: 0, kept: VecDeque::new() }
    }

    /// Adds one, written as JSON.
    pub(super) fn push(&mut self, json: String) {
        if self.kept.len() == self.capacity {
            self.kept.pop_front();
            self.first += 1;
        }
        self.kept.push_back(json.into());
    }

    /// The number of the next.
    pub(super) fn next(&self) -> u64 {
        self.first + self.kept.len() as u64
    }

    /// Those from number `from` on that are still kept, as a JSON array; `None` if there is none.
    pub(super) fn since(&self, from: u64) -> Option<String> {
        if from >= self.next() {
            return None;
        }
        let skipped = usize::try_from(from.saturating_sub(self.first)).unwrap_or(usize::MAX);
        let items: Vec<&str> = self.kept.iter().skip(skipped).map(|item| &**item).collect();
        Some(format!("[{}]", items.join(",")))
    }
}

/// One line of a log.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct LogLine {
    /// When, in milliseconds after 1970.
    pub at: u64,
    /// How important it is, such as `WARN`.
    pub level: String,
    /// The daemon that speaks; empty if none does.
    pub daemon: String,
    /// What it says.
    pub message: String,
}

impl LogLine {
    /// A line that is said now.
    #[must_use]
    pub fn now(level: impl Into<String>, daemon: impl Into<String>, message: impl Into<String>) -> Self {
        let at = millis::after_1970(SystemTime::now());
        Self { at, level: level.into(), daemon: daemon.into(), message: message.into() }
    }
}

/// The latest lines of a program's log, for the status page. A program gives its own log a clone, which pushes each line, and the
/// endpoint another.
///
/// It keeps the latest 200 lines, and of each the first 2,000 bytes.
///
/// ```
/// use daemon_health::http::{HttpEndpoint, LogLine, LogTail};
///
/// let tail = LogTail::new();
/// tail.push(LogLine::now("INFO", "user", "14 personas listen"));
/// let endpoint = HttpEndpoint::on(([127, 0, 0, 1], 9100)).log_tail(tail.clone());
/// ```
#[derive(Clone, Debug)]
pub struct LogTail(Arc<Mutex<Tail>>);

impl LogTail {
    const LINES: usize = 200;
    const BYTES: usize = 2_000;

    /// One without lines.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(Mutex::new(Tail::new(Self::LINES))))
    }

    /// Adds a line.
    pub fn push(&self, mut line: LogLine) {
        clip(&mut line.message, Self::BYTES);
        if let Ok(json) = serde_json::to_string(&line) {
            self.tail().push(json);
        }
    }

    pub(super) fn tail(&self) -> MutexGuard<'_, Tail> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for LogTail {
    fn default() -> Self {
        Self::new()
    }
}

/// Cuts a text to so many bytes or a little less, and says so.
pub(super) fn clip(text: &mut String, bytes: usize) {
    if text.len() > bytes {
        text.truncate((0..=bytes).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0));
        text.push('…');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_viewer_gets_what_it_has_not_seen_and_what_is_still_there() {
        let mut tail = Tail::new(3);
        assert_eq!((tail.since(0), tail.next()), (None, 0));
        (0..5).for_each(|number| tail.push(number.to_string()));
        assert_eq!(tail.next(), 5);
        assert_eq!(tail.since(0).as_deref(), Some("[2,3,4]"), "two are gone");
        assert_eq!(tail.since(4).as_deref(), Some("[4]"));
        assert_eq!(tail.since(5), None);
        assert_eq!(tail.since(u64::MAX), None);
    }

    #[test]
    fn a_long_line_is_cut_between_letters() {
        let mut text = "ä".repeat(10);
        clip(&mut text, 5);
        assert_eq!(text, "ää…");
        clip(&mut text, 100);
        assert_eq!(text, "ää…");
    }
}
