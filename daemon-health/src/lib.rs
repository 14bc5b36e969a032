//! Health checks for `daemon-core`: what is asked, when an answer is given up, and what all answers together mean.
//!
//! * [`HealthCheck`] is one question; [`from_fn`] makes one of a closure.
//! * [`HealthChecker`] asks them side by side, each with a hard timeout: a check that never answers delays the
//!   [`HealthReport`] by no more than its own timeout, and a check that panics is an answer like any other.
//! * [`HealthStatus`] is the verdict, of one check or of all.
//!
//! The checker stands by itself: it is not connected to a host's `#[health]` handlers yet, and nothing serves its report over
//! HTTP yet.
//!
//! # Example: two checks, one of them stuck
//!
//! ```
//! use daemon_health::{HealthChecker, HealthStatus, Verdict, from_fn};
//! use std::time::Duration;
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), daemon_health::HealthError> {
//! let checker = HealthChecker::new();
//! checker.register(from_fn("database", || async { Ok(Verdict::healthy()) }))?;
//! checker.register_with_timeout(from_fn("queue", std::future::pending), Duration::from_millis(200))?;
//!
//! let report = checker.check().await;
//! assert_eq!(report.status, HealthStatus::Unhealthy);
//! assert_eq!(report.checks["database"].status, HealthStatus::Healthy);
//! assert_eq!(report.checks["queue"].message.as_deref(), Some("no answer within 200ms"));
//! # Ok(())
//! # }
//! ```

#![forbid(unsafe_code)]

mod check;
mod checker;
#[cfg(feature = "metrics")]
pub mod metrics;
mod report;
mod verdict;

pub use async_trait::async_trait;
pub use check::{BoxError, DEFAULT_TIMEOUT, FromFn, HealthCheck, from_fn};
pub use checker::{HealthChecker, HealthError};
pub use report::{CheckReport, HealthReport};
pub use verdict::{HealthStatus, Verdict};
