//! Tokio's clock as a test wants it: paused, on a full millisecond, moved by the test alone.

use std::cmp::Reverse;
use std::io::Write as _;
use std::sync::mpsc;
use std::time::Duration;

use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::context::HostHandle;
use crate::duration::IntoDuration;
use crate::status::TaskKind;

/// How long, in real time, work may stay ready to run, or the clock stand still, before a test is told.
const PATIENCE: Duration = Duration::from_secs(10);
/// The grain of tokio's timers.
const GRAIN: Duration = Duration::from_millis(1);

/// The longest that one timer of tokio measures is two years.
const LONGEST: Duration = Duration::from_secs(365 * 86_400);
/// What clocks can be moved by at once without an overflow.
const CENTURY: Duration = Duration::from_secs(36_525 * 86_400);
/// How much of what is under way a message shows.
const SHOWN: usize = 5;

/// The length of time that a test wrote.
#[track_caller]
pub(super) fn length(time: impl IntoDuration) -> Duration {
    match time.into_duration() {
        Ok(time) => time,
        Err(error) => panic!("{error}"),
    }
}

/// As [`length`], of time that is to pass.
#[track_caller]
pub(super) fn passage(time: impl IntoDuration) -> Duration {
    let time = length(time);
    assert!(time <= CENTURY, "a test may let at most 100 years pass at once, not {time:?}");
    time
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
pub(super) async fn settle(host: &HostHandle) {
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
    assert!(
        at_rest,
        "after {PATIENCE:?} of real time something is still ready to run: does a daemon spin? {}",
        under_way(host)
    );
}

/// As a process that gets no time: it passes and nothing runs, then everything runs that is due.
pub(super) async fn freeze(host: &HostHandle, time: Duration) {
    tokio::time::advance(time).await;
    settle(host).await;
}

/// Lets `time` pass, timer by timer, and then everything run that is ready to.
pub(super) async fn advance(host: &HostHandle, time: Duration) {
    let end = Instant::now() + time;
    // Time leaps to the next timer only when nothing is ready to run, so whatever is due before comes before.
    let pass = async {
        while Instant::now() < end {
            tokio::time::sleep_until(end.min(Instant::now() + LONGEST)).await;
        }
    };
    attend(host, pass).await;
    settle(host).await;
}

/// Waits for what takes time, and panics if none passes.
pub(super) async fn attend<T>(host: &HostHandle, work: impl Future<Output = T>) -> T {
    let (stands_still, told) = oneshot::channel();
    let (_until_dropped, over) = mpsc::channel();
    let runtime = Handle::current();
    let watch = move || watch(&runtime, &over, stands_still);
    // Where there is no thread for it a test that hangs is not told why.
    drop(std::thread::Builder::new().name("test-clock-watch".to_owned()).spawn(watch));
    tokio::select! {
        biased;
        done = work => done,
        Ok(()) = told => {
            let why = format!(
                "no time passed for {PATIENCE:?} of real time: it waits for work that blocks a thread, or that is always \
                 ready to run. {}",
                under_way(host)
            );
            // Captured output is shown at the end of a test, and its runtime waits for blocking work before.
            let _ = writeln!(std::io::stderr(), "{why}");
            panic!("{why}")
        }
    }
}

/// Tells if the clock stands still, until it is `over`.
fn watch(runtime: &Handle, over: &mpsc::Receiver<()>, stands_still: oneshot::Sender<()>) {
    let now = || {
        let _its_clock = runtime.enter();
        Instant::now()
    };
    let mut before = now();
    while over.recv_timeout(PATIENCE) == Err(mpsc::RecvTimeoutError::Timeout) {
        if now() == before {
            let _ = stands_still.send(()); // or it is over just now
            return;
        }
        before = now();
    }
}

/// What a host has under way, in words: what blocks threads first, then what runs most.
pub(super) fn under_way(host: &HostHandle) -> String {
    let status = host.status();
    let mut work: Vec<_> =
        status.daemons.iter().flat_map(|daemon| daemon.tasks.iter().map(move |task| (daemon, task))).collect();
    work.sort_by_key(|(_, task)| (task.kind != TaskKind::Blocking, Reverse(task.polls)));
    let work: Vec<_> = work
        .iter()
        .map(|(daemon, task)| format!("{} `{}` of `{}`", task.kind, task.name, daemon.name))
        .take(SHOWN)
        .collect();
    if work.is_empty() {
        "No daemon has anything under way".to_owned()
    } else {
        format!("Under way: {}", work.join(", "))
    }
}
