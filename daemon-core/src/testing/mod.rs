//! A host under a paused clock, for your own tests: hours pass in milliseconds, and everything that happens is due to
//! the test.
//!
//! The module needs the feature `testing`, which a dev-dependency asks for:
//!
//! ```toml
//! [dev-dependencies]
//! daemon-core = { version = "0.1", features = ["testing"] }
//! tokio = { version = "1", features = ["macros", "rt"] }
//! ```
//!
//! ```
//! use daemon_core::{DaemonBase, Result, daemon, testing::TestHost};
//!
//! #[daemon]
//! #[derive(Default)]
//! struct Janitor;
//!
//! #[daemon]
//! impl Janitor {
//!     #[every("5s")]
//!     async fn sweep(&self) -> Result<()> {
//!         Ok(())
//!     }
//! }
//!
//! impl DaemonBase for Janitor {}
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! // in a `#[tokio::test]`
//! let host = TestHost::start(Janitor).await;
//! host.advance("1h").await;
//! host.expect_ticks("sweep", 720);
//!
//! host.fail_next("sweep");
//! host.advance("5s").await;
//! assert_eq!(host.status().daemon("janitor").unwrap().errors, 1);
//!
//! host.shutdown().await.assert_clean();
//! # });
//! ```
//!
//! # Time
//!
//! [`TestHost`] pauses tokio's clock, so it needs the current-thread runtime that a plain `#[tokio::test]` has. Time
//! then stands still while anything is ready to run, and leaps to the next timer when nothing is: whatever is awaited,
//! no test ever waits. [`advance`](TestHost::advance) makes a given time pass that way, one timer after the other.
//!
//! Only tokio's clock is paused. `std::time`, `SystemTime`, sockets, child processes and other threads go on in real
//! time; work under way in `cx.spawn_blocking` holds time up until it is done. If no time passes for ten seconds of real time,
//! since such work never ends or a daemon never waits, the test fails and names what is under way. What is random stays so,
//! the jitter of intervals and of restarts, unless [`fix_chances`] makes it come again.
//!
//! # Faults
//!
//! [`fail_next`](TestHost::fail_next) and [`panic_next`](TestHost::panic_next) put an error or a panic in the place of
//! one call of the daemon's own code.

mod clock;
mod host;
mod recorder;
mod report;
mod stage;

pub use crate::duration::IntoDuration;
pub use host::{Signal, TestHost};
pub use stage::TestHostBuilder;

/// From now on takes the numbers that spread intervals and restarts on this thread from `seed`, so that a run can be
/// repeated.
pub fn fix_chances(seed: u64) {
    crate::task::fix(seed);
}
