//! What is said of an interval when it is declared or registered: plain data.

#[cfg(feature = "cron")]
use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use daemon_grammar::{GrammarError, Percent};

use super::pace::Pace;
use super::period::Period;
use super::policy::{Missed, Overlap};
use super::slot::Slot;
use crate::error::Error;
use crate::policy::OnError;

/// When an interval ticks, and what becomes of ticks that come in each other's way.
///
/// A [`Duration`], a [`Period`] and a text such as `"30s"` make one with the defaults.
///
/// ```
/// use daemon_core::{Missed, Overlap, Schedule};
/// use std::time::Duration;
///
/// let schedule = Schedule::every(Duration::from_secs(30))
///     .immediately()
///     .overlap(Overlap::Queue(1))
///     .missed(Missed::CatchUpOnce)
///     .timeout(Duration::from_secs(90));
/// ```
#[derive(Clone)]
#[must_use = "it does nothing until it is registered"]
pub struct Schedule {
    when: When,
    pub(crate) immediately: bool,
    jitter: Option<Percent>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) overlap: Overlap,
    missed: Missed,
    pub(crate) on_error: OnError,
    pub(crate) skip_if: Option<Arc<dyn Fn() -> bool + Send + Sync>>,
}

#[derive(Clone, Debug)]
enum When {
    Period(Period),
    #[cfg(feature = "cron")]
    Cron {
        expression: Cow<'static, str>,
        zone: Cow<'static, str>,
    },
}

impl Schedule {
    /// A tick at every multiple of a period, the first one after one period.
    pub fn every(period: impl Into<Period>) -> Self {
        Self::new(When::Period(period.into()))
    }

    /// A tick whenever a cron expression says so, such as `"0 3 * * *"`, by the clock on the wall in that time zone, such as
    /// `"Europe/Berlin"`; see [`Cron`](crate::time::Cron) for what it may be. The jitter is a share of the time to the tick
    /// after.
    ///
    /// Whether the expression and the zone are ones is found when it is registered, and by [`Host::check`](crate::Host::check).
    ///
    /// ```
    /// # use daemon_core::{Context, Result, Schedule};
    /// # fn initialize(cx: &Context) -> Result<()> {
    /// cx.register_interval("backup", Schedule::cron("30 2 * * SUN", "Europe/Berlin").immediately(), || async {})?;
    /// # Ok(())
    /// # }
    /// ```
    #[cfg(feature = "cron")]
    pub fn cron(expression: impl Into<Cow<'static, str>>, zone: impl Into<Cow<'static, str>>) -> Self {
        Self::new(When::Cron { expression: expression.into(), zone: zone.into() })
    }

    const fn new(when: When) -> Self {
        Self {
            when,
            immediately: false,
            jitter: None,
            timeout: None,
            overlap: Overlap::Skip,
            missed: Missed::Skip,
            on_error: OnError::Log,
            skip_if: None,
        }
    }

    /// Makes the first tick come at once.
    pub const fn immediately(mut self) -> Self {
        self.immediately = true;
        self
    }

    /// Delays each tick by a random share of the period, up to `jitter` \[none\].
    pub const fn jitter(mut self, jitter: Percent) -> Self {
        self.jitter = Some(jitter);
        self
    }

    /// Gives a tick up, as failed, once it has run for `timeout` \[never\]. Where ticks may not overlap it must be below the
    /// period, if there is one.
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Sets what becomes of a tick that is due while another runs \[skip\].
    pub const fn overlap(mut self, overlap: Overlap) -> Self {
        self.overlap = overlap;
        self
    }

    /// Sets what becomes of ticks that nothing could run, in a pause of the process or a suspend \[skip\].
    pub const fn missed(mut self, missed: Missed) -> Self {
        self.missed = missed;
        self
    }

    /// Sets what a failed tick leads to, besides being logged and counted \[nothing\].
    pub const fn on_error(mut self, on_error: OnError) -> Self {
        self.on_error = on_error;
        self
    }

    /// Skips a tick, and counts it as skipped, if `skip` says so when it is about to begin. It should answer at once.
    pub fn skip_if(mut self, skip: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        self.skip_if = Some(Arc::new(skip));
        self
    }

    /// Another period in the place of its own.
    pub(crate) fn with_period(mut self, period: Period) -> Self {
        self.when = When::Period(period);
        self
    }

    /// Whether an interval of that name can go by it.
    ///
    /// # Errors
    /// [`Error::ZeroPeriod`], [`Error::Timeout`], [`Error::Grammar`].
    pub(crate) fn check(&self, name: &str) -> Result<(), Error> {
        self.slot(name).map(drop)
    }

    /// What the interval is on a timetable.
    ///
    /// # Errors
    /// As [`check`](Self::check).
    pub(super) fn slot(&self, name: &str) -> Result<Slot, Error> {
        let pace = match &self.when {
            When::Period(period) => pace(*period, name, self.timeout, self.overlap)?,
            #[cfg(feature = "cron")]
            When::Cron { expression, zone } => {
                let cron = daemon_grammar::Cron::new(expression, zone)?;
                Pace::Calendar(Arc::new(super::cron::Dates::from(cron)))
            }
        };
        Ok(Slot::new(pace, self.jitter, self.overlap, self.missed))
    }
}

/// The pace of a period that a timeout must fit into.
pub(crate) fn pace(period: Period, name: &str, timeout: Option<Duration>, overlap: Overlap) -> Result<Pace, Error> {
    let Period::Every(period) = period else { return Ok(Pace::Off) };
    if period.is_zero() {
        return Err(Error::ZeroPeriod { name: name.to_owned() });
    }
    let overlong = |timeout: &Duration| *timeout >= period && !overlap.is_concurrent();
    if let Some(timeout) = timeout.filter(|timeout| timeout.is_zero() || overlong(timeout)) {
        return Err(Error::Timeout { name: name.to_owned(), timeout, period });
    }
    Ok(Pace::Every(u64::try_from(period.as_nanos()).unwrap_or(u64::MAX)))
}

impl From<Period> for Schedule {
    fn from(period: Period) -> Self {
        Self::every(period)
    }
}

impl From<Duration> for Schedule {
    fn from(period: Duration) -> Self {
        Self::every(period)
    }
}

impl TryFrom<&str> for Schedule {
    type Error = GrammarError;

    fn try_from(text: &str) -> Result<Self, GrammarError> {
        text.parse().map(|period: Period| Self::every(period))
    }
}

impl fmt::Debug for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut f = f.debug_struct("Schedule");
        f.field("when", &self.when).field("immediately", &self.immediately).field("jitter", &self.jitter);
        f.field("timeout", &self.timeout).field("overlap", &self.overlap).field("missed", &self.missed);
        f.field("on_error", &self.on_error).finish_non_exhaustive()
    }
}
