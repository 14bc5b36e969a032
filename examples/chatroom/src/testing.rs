//! Daemons and their real store under a paused clock.
//!
//! The store has a thread of its own, and a paused clock leaps while nobody but that thread has something to do. So the
//! clock is held while a test waits for the store.

use std::sync::mpsc;
use std::time::{Duration, Instant};

use daemon_core::testing::{TestHost, TestHostBuilder};

use crate::daemons::{ConsoleDaemon, DataDaemon};
use crate::log::Tap;
use crate::store::Location;

/// More than any wait takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// Starts `host` beside a `data` daemon whose rows are in memory.
pub(crate) async fn start(host: impl FnOnce(TestHostBuilder) -> TestHostBuilder) -> TestHost {
    // A first host pauses the clock, which takes time; then the clock can be held.
    TestHost::start(ConsoleDaemon::new(Tap::default())).await.shutdown().await.assert_clean();
    let builder = TestHost::new("chatroom").daemon_with(|| DataDaemon::open(Location::Memory));
    hold(host(builder).start()).await
}

pub(crate) async fn stop(host: TestHost) {
    hold(host.shutdown()).await.assert_clean();
}

/// Holds the clock until `work` is done: time does not leap while blocking work is under way.
pub(crate) async fn hold<T>(work: impl Future<Output = T>) -> T {
    let (_held, release) = mpsc::channel::<()>();
    drop(tokio::task::spawn_blocking(move || release.recv_timeout(PATIENCE)));
    work.await
}

/// Holds the clock until `condition` is true.
pub(crate) async fn until(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    hold(async {
        while !condition().await {
            assert!(Instant::now() < deadline, "never {what}");
            tokio::task::yield_now().await;
        }
    })
    .await;
}
