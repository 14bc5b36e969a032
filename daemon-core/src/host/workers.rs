//! The threads that daemons run on, and what they show of themselves.
//!
//! Nobody looks at them while all of them sleep: the one that wakes first asks for it.
//!
//! Invariant: while a worker is awake, somebody watches, or has been asked to.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::blocked::{Polled, Watch, Word, Worker};
use crate::task::{FOREVER, panicked};

/// How many workers are awake, and whether somebody watches.
#[derive(Debug)]
pub(super) struct Pulse {
    awake: AtomicUsize,
    watched: AtomicBool,
    woke: Notify,
}

/// Makes a runtime of so many workers.
pub(super) fn runtime(workers: usize) -> io::Result<(Runtime, Arc<Pulse>)> {
    // Workers begin awake.
    let pulse =
        Arc::new(Pulse { awake: AtomicUsize::new(workers), watched: AtomicBool::new(true), woke: Notify::new() });
    let (sleeps, wakes) = (pulse.clone(), pulse.clone());
    let runtime = build(
        Builder::new_multi_thread()
            .worker_threads(workers)
            .thread_name("daemon")
            .on_thread_park(move || sleeps.sleep())
            .on_thread_unpark(move || wakes.wake())
            .enable_all(),
    )?;
    Ok((runtime, pulse))
}

/// Builds a runtime. Tokio tells of a thread that cannot be had by a panic.
pub(super) fn build(builder: &mut Builder) -> io::Result<Runtime> {
    match catch_unwind(AssertUnwindSafe(|| builder.build())) {
        Ok(built) => built,
        Err(payload) => Err(io::Error::other(panicked(payload).to_string())),
    }
}

impl Pulse {
    fn sleep(&self) {
        self.awake.fetch_sub(1, Ordering::SeqCst);
    }

    fn wake(&self) {
        self.awake.fetch_add(1, Ordering::SeqCst);
        if !self.watched.load(Ordering::SeqCst) && !self.watched.swap(true, Ordering::SeqCst) {
            self.woke.notify_one();
        }
    }

    /// Stops to watch, if all workers sleep; returns whether they do.
    pub(super) fn leave(&self) -> bool {
        self.watched.store(false, Ordering::SeqCst);
        // A worker that woke before this has either been counted by now, or sees that nobody watches.
        let asleep = self.awake.load(Ordering::SeqCst) == 0;
        if !asleep {
            self.watched.store(true, Ordering::SeqCst);
        }
        asleep
    }

    /// Waits until a worker wakes that nobody watches. Cancel safe.
    pub(super) async fn woken(&self) {
        self.woke.notified().await;
    }
}

/// What the workers show now.
pub(super) fn seen(runtime: &Handle) -> Vec<Worker> {
    let metrics = runtime.metrics();
    let seen = |at| Worker { naps: metrics.worker_park_unpark_count(at), busy: metrics.worker_total_busy_duration(at) };
    (0..metrics.num_workers()).map(seen).collect()
}

/// How much longer than its limit a look waits, so that what began with it has then lasted that long.
const GRAIN: Duration = Duration::from_millis(5);

/// How long a look waits in a stop.
const HURRY: Duration = Duration::from_millis(100);

/// Looks after the workers from another thread: once in each limit while one is awake, and not at all otherwise.
///
/// A worker that wakes for a timer or a socket, and then blocks, has left its watch over these to nobody: the others sleep on,
/// and all timers stand still. So while one is stuck another is woken at every look; it takes the watch over before it sleeps.
#[derive(Debug)]
pub(super) struct Lookout {
    runtime: Handle,
    pulse: Arc<Pulse>,
    every: Duration,
    watch: Watch,
    /// `None` while all workers sleep.
    next: Option<Instant>,
}

impl Lookout {
    pub(super) fn new(limit: Duration, runtime: Handle, pulse: Arc<Pulse>) -> Self {
        let (limit, now) = (limit.min(FOREVER), Instant::now());
        let every = limit + GRAIN;
        let mut lookout = Self { runtime, pulse, every, watch: Watch::new(limit, now), next: None };
        lookout.begin();
        lookout
    }

    fn begin(&mut self) {
        let now = Instant::now();
        self.watch.begin(now, seen(&self.runtime));
        self.next = Some(now + self.every);
    }

    /// How many workers are blocked by what nobody can name.
    pub(super) fn unknown(&self) -> usize {
        self.watch.unknown()
    }

    /// Looks more often, since there is little time left to stop in.
    pub(super) fn hurry(&mut self) {
        self.every = self.every.min(HURRY);
        self.next = self.next.map(|next| next.min(Instant::now() + HURRY));
    }

    /// Waits until there is something to tell. Cancel safe.
    pub(super) async fn next(&mut self, polled: impl Fn() -> Vec<Polled>) -> Vec<Word> {
        loop {
            let Some(next) = self.next else {
                self.pulse.woken().await;
                self.begin();
                continue;
            };
            tokio::time::sleep_until(next).await;
            let now = Instant::now();
            let words = self.watch.look(now, seen(&self.runtime), &polled);
            if self.watch.is_stuck() {
                drop(self.runtime.spawn(std::future::ready(())));
            }
            self.next = (!self.pulse.leave()).then_some(now + self.every);
            if !words.is_empty() {
                return words;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Waker};

    use super::*;

    #[test]
    fn threads_that_cannot_be_had_are_an_error() {
        assert!(build(Builder::new_multi_thread().worker_threads(usize::MAX)).is_err());
    }

    #[test]
    fn the_first_that_wakes_after_all_have_slept_asks_to_be_watched_and_no_other_does() {
        let pulse = Pulse { awake: AtomicUsize::new(1), watched: AtomicBool::new(true), woke: Notify::new() };
        let asked = || pin!(pulse.woken()).poll(&mut Context::from_waker(Waker::noop())).is_ready();
        assert!(!pulse.leave(), "one is awake");
        pulse.wake();
        assert!(!asked(), "somebody watches");
        pulse.sleep();
        pulse.sleep();
        assert!(pulse.leave());
        pulse.wake();
        pulse.wake();
        assert!(asked());
        assert!(!asked(), "the other found it asked for");
    }

    #[tokio::test]
    async fn what_blocks_a_worker_after_all_have_slept_is_told_of_all_the_same() {
        let (runtime, pulse) = runtime(1).unwrap();
        let mut lookout = Lookout::new(Duration::from_millis(100), runtime.handle().clone(), pulse);
        let (let_go, waits) = std::sync::mpsc::channel::<()>();
        let told = tokio::time::timeout(Duration::from_secs(60), async {
            while lookout.next.is_some() {
                // On a busy machine it may seem blocked before it has slept.
                drop(tokio::time::timeout(Duration::from_millis(1), lookout.next(Vec::new)).await);
            }
            runtime.spawn(async move { assert!(waits.recv().is_err(), "it is let go by a hang-up") });
            lookout.next(Vec::new).await
        });
        let told = told.await.unwrap_or_default();
        drop(let_go);
        runtime.shutdown_background();
        assert!(told.iter().any(|word| matches!(word, Word::Unknown { workers: 1 })), "{told:?}");
    }

    /// The main thread looks, and would die of the overflow.
    #[test]
    fn a_limit_without_end_overflows_nothing() {
        let (runtime, pulse) = runtime(1).unwrap();
        let mut lookout = Lookout::new(Duration::MAX, runtime.handle().clone(), pulse);
        drop(lookout.watch.look(Instant::now(), seen(runtime.handle()), Vec::new));
    }
}
