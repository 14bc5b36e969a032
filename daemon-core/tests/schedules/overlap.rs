//! Ticks that are due while others run.

use super::{S, interval};
use daemon_core::testing::TestHost;
use daemon_core::{Context, DaemonBase, daemon};
use std::sync::atomic::{AtomicU64, Ordering};

/// Counts ticks and how many of them there were at once.
#[derive(Default)]
struct Count {
    begun: AtomicU64,
    inside: AtomicU64,
    most: AtomicU64,
}

/// Counts the end of a tick, also of one that is given up.
struct Leaves<'a>(&'a AtomicU64);

impl Drop for Leaves<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Count {
    async fn tick(&self, seconds: u64) {
        self.begun.fetch_add(1, Ordering::Relaxed);
        let inside = self.inside.fetch_add(1, Ordering::Relaxed) + 1;
        let _leaves = Leaves(&self.inside);
        self.most.fetch_max(inside, Ordering::Relaxed);
        tokio::time::sleep(S(seconds)).await;
    }

    fn begun(&self) -> u64 {
        self.begun.load(Ordering::Relaxed)
    }

    fn most(&self) -> u64 {
        self.most.load(Ordering::Relaxed)
    }
}

#[daemon(name = "slow")]
#[derive(Default)]
struct Slow {
    skipping: Count,
    queueing: Count,
    bounded: Count,
    side_by_side: Count,
    hanging: Count,
}

#[daemon]
impl Slow {
    // 25 s of work every 10 s
    #[every("10s", overlap = skip)]
    async fn skipping(&self) {
        self.skipping.tick(25).await;
    }

    #[every("10s", overlap = queue)]
    async fn queueing(&self) {
        self.queueing.tick(25).await;
    }

    #[every("10s", overlap = queue(2))]
    async fn bounded(&self) {
        self.bounded.tick(25).await;
    }

    #[every("10s", overlap = concurrent)]
    async fn side_by_side(&self) {
        self.side_by_side.tick(25).await;
    }

    #[every("10s", overlap = concurrent(4), timeout = "1m")]
    async fn hanging(&self) {
        self.hanging.tick(86_400).await;
    }
}

impl DaemonBase for Slow {}

#[tokio::test]
async fn an_hour_of_ticks_that_take_too_long() {
    let host = TestHost::start(Slow::default()).await;
    host.advance("1h 1s").await;
    let slow = host.daemon::<Slow>();
    let seen = |name| {
        let interval = interval(&host, name);
        (interval.ticks, interval.skipped, interval.running)
    };
    // at 10, 40, 70, ...
    assert_eq!((slow.skipping.begun(), slow.skipping.most()), (120, 1));
    assert_eq!(seen("skipping"), (119, 2 * 119, 1));
    // one after the other without a pause: at 10, 35, 60, ...; the other 216 multiples wait
    assert_eq!((slow.queueing.begun(), slow.queueing.most()), (144, 1));
    assert_eq!(seen("queueing"), (143, 0, 1));
    // at its last end, 358 multiples had come: 144 of them have begun, and one waits
    assert_eq!((slow.bounded.begun(), slow.bounded.most()), (144, 1));
    assert_eq!(seen("bounded"), (143, 358 - 144 - 1, 1));
    // nothing is lost, and never more than three at once
    assert_eq!((slow.side_by_side.begun(), slow.side_by_side.most()), (360, 3));
    assert_eq!(seen("side_by_side"), (357, 0, 3));
    // four hang until they are given up
    assert_eq!(slow.hanging.most(), 4);
    let hanging = interval(&host, "hanging");
    assert_eq!((hanging.failed, hanging.last_error.as_deref()), (hanging.ticks, Some("did not end within 60s")));
    assert_eq!(hanging.ticks + hanging.skipped + u64::from(hanging.running), 360);
    drop(slow);
    drop(host.shutdown().await);
}

#[daemon(name = "stopping", stop_timeout = "10s")]
#[derive(Default)]
struct Stopping(Count);

#[daemon]
impl Stopping {
    #[every("1s", overlap = queue, missed = burst)]
    async fn tick(&self, cx: &Context) {
        self.0.tick(3).await;
        assert!(!cx.is_cancelled(), "there was time left to drain");
    }
}

impl DaemonBase for Stopping {}

#[tokio::test]
async fn what_waits_or_was_to_be_made_up_is_not_begun_at_stop() {
    let host = TestHost::start(Stopping::default()).await;
    host.freeze("30s").await;
    let tick = host.daemon::<Stopping>();
    assert_eq!(tick.0.begun(), 1, "29 are to be made up");
    host.advance("1s").await;
    let shutdown = host.shutdown().await;
    assert_eq!((tick.0.begun(), tick.0.inside.load(Ordering::Relaxed)), (1, 0), "the one under way has ended");
    shutdown.assert_clean();
}
