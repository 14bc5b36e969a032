//! Events through the public API: who gets what, in which order, and what is counted.
#![allow(missing_docs, missing_debug_implementations, unreachable_pub)]
#![expect(clippy::unwrap_used, reason = "a test")]

mod accounting;
mod concurrent;
mod cut_short;
mod deadlock;
mod delivery;
mod faults;
mod filters;
mod flood;
mod handled;
mod isolated;
mod latest;
mod locks;
#[path = "../log/mod.rs"]
mod log;
mod overflow;
mod pulled;
mod retained;
mod shared;
mod startup;
mod taps;
mod times;
mod topics;

use daemon_core::{
    Attach, BoxError, Bus, Event, EventRow, Failure, Handlers, Observer, Publisher, StillRunning, SubscriptionStatus,
    Wiring, place,
};
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Wake, Waker};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

/// Three kinds of numbered events on three topics.
#[derive(Debug, PartialEq, Eq)]
pub struct Nth<const TOPIC: usize>(pub u64);

impl<const TOPIC: usize> Event for Nth<TOPIC> {
    const TOPIC: &'static str = ["test:zero", "test:one", "test:two"][TOPIC];

    fn to_json(&self) -> Option<serde_json::Result<serde_json::Value>> {
        Some(serde_json::to_value(self.0))
    }
}

pub type Zero = Nth<0>;

pub fn zero(number: u64) -> Zero {
    Nth(number)
}

pub fn one(number: u64) -> Nth<1> {
    Nth(number)
}

/// A daemon that writes down what it saw, and handlers that wait at its gates.
pub struct Probe {
    pub seen: Mutex<Vec<(&'static str, u64)>>,
    pub gates: [Semaphore; 3],
    pub publisher: Publisher,
    pub published: Mutex<Vec<String>>,
    pub failures: Mutex<Vec<String>>,
}

impl Probe {
    pub fn new(bus: &Arc<Bus>) -> Arc<Self> {
        Arc::new(Self {
            seen: Mutex::default(),
            gates: [0, 0, 0].map(Semaphore::new),
            publisher: bus.publisher("probe"),
            published: Mutex::default(),
            failures: Mutex::default(),
        })
    }

    pub fn saw(&self, who: &'static str, number: u64) {
        self.seen.lock().unwrap().push((who, number));
    }

    pub fn seen_by(&self, who: &str) -> Vec<u64> {
        self.seen.lock().unwrap().iter().filter(|(name, _)| *name == who).map(|(_, number)| *number).collect()
    }

    pub async fn pass(&self, gate: usize) {
        self.gates[gate].acquire().await.unwrap().forget();
    }
}

impl Observer for Probe {
    fn failed(&self, subscription: &str, failure: Failure, in_a_row: u32) {
        self.failures.lock().unwrap().push(format!("{subscription} {failure} {in_a_row}"));
    }

    fn recovered(&self, subscription: &str) {
        self.failures.lock().unwrap().push(format!("{subscription} recovered"));
    }
}

pub type Row = EventRow<Probe, ()>;

/// Writes events down at once.
pub fn plain<const TOPIC: usize>() -> Row {
    let attach: Attach<Probe, (), Nth<TOPIC>> = |probe, ()| {
        place(move |event: Arc<Nth<TOPIC>>| async move {
            probe.saw("plain", event.0);
            (event, Ok(()))
        })
    };
    EventRow::typed::<Nth<TOPIC>>("plain", attach)
}

/// Waits at gate 0 before it writes an event down.
pub fn gated<const TOPIC: usize>() -> Row {
    let attach: Attach<Probe, (), Nth<TOPIC>> = |probe, ()| {
        place(move |event: Arc<Nth<TOPIC>>| async move {
            probe.pass(0).await;
            probe.saw("gated", event.0);
            (event, Ok(()))
        })
    };
    EventRow::typed::<Nth<TOPIC>>("gated", attach)
}

/// A daemon on a bus, not started.
pub struct Rig {
    pub bus: Arc<Bus>,
    pub probe: Arc<Probe>,
    pub wiring: Arc<Wiring<Probe, ()>>,
    pub publisher: Publisher,
}

impl Rig {
    pub fn new(rows: impl IntoIterator<Item = Row>) -> Self {
        Self::on(&Bus::new(), "rig", rows)
    }

    pub fn on(bus: &Arc<Bus>, name: &str, rows: impl IntoIterator<Item = Row>) -> Self {
        let mut handlers = Handlers::new();
        for row in rows {
            handlers.push(row);
        }
        let wiring = Arc::new(handlers.register(bus, name).unwrap());
        Self { bus: bus.clone(), probe: Probe::new(bus), wiring, publisher: bus.publisher("tester") }
    }

    pub fn start(&self) -> JoinHandle<Result<(), StillRunning>> {
        let (wiring, probe) = (self.wiring.clone(), self.probe.clone());
        tokio::spawn(async move { wiring.run(&probe, &(), &*probe).await })
    }

    /// Starts the common dispatcher, then those of isolated handlers.
    pub fn start_all(&self) -> Vec<JoinHandle<Result<(), StillRunning>>> {
        let isolated = (0..self.wiring.isolated().count()).map(|at| {
            let (wiring, probe) = (self.wiring.clone(), self.probe.clone());
            tokio::spawn(async move { wiring.run_isolated(at, &probe, &(), &*probe).await })
        });
        std::iter::once(self.start()).chain(isolated).collect()
    }

    pub async fn started(self) -> (Self, JoinHandle<Result<(), StillRunning>>) {
        let running = self.start();
        idle().await;
        (self, running)
    }

    pub fn status(&self, name: &str) -> SubscriptionStatus {
        let all = self.wiring.status();
        all.iter().for_each(assert_adds_up);
        all.into_iter().find(|status| status.name == name).unwrap()
    }

    /// Offered, handled, failed, dropped, abandoned, queued, in flight.
    pub fn counts(&self, name: &str) -> [u64; 7] {
        let s = self.status(name);
        [s.offered, s.handled, s.failed, s.dropped, s.abandoned, s.queued, s.in_flight]
    }

    /// Drains and waits for the end.
    pub async fn drained(&self, running: JoinHandle<Result<(), StillRunning>>) {
        self.wiring.drain();
        running.await.unwrap().unwrap();
    }
}

pub fn assert_adds_up(s: &SubscriptionStatus) {
    assert_eq!(s.offered, s.handled + s.failed + s.dropped + s.abandoned + s.queued + s.in_flight, "{s:?}");
}

/// Cuts a life, and waits until it is gone.
pub async fn cut(running: JoinHandle<Result<(), StillRunning>>) {
    running.abort();
    assert!(running.await.unwrap_err().is_cancelled());
}

/// Uses up what the worker grants to the task that is polled: whoever offers the worker to others then waits for its next turn.
pub fn exhaust(cx: &mut Context<'_>) {
    while pin!(tokio::task::consume_budget()).poll(cx).is_ready() {}
}

/// A waker that runs this.
pub fn waker(runs: impl Fn() + Send + Sync + 'static) -> Waker {
    struct Runs<F>(F);

    impl<F: Fn() + Send + Sync + 'static> Wake for Runs<F> {
        fn wake(self: Arc<Self>) {
            self.0();
        }
    }

    Waker::from(Arc::new(Runs(runs)))
}

/// A waker that counts how often it is woken.
pub fn counting() -> (Waker, Arc<AtomicU64>) {
    let woken = Arc::<AtomicU64>::default();
    let counts = woken.clone();
    let waker = waker(move || {
        counts.fetch_add(1, Ordering::Relaxed);
    });
    (waker, woken)
}

/// Lets every other task of a current-thread runtime run until it has nothing more to do.
pub async fn idle() {
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
}

pub fn fault(text: &str) -> BoxError {
    text.into()
}
