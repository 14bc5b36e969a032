//! Tokio's clock as a test wants it: paused, on a full millisecond, moved by the test alone.

use std::time::Duration;

use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::time::Instant;

use crate::duration::IntoDuration;

/// How long, in real time, work may stay ready to run before a test is told that it never comes to rest.
const PATIENCE: Duration = Duration::from_secs(10);
/// The grain of tokio's timers.
const GRAIN: Duration = Duration::from_millis(1);

/// The length of time that a test wrote.
#[track_caller]
pub(super) fn length(time: impl IntoDuration) -> Duration {
    match time.into_duration() {
        Ok(time) => time,
        Err(error) => panic!("{error}"),
    }
}

/// Pauses the clock of the current runtime, unless it is paused already.
pub(super) async fn pause() {
    let Ok(runtime) = Handle::try_current() else {
        panic!("a test host needs a tokio runtime: write `#[tokio::test]` above the test");
    };
    assert!(
        runtime.runtime_flavor() == RuntimeFlavor::CurrentThread,
        "a test host needs a current-thread runtime, whose clock can be paused: remove `flavor = \"multi_thread\"` \
         from `#[tokio::test]`"
    );
    if is_paused() {
        return;
    }
    tokio::time::pause();
    align().await;
}

/// Whether tokio's clock stands still while the real one goes on.
fn is_paused() -> bool {
    let (before, real) = (Instant::now(), std::time::Instant::now());
    while real.elapsed() < Duration::from_micros(1) {
        std::hint::spin_loop();
    }
    before == Instant::now()
}

/// Moves the clock to a full millisecond of the runtime's timers. They are rounded up to one, so that from anywhere else
/// each sleep would last up to a millisecond longer than it says.
async fn align() {
    // A sleep from x.f ms wakes 1 ms later if it is no longer than (1 - f) ms, and 2 ms later if it is.
    let (mut fits, mut beyond) = (Duration::ZERO, GRAIN + Duration::from_nanos(1));
    while beyond - fits > Duration::from_nanos(1) {
        let (guess, before) = (fits + (beyond - fits) / 2, Instant::now());
        tokio::time::sleep(guess).await;
        if before.elapsed() > GRAIN { beyond = guess } else { fits = guess }
    }
    tokio::time::advance(fits).await;
}

/// Lets everything run that is ready to, until nothing is; no time passes.
pub(super) async fn settle() {
    let metrics = Handle::current().metrics();
    let before = metrics.worker_park_count(0);
    // The worker parks once nothing is ready. Time does not leap while blocking work is under way, so this work, which
    // waits for that moment, also keeps the clock where it is.
    let watch = tokio::task::spawn_blocking(move || {
        let since = std::time::Instant::now();
        while metrics.worker_park_count(0) == before {
            if since.elapsed() > PATIENCE {
                return false;
            }
            std::thread::sleep(Duration::from_micros(10));
        }
        true
    });
    let at_rest = watch.await.unwrap_or(true); // it cannot panic; aborted: the runtime is going down
    assert!(at_rest, "after {PATIENCE:?} of real time something is still ready to run: does a daemon spin?");
}

/// Lets `time` pass, timer by timer, and then everything run that is ready to.
pub(super) async fn advance(time: Duration) {
    // Time leaps to the next timer only when nothing is ready to run, so whatever is due before comes before.
    tokio::time::sleep(time).await;
    settle().await;
}
