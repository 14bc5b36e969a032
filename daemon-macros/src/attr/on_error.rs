//! `on_error = log`, of event handlers and intervals.

use crate::attr::args::Args;

/// What a failed call leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OnError {
    Log,
    Restart,
    Fail,
}

/// Reads `on_error = ..`; nothing if it is not there, or after a fault.
pub(crate) fn parse(args: &mut Args<'_>) -> Option<OnError> {
    args.misplaced(&["restart"], "is for daemons and tasks; write `on_error = restart`");
    Some(match args.word("on_error", &["log", "restart", "fail"], &[])? {
        "restart" => OnError::Restart,
        "fail" => OnError::Fail,
        _ => OnError::Log,
    })
}
