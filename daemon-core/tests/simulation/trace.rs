//! What was seen during a run, in order.

use std::fmt;
use std::sync::Mutex;
use std::time::Duration;

use tokio::time::Instant;

/// A moment in the life of a daemon's code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    Initialize,
    Initialized,
    Cleanup,
    CleanupGone,
    Work(&'static str),
    WorkGone(&'static str),
}

#[derive(Clone, Debug)]
pub(crate) enum Line {
    Note(String),
    Node { node: usize, life: u32, moment: Moment },
}

#[derive(Debug, Default)]
pub(crate) struct Trace(Mutex<Vec<(Instant, Line)>>);

impl Trace {
    pub(crate) fn note(&self, text: &str) {
        self.push(Line::Note(text.to_owned()));
    }

    pub(crate) fn moment(&self, node: usize, life: u32, moment: Moment) {
        self.push(Line::Node { node, life, moment });
    }

    fn push(&self, line: Line) {
        self.0.lock().unwrap().push((Instant::now(), line));
    }

    pub(crate) fn lines(&self) -> Vec<(Instant, Line)> {
        self.0.lock().unwrap().clone()
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = self.lines();
        let start = lines.first().map(|(at, _)| *at);
        for (at, line) in &lines {
            let after: Duration = start.map_or(Duration::ZERO, |start| *at - start);
            match line {
                Line::Note(text) => writeln!(f, "{after:>12.3?}  {text}")?,
                Line::Node { node, life, moment } => writeln!(f, "{after:>12.3?}  n{node} life {life} {moment:?}")?,
            }
        }
        Ok(())
    }
}
