//! How many requests there were, and what became of them.

use crate::Failure;
use daemon_core::{Context, Counter};

const CALLS: &str = "daemon_ipc_calls";
const CALLS_HELP: &str = "Requests of other processes, by what became of them.";
const ERRORS: &str = "daemon_ipc_errors";
const ERRORS_HELP: &str = "Requests of other processes that failed, by the code of the error.";

/// The counters of a server.
#[derive(Debug)]
pub(super) struct Counts {
    cx: Context,
    ok: Counter,
    failed: Counter,
    given_up: Counter,
}

/// A request under way. It was given up, by its sender or for its time, if it is dropped before it has ended.
#[derive(Debug)]
pub(super) struct Counted<'c> {
    counts: &'c Counts,
    ended: bool,
}

impl Counts {
    pub(super) fn of(cx: &Context) -> Self {
        let calls = |outcome| cx.counter(CALLS, CALLS_HELP, &[("outcome", outcome)]);
        Self { cx: cx.clone(), ok: calls("ok"), failed: calls("failed"), given_up: calls("given_up") }
    }

    pub(super) fn begin(&self) -> Counted<'_> {
        Counted { counts: self, ended: false }
    }
}

impl Counted<'_> {
    /// It was answered, with a failure if there was one. Those without a code are counted as `none`.
    pub(super) fn end(mut self, failure: Option<&Failure>) {
        self.ended = true;
        match failure {
            None => self.counts.ok.add(1),
            Some(failure) => {
                self.counts.failed.add(1);
                let code = failure.code.as_deref().unwrap_or("none");
                self.counts.cx.counter(ERRORS, ERRORS_HELP, &[("code", code)]).add(1);
            }
        }
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        if !self.ended {
            self.counts.given_up.add(1);
        }
    }
}
