//! Health checks for `daemon-core`: what is asked and when, when an answer is given up, and what all answers together mean.
//!
//! * [`HealthCheck`] is one question; [`from_fn`] makes one of a closure. A daemon's `#[health]` methods are such questions, too.
//! * [`HealthChecker`] asks them side by side, each with a hard timeout: a check that never answers delays a
//!   [`HealthReport`] by no more than its own timeout, and a check that panics is an answer like any other. It asks again and again, and
//!   a check counts as unhealthy only after so many failures in a row.
//! * [`HealthStatus`] is the verdict, of one check or of all.
//! * [`HealthMonitor`] is all that as a daemon of a host: its daemons' checks and states, and what can be wrong with a process.
//! * [`formats`] writes a report as others do; [`causes`] says why a host is not ready.
//!
//! # Example: two checks, one of them stuck
//!
//! ```
//! use daemon_health::{CheckOptions, HealthChecker, HealthStatus, Verdict, from_fn};
//! use std::time::Duration;
//!
//! # #[tokio::main(flavor = "current_thread", start_paused = true)]
//! # async fn main() -> Result<(), daemon_health::HealthError> {
//! let checker = HealthChecker::new();
//! checker.register(from_fn("database", || async { Ok(Verdict::healthy()) }))?;
//! let hasty = CheckOptions::default().timeout(Duration::from_millis(200));
//! checker.register(from_fn("queue", std::future::pending).with_options(hasty))?;
//!
//! let report = checker.check().await;
//! assert_eq!(report.status, HealthStatus::Unhealthy);
//! assert_eq!(report.checks["database"].status, HealthStatus::Healthy);
//! assert_eq!(report.checks["queue"].message.as_deref(), Some("no answer within 200ms"));
//! # Ok(())
//! # }
//! ```

#![forbid(unsafe_code)]

mod bell;
mod board;
mod builtin;
mod catch;
mod check;
mod checker;
mod checks;
mod deadlines;
mod descriptors;
mod driver;
mod entry;
pub mod formats;
mod history;
#[cfg(feature = "http")]
pub mod http;
#[cfg(feature = "metrics")]
pub mod metrics;
mod millis;
mod moment;
mod monitor;
#[cfg(feature = "otlp")]
pub mod otlp;
mod report;
mod seat;
mod tracker;
mod verdict;
mod why;

pub use async_trait::async_trait;
pub use builtin::Limits;
pub use check::{FromFn, HealthCheck, from_fn};
pub use checker::{HealthChecker, HealthError, HealthQuery};
pub use checks::{Checks, ChecksIntoIter, ChecksIter};
pub use daemon_core::{BoxError, CheckKind, CheckOptions};
pub use history::HealthTransition;
pub use monitor::{HealthMonitor, HealthMonitorClient};
pub use report::{CheckReport, HealthReport};
pub use verdict::{HealthStatus, Verdict};
pub use why::{Cause, causes};
