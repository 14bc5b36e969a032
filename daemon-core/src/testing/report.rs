//! What a test asks of a shutdown report.

use crate::host::ShutdownReport;

impl ShutdownReport {
    /// Asserts that everything [ended well](Self::is_clean): exit code 0, nothing failed while stopping, nothing cut, nothing left.
    /// Needs the feature `testing`.
    ///
    /// It is about the end only: handlers that failed before, restarts, dropped events and an optional daemon that failed are
    /// numbers in the report.
    ///
    /// ```
    /// # use daemon_core::{DaemonBase, daemon, testing::TestHost};
    /// # #[daemon(no_handlers)]
    /// # #[derive(Default)]
    /// # struct Idle;
    /// # impl DaemonBase for Idle {}
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// TestHost::start(Idle).await.shutdown().await.assert_clean();
    /// # });
    /// ```
    ///
    /// # Panics
    /// If not; the message is the whole report.
    #[track_caller]
    pub fn assert_clean(&self) {
        assert!(self.is_clean(), "the shutdown was not clean:\n{self}");
    }
}
