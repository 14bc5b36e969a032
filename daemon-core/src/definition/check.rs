//! Health checks: methods that say whether their daemon is well, and what is made of their answers.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use super::RowCall;
use crate::policy::OnError;
use crate::status::CheckKind;

/// When a check is asked, and what its answers lead to: how it is declared, whoever declares it.
///
/// A host asks each check that it is told to ask, for no longer than its timeout. The rest is for who asks again and again, such as
/// the health monitor of `daemon-health`.
///
/// ```
/// use daemon_core::{CheckKind, CheckOptions};
/// use std::time::Duration;
///
/// let options = CheckOptions::new(CheckKind::Liveness).every(Duration::from_secs(30)).fails(5);
/// assert_eq!((options.timeout, options.fails, options.passes), (Duration::from_secs(3), 5, 1));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CheckOptions {
    /// What the check speaks of \[readiness\].
    pub kind: CheckKind,
    /// How long an answer may take \[3 s\].
    pub timeout: Duration,
    /// How often it is asked \[10 s\]; `None`: only when somebody wants to know.
    pub every: Option<Duration>,
    /// How old an answer may be that is told; who wants to know waits for a new one then. `None`: as old as answers become that are
    /// asked for regularly, [`every`](Self::every) and [`timeout`](Self::timeout) together, or not at all without the former.
    pub cache: Option<Duration>,
    /// How many failures in a row it takes to count as unhealthy \[3\].
    pub fails: u32,
    /// How many passes in a row it takes to count as healthy \[1\].
    pub passes: u32,
    /// The group it belongs to, which can be asked for by itself.
    pub group: Option<Cow<'static, str>>,
    /// Whether it only degrades when it fails.
    pub soft: bool,
    /// What becomes of its daemon when it counts as unhealthy \[nothing but a log entry\].
    pub on_error: OnError,
}

impl CheckOptions {
    /// How long an answer may take unless a check says otherwise.
    pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(3);
    /// How often a check is asked unless it says otherwise.
    pub const DEFAULT_PERIOD: Duration = Duration::from_secs(10);

    /// The defaults, for a check that speaks of `kind`.
    #[must_use]
    pub const fn new(kind: CheckKind) -> Self {
        Self {
            kind,
            timeout: Self::DEFAULT_TIMEOUT,
            every: Some(Self::DEFAULT_PERIOD),
            cache: None,
            fails: 3,
            passes: 1,
            group: None,
            soft: false,
            on_error: OnError::Log,
        }
    }

    /// Sets how long an answer may take.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets how often the check is asked; `None`: only when somebody wants to know.
    #[must_use]
    pub fn every(mut self, period: impl Into<Option<Duration>>) -> Self {
        self.every = period.into();
        self
    }

    /// Sets how old an answer may be that is told.
    #[must_use]
    pub fn cache(mut self, cache: Duration) -> Self {
        self.cache = Some(cache);
        self
    }

    /// Sets how many failures in a row it takes to count as unhealthy.
    #[must_use]
    pub fn fails(mut self, fails: u32) -> Self {
        self.fails = fails;
        self
    }

    /// Sets how many passes in a row it takes to count as healthy.
    #[must_use]
    pub fn passes(mut self, passes: u32) -> Self {
        self.passes = passes;
        self
    }

    /// Puts the check into a group, which can be asked for by itself.
    #[must_use]
    pub fn group(mut self, group: impl Into<Cow<'static, str>>) -> Self {
        self.group = Some(group.into());
        self
    }

    /// Lets the check only degrade when it fails.
    #[must_use]
    pub fn soft(mut self) -> Self {
        self.soft = true;
        self
    }

    /// Sets what becomes of its daemon when it counts as unhealthy.
    #[must_use]
    pub fn on_error(mut self, on_error: OnError) -> Self {
        self.on_error = on_error;
        self
    }

    /// How old an answer may be that is told, all things considered.
    #[must_use]
    pub fn max_age(&self) -> Duration {
        self.cache.unwrap_or_else(|| self.every.map_or(Duration::ZERO, |every| every.saturating_add(self.timeout)))
    }

    /// What makes no sense in them, in words that follow the name of the check.
    #[must_use]
    pub fn fault(&self) -> Option<String> {
        let group = self.group.as_deref().and_then(|group| daemon_grammar::name::check(group).err());
        let faults = [
            self.timeout.is_zero().then(|| "has a timeout of zero; give it some time".to_owned()),
            self.every
                .is_some_and(|every| every.is_zero())
                .then(|| "has a period of zero; give it a positive one".to_owned()),
            (self.fails == 0).then(|| "fails after no failure; give it at least 1".to_owned()),
            (self.passes == 0).then(|| "passes after no pass; give it at least 1".to_owned()),
            group.map(|error| format!("has a group whose name does not serve: {error}")),
            (self.soft && self.on_error != OnError::Log)
                .then(|| "is soft, so its failures have no consequences; remove one of the two".to_owned()),
        ];
        faults.into_iter().flatten().next()
    }
}

impl Default for CheckOptions {
    /// Those of a readiness check.
    fn default() -> Self {
        Self::new(CheckKind::Readiness)
    }
}

/// A health check that a daemon of a host declares.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeclaredCheck {
    /// The daemon.
    pub daemon: String,
    /// The check's name.
    pub name: String,
    /// Whether the host goes on without the daemon.
    pub optional: bool,
    /// When it is asked, and what its answers lead to.
    pub options: CheckOptions,
}

/// A health check.
pub struct Check<D> {
    pub(crate) name: &'static str,
    pub(crate) options: CheckOptions,
    pub(crate) call: RowCall<D>,
}

impl<D> Check<D> {
    /// A check that passes when `call` returns `Ok` in time; of a kind, or with [`CheckOptions`].
    #[must_use]
    pub fn new(name: &'static str, options: impl Into<CheckOptions>, call: RowCall<D>) -> Self {
        Self { name, options: options.into(), call }
    }
}

impl From<CheckKind> for CheckOptions {
    fn from(kind: CheckKind) -> Self {
        Self::new(kind)
    }
}

impl<D> Clone for Check<D> {
    fn clone(&self) -> Self {
        Self { options: self.options.clone(), ..*self }
    }
}

impl<D> fmt::Debug for Check<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Check").field("name", &self.name).field("options", &self.options).finish_non_exhaustive()
    }
}
