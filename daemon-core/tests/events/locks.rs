//! Code of the user runs without locks: wakers and destructors look at what they have to do with, and would wait for ever for a lock
//! that is held around them.

use super::{Probe, Rig, Zero, counting, cut, gated, idle, waker, zero};
use daemon_core::{Attach, Bus, Event, EventRow, Fate, Overflow, PublishError, QueueOptions, Subscription, place};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex, OnceLock};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

/// Looks from another thread: where a lock is held around it the test fails, and does not wait for ever.
fn look(look: impl FnOnce() + Send + 'static) {
    let (tell, told) = channel();
    std::thread::spawn(move || {
        look();
        tell.send(())
    });
    assert!(told.recv_timeout(Duration::from_secs(30)).is_ok(), "a lock is held around it");
}

/// A waker that looks at something when it is woken, and counts how often it has.
fn looks(of: impl Fn() + Send + Sync + 'static) -> (Waker, Arc<AtomicU64>) {
    let (of, woken) = (Arc::new(of), Arc::<AtomicU64>::default());
    let counts = woken.clone();
    let waker = waker(move || {
        let of = of.clone();
        look(move || of());
        counts.fetch_add(1, Ordering::Relaxed);
    });
    (waker, woken)
}

fn count(of: &AtomicU64) -> u64 {
    of.load(Ordering::Relaxed)
}

type Look = Box<dyn FnOnce() + Send + Sync>;

/// Looks at something when it is dropped, then explodes.
struct Peeks(Option<Look>);

impl Event for Peeks {
    const TOPIC: &'static str = "test:peeks";
}

impl Drop for Peeks {
    fn drop(&mut self) {
        self.0.take().into_iter().for_each(look);
        panic!("in an event's destructor");
    }
}

fn poll<F: Future>(future: &mut Pin<Box<F>>, waker: &Waker) -> Poll<F::Output> {
    future.as_mut().poll(&mut Context::from_waker(waker))
}

fn options() -> QueueOptions {
    QueueOptions::default()
}

#[tokio::test]
async fn who_pulls_may_look_when_it_is_woken() {
    let bus = Bus::new();
    let publisher = bus.publisher("tester");
    let mut zeros = bus.subscribe::<Zero>("me", "test:zero", options()).unwrap();
    let handle = zeros.handle();
    let (waker, woken) = looks(move || drop(handle.status()));
    for number in 0..2 {
        assert!(zeros.poll_recv(&mut Context::from_waker(&waker)).is_pending());
        publisher.publish(zero(number)).await.unwrap(); // the second goes the shortest way
        assert_eq!((count(&woken), zeros.try_recv().map(|zero| zero.0)), (number + 1, Some(number)));
    }

    let mut all = bus.subscribe_all("me", "**", options()).unwrap();
    let handle = all.handle();
    let (waker, woken) = looks(move || drop(handle.status()));
    assert!(all.poll_recv(&mut Context::from_waker(&waker)).is_pending());
    publisher.publish(zero(1)).await.unwrap();
    assert!(count(&woken) == 1 && all.try_recv().is_some());
    assert!(all.poll_recv(&mut Context::from_waker(&waker)).is_pending());
    all.close();
    assert_eq!(count(&woken), 2);
}

#[tokio::test]
async fn who_waits_for_room_may_look_when_it_is_woken() {
    let bus = Bus::new();
    let mut zeros = bus.subscribe::<Zero>("me", "test:zero", options().capacity(1)).unwrap();
    let publisher = bus.publisher("tester");
    publisher.publish(zero(0)).await.unwrap();
    let handle = zeros.handle();
    let (waker, woken) = looks(move || drop(handle.status()));
    let mut waits = Box::pin(publisher.publish(zero(1)));
    assert!(poll(&mut waits, &waker).is_pending());
    assert!(zeros.try_recv().is_some() && count(&woken) == 1);

    // the dispatcher of a queue that keeps its own events makes room, then the end of its life lets go who waits
    let (rig, running) = Rig::new([gated::<0>().queue("own").capacity(1)]).started().await;
    for number in 0..2 {
        rig.publisher.publish(zero(number)).await.unwrap();
        idle().await;
    }
    let wiring = rig.wiring.clone();
    let (waker, woken) = looks(move || drop(wiring.status()));
    let [mut second, mut third] = [2, 3].map(|number| Box::pin(rig.publisher.publish(zero(number))));
    assert!(poll(&mut second, &waker).is_pending());
    rig.probe.gates[0].add_permits(1);
    idle().await;
    assert_eq!(count(&woken), 1);
    assert!(poll(&mut third, &waker).is_pending());
    cut(running).await;
    assert_eq!(count(&woken), 2);
}

#[tokio::test]
async fn who_runs_a_life_may_look_when_a_call_is_woken() {
    let rig = Rig::new([gated::<0>()]);
    let wiring = rig.wiring.clone();
    let (waker, woken) = looks(move || drop(wiring.status()));
    let mut life = Box::pin(rig.wiring.run(&rig.probe, &(), &*rig.probe));
    assert!(poll(&mut life, &waker).is_pending());
    rig.publisher.publish(zero(1)).await.unwrap();
    assert_eq!(count(&woken), 1);
    assert!(poll(&mut life, &waker).is_pending());
    rig.probe.gates[0].add_permits(1);
    assert_eq!(count(&woken), 2);
    assert!(poll(&mut life, &waker).is_pending());
    assert_eq!(rig.probe.seen_by("gated"), [1]);
}

#[tokio::test]
async fn an_event_may_look_when_its_publish_is_given_up() {
    let bus = Bus::new();
    let peeks = bus.subscribe::<Peeks>("me", "test:peeks", options().capacity(1)).unwrap();
    let publisher = bus.publisher("tester");
    publisher.publish(Peeks(None)).await.unwrap();
    let (handle, dropped) = (peeks.handle(), Arc::new(OnceLock::new()));
    let seen = dropped.clone();
    let look = Box::new(move || seen.set(handle.status().unwrap().dropped).unwrap());
    let mut waits = Box::pin(publisher.publish(Peeks(Some(look))));
    assert!(poll(&mut waits, Waker::noop()).is_pending());
    drop(waits);
    assert_eq!(dropped.get(), Some(&1));
}

/// As [`Peeks`], retained.
struct Kept(u64, Option<Look>);

impl Event for Kept {
    const TOPIC: &'static str = "state:peeks";
    const RETAIN: bool = true;
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.1.take().into_iter().for_each(look);
        assert_ne!(self.0, 2, "in an event's destructor");
    }
}

#[tokio::test]
async fn an_event_may_look_when_one_that_was_missed_takes_its_place() {
    let attach: Attach<Probe, (), Kept> = |probe, ()| {
        place(move |event: Arc<Kept>| async move {
            probe.pass(0).await;
            probe.saw("kept", event.0);
            (event, Ok(()))
        })
    };
    let row = EventRow::typed::<Kept>("kept", attach).overflow(Overflow::Latest);
    let (rig, running) = Rig::new([row]).started().await;
    let dropped = Arc::new(OnceLock::new());
    let (seen, wiring) = (dropped.clone(), Arc::downgrade(&rig.wiring));
    let look = move || seen.set(wiring.upgrade().unwrap().status()[0].dropped).unwrap();
    rig.publisher.publish(Kept(1, None)).await.unwrap();
    idle().await;
    rig.publisher.publish(Kept(2, Some(Box::new(look)))).await.unwrap();
    rig.wiring.drain();
    rig.publisher.publish(Kept(3, None)).await.unwrap();
    cut(running).await;
    rig.wiring.begin(false);
    assert_eq!(dropped.get(), Some(&1), "nobody else held it");
    let (rig, running) = rig.started().await;
    rig.probe.gates[0].add_permits(1);
    rig.drained(running).await;
    assert_eq!(rig.probe.seen_by("kept"), [3]);
}

/// Holds a subscription, and drops it with itself.
struct Holds(#[expect(dead_code, reason = "it is held")] Subscription<Zero>);

impl Wake for Holds {
    fn wake(self: Arc<Self>) {}
}

/// Without a runtime, whose timer would hold the waker, too.
#[test]
fn a_waker_may_end_what_its_publisher_waits_for_when_it_is_dropped() {
    let bus = Bus::new();
    let publisher = bus.publisher("tester");
    let subscription = bus.subscribe::<Zero>("me", "test:zero", options()).unwrap();
    let mut waits = Box::pin(publisher.publish_and_wait(zero(1), &[]));
    assert!(poll(&mut waits, &Waker::from(Arc::new(Holds(subscription)))).is_pending());
    assert!(poll(&mut waits, Waker::noop()).is_pending(), "it had looked before");
    let Poll::Ready(Err(PublishError::Unhandled { unhandled, .. })) = poll(&mut waits, Waker::noop()) else {
        panic!("it was settled")
    };
    assert_eq!(unhandled[0].fate, Fate::Abandoned);
}

/// A publisher finds a queue full. Before it stands in line, another subscriber that it has woken empties that queue, and the reader
/// goes to sleep.
#[tokio::test]
async fn who_finds_room_after_all_wakes_the_reader() {
    let bus = Bus::new();
    let publisher = bus.publisher("tester");
    let zeros = bus.subscribe::<Zero>("me", "test:zero", options().capacity(1)).unwrap();
    let mut other = bus.subscribe::<Zero>("other", "test:zero", options()).unwrap();
    publisher.publish(zero(0)).await.unwrap();
    assert!(other.try_recv().is_some());
    let (reader, woken) = counting();
    let zeros = Arc::new(Mutex::new(zeros));
    let emptied = zeros.clone();
    let empties = waker(move || {
        let mut zeros = emptied.lock().unwrap();
        assert!(zeros.poll_recv(&mut Context::from_waker(&reader)).is_ready());
        assert!(zeros.poll_recv(&mut Context::from_waker(&reader)).is_pending());
    });
    assert!(other.poll_recv(&mut Context::from_waker(&empties)).is_pending());
    publisher.publish(zero(1)).await.unwrap();
    assert_eq!(count(&woken), 1);
    assert_eq!(zeros.lock().unwrap().try_recv().map(|zero| zero.0), Some(1));
}
