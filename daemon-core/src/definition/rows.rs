//! The rows of a definition that are neither events, commands nor checks.

use std::fmt;
use std::time::Duration;

use crate::BoxFuture;
use crate::context::Context;
use crate::declaration::Dependency;
use crate::error::Result;
use crate::policy::{Restart, RestartPolicy};
use crate::schedule::{Period, Schedule};

/// How a row calls into its daemon: a function, so that a definition stays data.
///
/// A closure that captures nothing will do: `|daemon, cx| Box::pin(async move { daemon.sweep(cx).await })`.
pub type RowCall<D> = for<'a> fn(&'a D, &'a Context) -> BoxFuture<'a, Result<()>>;

/// A method called again and again, as its [`Schedule`] says.
pub struct Interval<D> {
    pub(crate) name: &'static str,
    pub(crate) schedule: Schedule,
    /// Where its period comes from, at each start.
    pub(crate) from: Option<fn(&D) -> Period>,
    pub(crate) skip_if: Option<fn(&D) -> bool>,
    pub(crate) call: RowCall<D>,
}

impl<D> Interval<D> {
    /// Calls `call` as `schedule` says: every so often, if it is a [`Duration`].
    #[must_use]
    pub fn new(name: &'static str, schedule: impl Into<Schedule>, call: RowCall<D>) -> Self {
        Self { name, schedule: schedule.into(), from: None, skip_if: None, call }
    }

    /// Takes the period from the daemon itself, asked at each start after `initialize`: from its configuration, say. It
    /// takes the place of the schedule's own.
    #[must_use]
    pub fn period_from(mut self, from: fn(&D) -> Period) -> Self {
        self.from = Some(from);
        self
    }

    /// Skips a tick, and counts it as skipped, if the daemon says so when it is about to begin. It should answer at once.
    #[must_use]
    pub fn skip_if(mut self, skip: fn(&D) -> bool) -> Self {
        self.skip_if = Some(skip);
        self
    }

    /// What keeps it from ever ticking, as far as that can be known before its daemon starts.
    pub(crate) fn fault(&self) -> Option<String> {
        self.schedule.check(self.name).err().map(|error| error.to_string())
    }
}

impl<D> Clone for Interval<D> {
    fn clone(&self) -> Self {
        Self { schedule: self.schedule.clone(), ..*self }
    }
}

impl<D> fmt::Debug for Interval<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Interval").field("name", &self.name).field("schedule", &self.schedule).finish_non_exhaustive()
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
    OnReady { name, of }
    Deferred { name, delay }
    Task { name, finite, restart }
}
