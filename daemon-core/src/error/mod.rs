//! The errors of the framework itself; a user's own errors travel as [`BoxError`].

mod daemon_error;
mod outcome;

pub use daemon_error::{DaemonError, DaemonErrorCode};
pub use outcome::IntoOutcome;

use std::convert::Infallible;
use std::error::Error as StdError;
use std::time::Duration;

/// Any error a user's code may return.
pub type BoxError = Box<dyn StdError + Send + Sync>;

/// The result of user code: any error will do.
pub type Result<T, E = BoxError> = std::result::Result<T, E>;

/// The text of an error and of what it comes from, as one line: what reports, logs and replies have of it.
///
/// ```
/// let error = std::io::Error::other(std::fmt::Error);
/// assert_eq!(daemon_core::with_sources(&error), error.to_string());
/// ```
#[must_use]
pub fn with_sources(error: &dyn StdError) -> String {
    let sources = std::iter::successors(error.source(), |&error| error.source());
    sources.fold(error.to_string(), |text, source| format!("{text}: {source}"))
}

/// What can go wrong when a daemon asks something of its host.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The daemon is being cleaned up, or is gone: nothing more can be registered or published.
    #[error("daemon `{daemon}` is stopping")]
    Stopping {
        /// The daemon that asked.
        daemon: String,
    },
    /// No daemon of that name is in the host.
    #[error("no daemon named `{name}`; this host has: {known}")]
    UnknownDaemon {
        /// The name asked for.
        name: String,
        /// The names there are.
        known: String,
    },
    /// A daemon that was to run was told to stop meanwhile, by itself or with one that it requires.
    #[error("daemon `{daemon}` was told to stop before it ran")]
    Overruled {
        /// The daemon.
        daemon: String,
    },
    /// A name, topic or duration does not follow its grammar.
    #[error(transparent)]
    Grammar(#[from] daemon_grammar::GrammarError),
    /// A daemon that was to be started failed.
    #[error("daemon `{daemon}` failed: {reason}")]
    DaemonFailed {
        /// The daemon.
        daemon: String,
        /// Why it failed.
        reason: String,
    },
    /// The host has a daemon of that name already.
    #[error("this host has a daemon named `{name}` already; give the new one a name of its own")]
    NameTaken {
        /// The name.
        name: String,
    },
    /// A daemon cannot be added as it is.
    #[error("daemon `{daemon}` cannot be added: {fault}")]
    Refused {
        /// The daemon.
        daemon: String,
        /// What is wrong with it.
        fault: String,
    },
    /// The host's configuration is not of that type.
    #[error("there is no configuration of type `{wanted}`: what `Host::configuration` was given is {given}")]
    NoConfiguration {
        /// The type asked for.
        wanted: &'static str,
        /// The type of what there is.
        given: &'static str,
    },
    /// A reload was asked for from inside one.
    #[error("a reload is under way, and this is part of it")]
    Reloading,
    /// A period of zero was given.
    #[error("interval `{name}` has a period of zero; give it a positive one")]
    ZeroPeriod {
        /// The interval.
        name: String,
    },
    /// The timeout of an interval is zero, or not below the period of one whose ticks may not overlap.
    #[error(
        "interval `{name}` has a timeout of {timeout:?} and a period of {period:?}, so ticks could overlap; give it a timeout \
         above zero and below the period"
    )]
    Timeout {
        /// The interval.
        name: String,
        /// Its timeout.
        timeout: Duration,
        /// Its period.
        period: Duration,
    },
    /// The daemon has no interval of that name.
    #[error("daemon `{daemon}` has no interval named `{name}`; {}", there_are(known))]
    UnknownInterval {
        /// The daemon.
        daemon: String,
        /// The name asked for.
        name: String,
        /// The names there are.
        known: String,
    },
    /// The daemon has no health check of that name.
    #[error("daemon `{daemon}` has no health check named `{name}`; {}", there_are(known))]
    UnknownCheck {
        /// The daemon.
        daemon: String,
        /// The name asked for.
        name: String,
        /// The names there are.
        known: String,
    },
    /// The daemon does not run.
    #[error("daemon `{daemon}` is {state}")]
    NotRunning {
        /// The daemon.
        daemon: String,
        /// Its state.
        state: String,
    },
}

fn there_are(known: &str) -> String {
    if known.is_empty() { "it has none".to_owned() } else { format!("it has: {known}") }
}

/// What cannot fail has no error.
impl From<Infallible> for Error {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

impl Error {
    /// Whether the daemon's life is over.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        matches!(self, Self::Stopping { .. })
    }
}
