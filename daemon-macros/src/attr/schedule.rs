//! The options that all intervals have, whatever tells their times: `name = "..", overlap = skip, missed = skip, jitter = "10%",
//! timeout = "20s", immediately, skip_if = Self::is_busy, on_error = log`.

use crate::attr::args::Args;
use crate::attr::on_error::{self, OnError};
use crate::attr::time;
use daemon_grammar::Percent;
use std::time::Duration;
use syn::{ExprPath, LitInt, LitStr};

/// What becomes of a tick that is due while another runs; `None` where the default bound will do.
#[derive(Clone)]
pub(crate) enum Overlap {
    Skip,
    Queue(Option<LitInt>),
    Concurrent(Option<LitInt>),
}

/// What becomes of ticks that nothing could run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Missed {
    Skip,
    CatchUpOnce,
    Burst,
}

/// What the options say.
#[derive(Clone)]
pub(crate) struct Options {
    pub(crate) name: Option<LitStr>,
    pub(crate) overlap: Option<Overlap>,
    pub(crate) missed: Option<Missed>,
    pub(crate) jitter: Option<Percent>,
    pub(crate) timeout: Option<(Duration, LitStr)>,
    pub(crate) immediately: bool,
    pub(crate) skip_if: Option<ExprPath>,
    pub(crate) on_error: Option<OnError>,
}

impl Options {
    /// Whether ticks may run side by side.
    pub(crate) fn may_overlap(&self) -> bool {
        matches!(self.overlap, Some(Overlap::Concurrent(_)))
    }
}

/// Takes the options out of the arguments.
pub(crate) fn parse(args: &mut Args<'_>) -> Options {
    Options {
        name: args.name("state-reconciliation"),
        jitter: args.text("jitter", "10%", str::parse),
        timeout: time::timeout(args, "timeout", "20s"),
        immediately: args.flag("immediately"),
        skip_if: args.path("skip_if", "Self::is_busy"),
        on_error: on_error::parse(args),
        overlap: overlap(args),
        missed: missed(args),
    }
}

fn overlap(args: &mut Args<'_>) -> Option<Overlap> {
    let least = |word: &str| match word {
        "queue" => Some(1),
        "concurrent" => Some(2), // one at a time is no overlap
        _ => None,
    };
    Some(match args.bounded("overlap", &["skip", "queue", "concurrent"], least)? {
        ("queue", bound) => Overlap::Queue(bound),
        ("concurrent", bound) => Overlap::Concurrent(bound),
        _ => Overlap::Skip,
    })
}

fn missed(args: &mut Args<'_>) -> Option<Missed> {
    Some(match args.word("missed", &["skip", "catch_up_once", "burst"], &[])? {
        "catch_up_once" => Missed::CatchUpOnce,
        "burst" => Missed::Burst,
        _ => Missed::Skip,
    })
}
