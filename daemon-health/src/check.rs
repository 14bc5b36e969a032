//! One question. Owns the trait that users implement and its closure form; when and how it is asked is the checker's affair.

use crate::Verdict;
use async_trait::async_trait;
use daemon_core::{BoxError, CheckOptions};
use std::{fmt, future::Future};

/// One question about the health of something.
///
/// ```
/// use daemon_health::{BoxError, HealthCheck, Verdict, async_trait};
///
/// struct FreeSpace { percent: u8 }
///
/// #[async_trait]
/// impl HealthCheck for FreeSpace {
///     fn name(&self) -> &str {
///         "disk"
///     }
///
///     async fn check(&self) -> Result<Verdict, BoxError> {
///         Ok(match self.percent {
///             0..2 => Verdict::unhealthy("the disk is full"),
///             2..10 => Verdict::degraded(format!("{} % of the disk is free", self.percent)),
///             _ => Verdict::healthy(),
///         })
///     }
/// }
/// ```
#[async_trait]
pub trait HealthCheck: Send + Sync + 'static {
    /// What it is called in the report. Asked once, at registration.
    fn name(&self) -> &str;

    /// When it is asked, and what its answers lead to \[a readiness check with the default options\]. Asked once, at registration.
    fn options(&self) -> CheckOptions {
        CheckOptions::default()
    }

    /// The daemon it speaks of, if it is one's \[none\]. Asked once, at registration.
    fn daemon(&self) -> Option<&str> {
        None
    }

    /// Looks. All checks take turns in one task: what computes for long, or waits without suspending, keeps the others from theirs for
    /// some 20 ms, until they are taken from it.
    ///
    /// # Errors
    ///
    /// An error is an answer: unhealthy, with the error and its sources as the message.
    ///
    /// # Cancel safety
    ///
    /// The future is dropped when its time is up.
    async fn check(&self) -> Result<Verdict, BoxError>;

    /// Called each time it has come to count as unhealthy, after as many failures in a row as its options say, with its last
    /// message \[does nothing\].
    fn became_unhealthy(&self, _why: &str) {}
}

/// A check made of a closure.
///
/// ```
/// use daemon_health::{CheckKind, CheckOptions, Verdict, from_fn};
///
/// let check = from_fn("configuration", || async {
///     std::str::from_utf8(b"listen = 80")?;
///     Ok(Verdict::healthy())
/// });
/// let check = check.with_options(CheckOptions::new(CheckKind::Startup).group("files"));
/// ```
pub fn from_fn<F, A>(name: impl Into<String>, ask: F) -> FromFn<F>
where
    F: Fn() -> A + Send + Sync + 'static,
    A: Future<Output = Result<Verdict, BoxError>> + Send + 'static,
{
    FromFn { name: name.into(), options: CheckOptions::default(), ask }
}

/// A check made of a closure, by [`from_fn`].
pub struct FromFn<F> {
    name: String,
    options: CheckOptions,
    ask: F,
}

impl<F> FromFn<F> {
    /// Sets its options.
    #[must_use]
    pub fn with_options(mut self, options: impl Into<CheckOptions>) -> Self {
        self.options = options.into();
        self
    }
}

impl<F> fmt::Debug for FromFn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FromFn").field("name", &self.name).field("options", &self.options).finish_non_exhaustive()
    }
}

#[async_trait]
impl<F, A> HealthCheck for FromFn<F>
where
    F: Fn() -> A + Send + Sync + 'static,
    A: Future<Output = Result<Verdict, BoxError>> + Send + 'static,
{
    fn name(&self) -> &str {
        &self.name
    }

    fn options(&self) -> CheckOptions {
        self.options.clone()
    }

    async fn check(&self) -> Result<Verdict, BoxError> {
        (self.ask)().await
    }
}
