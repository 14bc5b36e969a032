//! The rows of a definition that are neither events nor commands.

use std::fmt;
use std::time::Duration;

use daemon_grammar::Percent;

use crate::BoxFuture;
use crate::context::Context;
use crate::declaration::Dependency;
use crate::error::Result;
use crate::policy::{OnError, Restart, RestartPolicy};
use crate::status::CheckKind;

/// How a row calls into its daemon: a function, so that a definition stays data.
///
/// A closure that captures nothing will do: `|daemon, cx| Box::pin(async move { daemon.sweep(cx).await })`.
pub type RowCall<D> = for<'a> fn(&'a D, &'a Context) -> BoxFuture<'a, Result<()>>;

/// A method called at every multiple of a period. Ticks never overlap; those missed are counted and skipped.
pub struct Interval<D> {
    pub(crate) name: &'static str,
    pub(crate) period: Duration,
    pub(crate) immediately: bool,
    pub(crate) jitter: Option<Percent>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) on_error: OnError,
    pub(crate) call: RowCall<D>,
}

impl<D> Interval<D> {
    /// Calls `call` every `period`; the first time after one period.
    #[must_use]
    pub const fn new(name: &'static str, period: Duration, call: RowCall<D>) -> Self {
        Self { name, period, immediately: false, jitter: None, timeout: None, on_error: OnError::Log, call }
    }

    /// Makes the first tick come at once.
    #[must_use]
    pub const fn immediately(mut self) -> Self {
        self.immediately = true;
        self
    }

    /// Delays each tick by a random share of the period, up to `jitter`.
    #[must_use]
    pub const fn jitter(mut self, jitter: Percent) -> Self {
        self.jitter = Some(jitter);
        self
    }

    /// Sets what a failed tick leads to, besides being logged and counted \[nothing\].
    #[must_use]
    pub const fn on_error(mut self, on_error: OnError) -> Self {
        self.on_error = on_error;
        self
    }

    /// Gives a tick up, as failed, once it has run for `timeout`.
    #[must_use]
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }
}

/// A method called once for each pair of lives of this daemon and of another that became ready.
pub struct OnReady<D> {
    pub(crate) name: &'static str,
    pub(crate) of: Dependency,
    pub(crate) call: RowCall<D>,
}

impl<D> OnReady<D> {
    /// Calls `call` when `of` is ready, however long it has been.
    #[must_use]
    pub const fn new(name: &'static str, of: Dependency, call: RowCall<D>) -> Self {
        Self { name, of, call }
    }
}

/// A method called once, some time after its daemon is ready.
pub struct Deferred<D> {
    pub(crate) name: &'static str,
    pub(crate) delay: Duration,
    pub(crate) call: RowCall<D>,
}

impl<D> Deferred<D> {
    /// Calls `call` once, `delay` after the daemon is ready.
    #[must_use]
    pub const fn new(name: &'static str, delay: Duration, call: RowCall<D>) -> Self {
        Self { name, delay, call }
    }
}

/// A long-running method, cancelled through [`Context::cancelled`] at stop.
pub struct Task<D> {
    pub(crate) name: &'static str,
    pub(crate) finite: bool,
    pub(crate) restart: RestartPolicy,
    pub(crate) call: RowCall<D>,
}

impl<D> Task<D> {
    /// Runs `call` from the moment the daemon is ready.
    #[must_use]
    pub const fn new(name: &'static str, call: RowCall<D>) -> Self {
        Self { name, finite: false, restart: RestartPolicy::new(Restart::OnFailure), call }
    }

    /// Sets when the task is run again after it ended \[on failure\].
    #[must_use]
    pub const fn restart(mut self, policy: RestartPolicy) -> Self {
        self.restart = policy;
        self
    }

    /// Says that the task may end by itself; otherwise an early end is warned about.
    #[must_use]
    pub const fn finite(mut self) -> Self {
        self.finite = true;
        self
    }
}

/// A health check.
pub struct Check<D> {
    pub(crate) name: &'static str,
    pub(crate) kind: CheckKind,
    pub(crate) timeout: Duration,
    pub(crate) call: RowCall<D>,
}

impl<D> Check<D> {
    /// How long a check may take unless it says otherwise.
    pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(3);

    /// A check that passes when `call` returns `Ok` within [3 s].
    #[must_use]
    pub const fn new(name: &'static str, kind: CheckKind, call: RowCall<D>) -> Self {
        Self { name, kind, timeout: Self::DEFAULT_TIMEOUT, call }
    }

    /// Sets how long the check may take.
    #[must_use]
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }
}

macro_rules! debug_and_clone {
    ($($row:ident { $($field:ident),+ })+) => {$(
        impl<D> Clone for $row<D> {
            fn clone(&self) -> Self {
                *self
            }
        }
        impl<D> Copy for $row<D> {}
        impl<D> fmt::Debug for $row<D> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($row))$(.field(stringify!($field), &self.$field))+.finish()
            }
        }
    )+};
}
debug_and_clone! {
    Interval { name, period, immediately, jitter, timeout, on_error }
    OnReady { name, of }
    Deferred { name, delay }
    Task { name, finite, restart }
    Check { name, kind, timeout }
}
