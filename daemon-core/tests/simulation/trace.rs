//! What was seen during a run, in order.

use std::fmt;
use std::sync::Mutex;
use std::time::Duration;

use daemon_core::ReloadOutcome;
use tokio::time::Instant;

/// How a piece of work ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Well,
    Error,
    Panic,
    /// It was dropped before it had ended.
    Cut,
}

/// A moment in the life of a daemon's code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    Initialize,
    Initialized,
    Cleanup,
    CleanupGone,
    Work(&'static str),
    WorkGone(&'static str, End),
    /// It blocks its thread from here on.
    Blocks(&'static str),
    Blocked(&'static str),
    Guard,
    GuardGone,
    /// Its factory is to make a value, and has.
    Makes,
    Made,
    ValueGone,
    /// It starts with that configuration.
    Configured(u64),
    /// It is asked about one, or given one, while it has one.
    Asked(Turn),
    /// Its answer; `stops`: which the end of its life cut short, if anything did.
    Answered {
        turn: Turn,
        end: End,
        stops: bool,
    },
}

/// A daemon's turn in a reload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    Check(u64),
    Take { has: u64, next: u64 },
}

#[derive(Clone, Debug)]
pub(crate) enum Line {
    Note(String),
    Node {
        node: usize,
        life: u32,
        moment: Moment,
        /// Whether the host says that it is ready.
        ready: bool,
    },
    /// The configuration of that number is being loaded.
    Load(u64),
    /// The next reload is over.
    Reloaded(ReloadOutcome),
    /// The shutdown handler of that number is called.
    Farewell(usize),
}

#[derive(Debug, Default)]
pub(crate) struct Trace(Mutex<Vec<(Instant, Line)>>);

impl Trace {
    pub(crate) fn note(&self, text: impl Into<String>) {
        self.push(Line::Note(text.into()));
    }

    /// Writes a line; returns its number.
    pub(crate) fn push(&self, line: Line) -> usize {
        let mut lines = self.0.lock().unwrap();
        lines.push((Instant::now(), line));
        lines.len() - 1
    }

    pub(crate) fn len(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    pub(crate) fn lines(&self) -> Vec<(Instant, Line)> {
        self.0.lock().unwrap().clone()
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = self.lines();
        let start = lines.first().map(|(at, _)| *at);
        for (number, (at, line)) in lines.iter().enumerate() {
            let after: Duration = start.map_or(Duration::ZERO, |start| *at - start);
            match line {
                Line::Note(text) => writeln!(f, "{number:>5} {after:>12.3?}  {text}")?,
                Line::Load(_) | Line::Reloaded(_) | Line::Farewell(_) => {
                    writeln!(f, "{number:>5} {after:>12.3?}  {line:?}")?
                }
                Line::Node { node, life, moment, ready } => {
                    let ready = if *ready { "+" } else { " " };
                    writeln!(f, "{number:>5} {after:>12.3?} {ready} n{node} life {life} {moment:?}")?;
                }
            }
        }
        Ok(())
    }
}
