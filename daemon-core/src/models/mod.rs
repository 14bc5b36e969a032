//! Models of the concurrent cores, for loom: each is a few threads doing in earnest what they do, run in every order in which
//! their steps on locks and atomics may follow each other.
//!
//! `make loom` runs them. They see the real mailboxes, dispatchers and publishers; only what [`crate::sync`] names is loom's. A
//! thread that would wait for ever is a failure: loom says "deadlock". Beside each model stands what it was seen to catch, by breaking
//! the code so.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "models are tests")]

mod handoff;
mod receipt;
mod retained;
mod schedule;
mod taps;
pub(crate) mod watch;
mod work;

use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use loom::future::block_on;
use loom::thread::{self, JoinHandle};

use crate::event::{Bus, Event, Overflow, Publisher, QueueOptions, SubscriptionStatus};
use crate::task::{Attach, EventRow, Failure, Handlers, Observer, Wiring, place};

/// Runs `scenario` in every order in which threads are interrupted, where they could have gone on, at most
/// `LOOM_MAX_PREEMPTIONS` [2] times.
pub(crate) fn explore(scenario: impl Fn() + Send + Sync + 'static) {
    explore_less(0, scenario);
}

/// As [`explore`], with so many interruptions less: for large scenarios.
fn explore_less(less: usize, scenario: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(builder.preemption_bound.unwrap_or(2) - less);
    builder.max_branches = 10_000;
    let orders = Arc::new(AtomicUsize::new(0));
    let count = orders.clone();
    builder.check(move || {
        count.fetch_add(1, Ordering::Relaxed);
        scenario();
    });
    let orders = orders.load(Ordering::Relaxed);
    println!("{orders} orders");
    assert!(orders > 1, "a model of one order shows nothing");
}

/// Polls a future once, and gives it up.
fn once(future: impl Future) {
    let _: Poll<_> = pin!(future).poll(&mut Context::from_waker(Waker::noop()));
}

/// A numbered event on one of two topics.
struct Nth<const TOPIC: usize>(u64);

impl<const TOPIC: usize> Event for Nth<TOPIC> {
    const TOPIC: &'static str = ["model:zero", "model:one"][TOPIC];
}

/// A number that can be waited for.
#[derive(Default)]
struct Level(crate::sync::Mutex<(u64, Vec<Waker>)>);

impl Level {
    /// Raises it by so much, and wakes all who wait; by 0, only wakes.
    fn raise(&self, by: u64) {
        let wakers = {
            let mut level = self.0.lock().unwrap();
            level.0 += by;
            std::mem::take(&mut level.1)
        };
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Whether it is so high.
    fn is_at(&self, height: u64) -> bool {
        self.0.lock().unwrap().0 >= height
    }

    /// Waits until it is so high.
    async fn reaches(&self, height: u64) {
        std::future::poll_fn(|cx| {
            let mut level = self.0.lock().unwrap();
            if level.0 >= height {
                return Poll::Ready(());
            }
            level.1.push(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }
}

/// A daemon that writes down what its handlers saw. That lock is no part of a model, and is held over no step of one.
struct Probe {
    seen: Mutex<Vec<u64>>,
    /// How many events were seen, for those who wait for that.
    count: Level,
    /// What some handlers wait for.
    door: Level,
    /// Whether handlers that block may go on.
    unblocked: (crate::sync::Mutex<bool>, loom::sync::Condvar),
    /// Whether its life is over.
    over: AtomicBool,
    publisher: Publisher,
}

impl Probe {
    fn saw(&self, number: u64) {
        self.seen.lock().unwrap().push(number);
        self.count.raise(1);
    }
}

impl Probe {
    fn block(&self) {
        let (unblocked, told) = &self.unblocked;
        let mut may_go_on = unblocked.lock().unwrap();
        while !*may_go_on {
            may_go_on = told.wait(may_go_on).unwrap();
        }
    }

    fn unblock(&self) {
        *self.unblocked.0.lock().unwrap() = true;
        self.unblocked.1.notify_all();
    }
}

impl Observer for Probe {
    fn over(&self) -> &AtomicBool {
        &self.over
    }

    fn failed(&self, _: &str, _: Failure, _: u32) {}
}

type Row = EventRow<Probe, ()>;

fn row(attach: Attach<Probe, (), Nth<0>>) -> Row {
    EventRow::typed::<Nth<0>>("handler", attach)
}

/// Ends at once.
fn plain() -> Row {
    row(|probe, ()| {
        place(move |event: Arc<Nth<0>>| async move {
            probe.saw(event.0);
            (event, Ok(()))
        })
    })
}

/// Waits for the door first.
fn gated() -> Row {
    row(|probe, ()| {
        place(move |event: Arc<Nth<0>>| async move {
            probe.door.reaches(1).await;
            probe.saw(event.0);
            (event, Ok(()))
        })
    })
}

/// Blocks its thread first.
fn blocking() -> Row {
    row(|probe, ()| {
        place(move |event: Arc<Nth<0>>| async move {
            probe.block();
            probe.saw(event.0);
            (event, Ok(()))
        })
    })
}

/// Sends what it gets on to the other topic, until the number has become 0.
fn relay<const FROM: usize, const TO: usize>() -> Row {
    let attach: Attach<Probe, (), Nth<FROM>> = |probe, ()| {
        place(move |event: Arc<Nth<FROM>>| async move {
            probe.saw(event.0);
            if event.0 > 0 {
                drop(probe.publisher.publish(Nth::<TO>(event.0 - 1)).await); // refused or not: it came back
            }
            (event, Ok(()))
        })
    };
    EventRow::typed::<Nth<FROM>>("handler", attach)
}

/// A daemon on a bus.
#[derive(Clone)]
struct Rig {
    bus: Arc<Bus>,
    probe: Arc<Probe>,
    wiring: Arc<Wiring<Probe, ()>>,
    publisher: Publisher,
}

impl Rig {
    fn new(row: Row) -> Self {
        Self::on(&Bus::new(), row)
    }

    fn on(bus: &Arc<Bus>, row: Row) -> Self {
        Self::of(bus, [row])
    }

    fn of(bus: &Arc<Bus>, rows: impl IntoIterator<Item = Row>) -> Self {
        let mut handlers = Handlers::new();
        for row in rows {
            handlers.push(row);
        }
        let wiring = Arc::new(handlers.register(bus, "daemon").unwrap());
        let publisher = bus.publisher("daemon");
        let unblocked = (crate::sync::Mutex::new(false), loom::sync::Condvar::new());
        let (count, door) = (Level::default(), Level::default());
        let probe = Probe { seen: Mutex::default(), count, door, unblocked, over: AtomicBool::new(false), publisher };
        Self { bus: bus.clone(), probe: Arc::new(probe), wiring, publisher: bus.publisher("model") }
    }

    /// Runs one life in a thread of its own, to its end.
    fn live(&self) -> JoinHandle<()> {
        let rig = self.clone();
        thread::spawn(move || block_on(rig.wiring.run(&rig.probe, &(), &*rig.probe)).unwrap())
    }

    /// Begins a life and drops it after so many polls.
    fn live_shortly(&self, polls: usize) {
        let mut life = pin!(self.wiring.run(&self.probe, &(), &*self.probe));
        for _ in 0..polls {
            if life.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready() {
                return;
            }
        }
    }

    /// Publishes numbers one after the other, in a thread of its own.
    fn publish(&self, numbers: impl IntoIterator<Item = u64> + Send + 'static) -> JoinHandle<()> {
        let publisher = self.publisher.clone();
        thread::spawn(move || {
            for number in numbers {
                block_on(publisher.publish(Nth::<0>(number))).unwrap();
            }
        })
    }

    /// Waits until handlers have seen so many events.
    fn saw(&self, events: u64) {
        block_on(self.probe.count.reaches(events));
    }

    fn seen(&self) -> Vec<u64> {
        self.probe.seen.lock().unwrap().clone()
    }

    fn status(&self) -> SubscriptionStatus {
        let status = self.wiring.status().remove(0);
        let outcomes = status.handled + status.failed + status.dropped + status.abandoned;
        assert_eq!(status.offered, outcomes + status.queued + status.in_flight, "{status:?}");
        status
    }

    /// The counts once everything has ended: offered, handled, dropped, abandoned.
    fn account(&self) -> [u64; 4] {
        let status = self.status();
        assert_eq!((status.queued, status.in_flight), (0, 0), "{status:?}");
        [status.offered, status.handled, status.dropped, status.abandoned]
    }
}
