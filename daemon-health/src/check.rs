//! One question. Owns the trait that users implement and its closure form; when and how it is asked is the checker's affair.

use crate::Verdict;
use async_trait::async_trait;
use std::{error::Error, fmt, future::Future, time::Duration};

/// Any error that may cross threads.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// How long a check may take unless it or its registration says otherwise: three seconds, as for a `#[health]` handler.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(3);

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

    /// How long an answer may take \[[`DEFAULT_TIMEOUT`]\]. Asked once, at registration.
    fn timeout(&self) -> Duration {
        DEFAULT_TIMEOUT
    }

    /// Looks.
    ///
    /// # Errors
    ///
    /// An error is an answer: unhealthy, with the error and its sources as the message.
    ///
    /// # Cancel safety
    ///
    /// The future is dropped when its time is up or when nobody waits for the report any more.
    async fn check(&self) -> Result<Verdict, BoxError>;
}

/// A check made of a closure.
///
/// ```
/// use daemon_health::{Verdict, from_fn};
///
/// let check = from_fn("configuration", || async {
///     std::str::from_utf8(b"listen = 80")?;
///     Ok(Verdict::healthy())
/// });
/// ```
pub fn from_fn<F, A>(name: impl Into<String>, ask: F) -> FromFn<F>
where
    F: Fn() -> A + Send + Sync + 'static,
    A: Future<Output = Result<Verdict, BoxError>> + Send + 'static,
{
    FromFn { name: name.into(), ask }
}

/// A check made of a closure, by [`from_fn`].
pub struct FromFn<F> {
    name: String,
    ask: F,
}

impl<F> fmt::Debug for FromFn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FromFn").field("name", &self.name).finish_non_exhaustive()
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

    async fn check(&self) -> Result<Verdict, BoxError> {
        (self.ask)().await
    }
}
