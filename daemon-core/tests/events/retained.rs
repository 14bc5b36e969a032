//! Events that are kept for those who subscribe later.

use super::{Probe, Rig, Row, assert_adds_up, cut, idle, log, waker};
use daemon_core::{
    Attach, Bus, Envelope, Event, EventRow, Fate, Filter, Key, Overflow, PublishError, Publisher, QueueOptions,
    Subscription, place,
};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::task::{Context, Waker};

/// A numbered state, of one topic.
#[derive(Debug)]
struct State(u64);

impl Event for State {
    const TOPIC: &'static str = "state:one";
    const RETAIN: bool = true;
}

/// A numbered state, of topics made up at run time.
#[derive(Debug)]
struct Of(u64);

impl Event for Of {
    const TOPIC: &'static str = "state:of:*";
    const RETAIN: bool = true;
}

/// Not retained.
struct Passing;

impl Event for Passing {
    const TOPIC: &'static str = "state:passing";
}

fn options() -> QueueOptions {
    QueueOptions::default()
}

fn numbers(subscription: &mut Subscription<State>) -> Vec<u64> {
    std::iter::from_fn(|| subscription.try_recv()).map(|state| state.0).collect()
}

async fn publish_of(publisher: &Publisher, topics: impl IntoIterator<Item = u64>) {
    for number in topics {
        publisher.publish_to(&format!("state:of:{number}"), Of(number)).await.unwrap();
    }
}

fn topics(subscription: &mut Subscription<Envelope>) -> Vec<String> {
    std::iter::from_fn(|| subscription.try_recv()).map(|event| event.topic().to_owned()).collect()
}

fn states(name: &'static str) -> Row {
    let attach: Attach<Probe, (), State> = |probe, ()| {
        place(move |event: Arc<State>| async move {
            probe.saw("state", event.0);
            (event, Ok(()))
        })
    };
    EventRow::typed::<State>(name, attach)
}

fn envelopes(name: &'static str, pattern: &'static str) -> Row {
    let attach: Attach<Probe, (), Envelope> = |probe, ()| {
        place(move |event: Arc<Envelope>| async move {
            probe.published.lock().unwrap().push(event.topic().to_owned());
            (event, Ok(()))
        })
    };
    EventRow::envelope(name, pattern, attach)
}

#[tokio::test]
async fn a_late_subscriber_begins_with_the_last_one_and_takes_it_from_nobody() {
    let bus = Bus::new();
    let publisher = bus.publisher("tester");
    assert!(bus.retained::<State>("state:one").is_none());
    for number in 0..3 {
        publisher.publish(State(number)).await.unwrap();
        publisher.try_publish(Passing).unwrap();
    }
    assert_eq!(bus.retained::<State>("state:one").unwrap().0, 2);
    assert_eq!(bus.topics(), 2, "of types that were published");
    for _ in 0..2 {
        let mut late = bus.subscribe::<State>("me", "state:one", options()).unwrap();
        publisher.publish(State(3)).await.unwrap();
        assert_eq!(numbers(&mut late), [2, 3]);
        publisher.publish(State(2)).await.unwrap();
        assert_eq!(late.status().offered, 3);
    }
    let mut passing = bus.subscribe::<Passing>("me", "state:passing", options()).unwrap();
    assert!(passing.try_recv().is_none());
    let mut tap = bus.tap("me", "**").unwrap();
    assert!(tap.try_recv().is_none(), "a tap sees what is published from now on");
}

#[tokio::test]
async fn a_pattern_begins_with_the_last_one_of_each_topic_in_the_order_they_came() {
    let bus = Bus::new();
    let publisher = bus.publisher("tester");
    publish_of(&publisher, [3, 1, 2, 1]).await;
    publisher.publish(State(9)).await.unwrap();
    let mut all = bus.subscribe_all("me", "state:**", options()).unwrap();
    assert_eq!(topics(&mut all), ["state:of:3", "state:of:2", "state:of:1", "state:one"]);
    let mut of = bus.subscribe::<Of>("me", "state:**", options()).unwrap();
    let seen: Vec<u64> = std::iter::from_fn(|| of.try_recv()).map(|of| of.0).collect();
    assert_eq!((seen, of.status().offered), (vec![3, 2, 1], 3), "of its own type");
    let mut two = bus.subscribe::<Of>("me", "state:of:2", options()).unwrap();
    assert_eq!(two.try_recv().unwrap().0, 2);
    assert!(bus.subscribe_all("me", "elsewhere:**", options()).unwrap().try_recv().is_none());
    assert_eq!(bus.retained::<Of>("state:of:3").unwrap().0, 3);
    assert!(bus.retained::<Of>("state:one").is_none(), "another type's");
}

#[tokio::test]
async fn its_envelope_says_where_it_came_from() {
    let bus = Bus::new();
    bus.publisher("first").publish(State(1)).await.unwrap();
    let seen = bus.subscribe_all("me", "state:*", options()).unwrap().try_recv().unwrap();
    assert_eq!((seen.publisher(), seen.topic(), seen.downcast::<State>().unwrap().0), ("first", "state:one", 1));
}

#[tokio::test]
async fn the_handlers_of_a_daemon_that_comes_later_begin_with_it() {
    let bus = Bus::new();
    let publisher = bus.publisher("tester");
    publisher.publish(State(1)).await.unwrap();
    publish_of(&publisher, [5]).await;
    let odd = states("odd").when(Filter::of(|state: &State| state.0 % 2 == 1));
    let even = states("even").when(Filter::of(|state: &State| state.0.is_multiple_of(2)));
    let strict = states("strict").when(Filter::of(|_: &State| -> bool { panic!("no") }));
    let rows = [states("all").startup(0), odd, even, strict, envelopes("any", "state:**")];
    let rig = Rig::on(&bus, "rig", rows);
    assert_eq!(rig.counts("all"), [1, 0, 0, 0, 0, 1, 0], "whatever its bounds");
    publisher.publish(State(2)).await.unwrap();
    let (rig, running) = rig.started().await;
    rig.drained(running).await;
    let mut seen = rig.probe.seen_by("state");
    seen.sort_unstable();
    assert_eq!(seen, [1, 2, 2], "only odd got 1");
    assert_eq!(*rig.probe.published.lock().unwrap(), ["state:one", "state:of:5", "state:one"]);
    assert_eq!(rig.counts("all"), [2, 1, 0, 1, 0, 0, 0], "the second one took its place");
    assert_eq!(rig.counts("odd"), [1, 1, 0, 0, 0, 0, 0]);
    assert_eq!(rig.counts("strict"), [2, 0, 2, 0, 0, 0, 0]);
    assert_eq!(rig.counts("any"), [3, 3, 0, 0, 0, 0, 0]);
}

#[tokio::test]
async fn of_too_many_topics_those_are_forgotten_that_came_longest_ago() {
    let (log, _listening) = log::listen();
    let bus = Bus::new();
    let publisher = bus.publisher("tester");
    publisher.publish(State(7)).await.unwrap();
    publish_of(&publisher, (0..1024).chain(0..1024)).await;
    publish_of(&publisher, [0]).await;
    assert!(!log.text().contains("retained"));
    publish_of(&publisher, 1024..1026).await;
    assert_eq!(log.text().matches("only the latest are retained").count(), 1, "{}", log.text());
    let mut all = bus.subscribe_all("me", "**", options().capacity(1)).unwrap();
    assert_eq!(all.status().queued, 1025, "each type by itself");
    let seen = topics(&mut all);
    assert_eq!((seen[0].as_str(), seen[1].as_str()), ("state:one", "state:of:3"), "1 and 2 made room");
    assert_eq!(seen[1022..], ["state:of:0", "state:of:1024", "state:of:1025"]);
    assert_adds_up(&all.status());
}

#[tokio::test]
async fn a_queue_that_keeps_the_latest_keeps_the_newer_one() {
    let bus = Bus::new();
    let publisher = bus.publisher("tester");
    publish_of(&publisher, [1, 2]).await;
    let latest = options().overflow(Overflow::Latest);
    let mut of = bus.subscribe::<Of>("me", "state:of:*", latest).unwrap();
    publish_of(&publisher, [1, 3]).await;
    let seen: Vec<u64> = std::iter::from_fn(|| of.try_recv()).map(|of| of.0).collect();
    assert_eq!(seen, [1, 2, 3], "the second 1 took the place of the first");
    let status = of.status();
    assert_eq!((status.offered, status.handled, status.dropped), (4, 3, 1));

    let same = options().latest_by(Key::of(|of: &Of| if of.0 == 3 { &0 } else { &1 }));
    let mut of = bus.subscribe::<Of>("me", "state:of:2", same).unwrap();
    assert_eq!(of.try_recv().unwrap().0, 2);
}

/// A daemon whose value lives through its restarts has seen what it has seen, and gets what it missed.
#[tokio::test]
async fn a_restart_brings_what_was_missed_and_nothing_twice() {
    restarts().await;
}

/// Looking at spans wraps each event once more.
#[tokio::test]
async fn a_restart_brings_what_was_missed_and_nothing_twice_whoever_looks_at_spans() {
    let _looked_at = log::look_at_spans();
    restarts().await;
}

async fn restarts() {
    let bus = Bus::new();
    let (rig, running) = Rig::on(&bus, "rig", [states("states"), envelopes("any", "state:of:*")]).started().await;
    rig.publisher.publish(State(1)).await.unwrap();
    publish_of(&rig.publisher, [1]).await;
    rig.drained(running).await;
    rig.wiring.begin(false);
    let (rig, running) = rig.started().await;
    rig.drained(running).await;
    assert_eq!(rig.probe.seen_by("state"), [1], "a restart without news");

    rig.publisher.publish(State(2)).await.unwrap();
    rig.publisher.publish(State(3)).await.unwrap();
    publish_of(&rig.publisher, [2]).await;
    rig.wiring.close();
    publish_of(&rig.publisher, [3]).await;
    assert_eq!(rig.counts("states"), [3, 1, 0, 0, 2, 0, 0]);
    rig.wiring.begin(false);
    rig.publisher.publish(State(4)).await.unwrap();
    rig.wiring.begin(false);
    let (rig, running) = rig.started().await;
    rig.drained(running).await;
    assert_eq!(rig.probe.seen_by("state"), [1, 3, 4], "2 was not the last one");
    assert_eq!(*rig.probe.published.lock().unwrap(), ["state:of:1", "state:of:2", "state:of:3"]);
    assert_eq!(rig.counts("states"), [5, 3, 0, 0, 2, 0, 0]);

    rig.wiring.begin(true);
    let (rig, running) = rig.started().await;
    rig.drained(running).await;
    assert_eq!(rig.probe.seen_by("state"), [1, 3, 4, 4], "another value begins anew");
    assert_eq!(rig.probe.published.lock().unwrap().len(), 6);
}

/// What was queued before comes before what was missed, and that before what came since.
#[tokio::test]
async fn the_order_holds_over_a_restart() {
    for (own, has_spans) in [(false, false), (true, false), (false, true)] {
        let _looked_at = has_spans.then(log::look_at_spans);
        let bus = Bus::new();
        let row = || if own { states("states").overflow(Overflow::DropOldest) } else { states("states") };
        let rig = Rig::on(&bus, "rig", [row()]);
        for number in 1..=3 {
            rig.publisher.publish(State(number)).await.unwrap();
        }
        let (rig, running) = rig.started().await;
        rig.drained(running).await;
        rig.wiring.begin(false);
        for number in 4..=5 {
            rig.publisher.publish(State(number)).await.unwrap();
        }
        // a life that is given up before it begins with anything
        let running = rig.start();
        cut(running).await;
        rig.wiring.drain();
        rig.publisher.publish(State(6)).await.unwrap();
        rig.publisher.publish(State(7)).await.unwrap();
        rig.wiring.begin(false);
        rig.publisher.publish(State(8)).await.unwrap();
        rig.wiring.begin(true);
        let (rig, running) = rig.started().await;
        rig.drained(running).await;
        assert_eq!(rig.probe.seen_by("state"), [1, 2, 3, 4, 5, 7, 8], "own: {own}");
        assert_eq!(rig.counts("states"), [9, 7, 0, 0, 2, 0, 0], "own: {own}");
    }
}

#[tokio::test]
async fn it_waits_for_room_like_any_other_and_comes_once() {
    let bus = Bus::new();
    let mut states = bus.subscribe::<State>("me", "state:one", options().capacity(1)).unwrap();
    let publish = |number| {
        let publisher = bus.publisher("tester");
        tokio::spawn(async move { publisher.publish(State(number)).await })
    };
    let (first, second, third) = (publish(1), publish(2), publish(3));
    idle().await;
    assert!(first.is_finished() && !second.is_finished() && !third.is_finished());
    third.abort();
    assert!(third.await.unwrap_err().is_cancelled());
    assert_eq!(states.try_recv().unwrap().0, 1);
    second.await.unwrap().unwrap();
    let refused = bus.publisher("tester").try_publish(State(4)).unwrap_err();
    assert!(refused.is_full(), "{refused}");
    assert_eq!(numbers(&mut states), [2]);
    let status = states.status();
    assert_eq!((status.offered, status.handled, status.dropped, status.queued), (4, 2, 2, 0));
}

#[tokio::test]
async fn one_of_another_type_is_refused() {
    let bus = Bus::new();
    let mut states = bus.subscribe::<State>("me", "state:one", options()).unwrap();
    let refused = bus.publisher("tester").publish_to("state:one", Of(1)).await.unwrap_err();
    assert!(matches!(refused, PublishError::TypeMismatch { .. }), "{refused}");
    assert!(states.try_recv().is_none() && bus.retained::<Of>("state:one").is_none());
    bus.publisher("tester").publish_to("state:one", State(2)).await.unwrap();
    assert_eq!((numbers(&mut states), bus.retained::<State>("state:one").unwrap().0), (vec![2], 2));
}

#[tokio::test]
async fn a_publisher_waits_for_it_like_for_any_other() {
    let bus = Bus::new();
    let (rig, running) = Rig::on(&bus, "rig", [states("states")]).started().await;
    assert_eq!(rig.publisher.publish_and_wait(State(1), &[]).await, Ok(1));
    rig.drained(running).await;
    let error = rig.publisher.publish_and_wait(State(2), &[]).await.unwrap_err();
    assert!(error.to_string().contains("abandoned"), "{error}");
    assert!(
        matches!(error, daemon_core::PublishError::Unhandled { unhandled, .. } if unhandled[0].fate == Fate::Abandoned)
    );
    rig.wiring.begin(false);
    let (rig, running) = rig.started().await;
    rig.drained(running).await;
    assert_eq!(rig.probe.seen_by("state"), [1, 2]);
}

/// Publishes another event while it is dropped, which happens outside every lock. The bus keeps it, and it does not keep the bus.
struct Echo(Weak<Bus>, Arc<AtomicBool>);

impl Event for Echo {
    const TOPIC: &'static str = "state:echo";
    const RETAIN: bool = true;
}

impl Drop for Echo {
    fn drop(&mut self) {
        if let Some(bus) = self.0.upgrade()
            && !self.1.swap(true, Ordering::Relaxed)
        {
            bus.publisher("echo").try_publish(State(1)).unwrap();
        }
    }
}

#[tokio::test]
async fn no_code_of_the_user_runs_under_its_lock() {
    let bus = Bus::new();
    let publisher = bus.publisher("tester");
    let inside = bus.clone();
    let filter = Filter::of(move |_: &Envelope| {
        inside.publisher("filter").try_publish(State(2)).unwrap();
        true
    });
    let _picky = bus.subscribe_all("me", "state:echo", options().when(filter.clone())).unwrap();
    let echoed = Arc::new(AtomicBool::new(false));
    for _ in 0..2 {
        publisher.publish(Echo(Arc::downgrade(&bus), echoed.clone())).await.unwrap();
    }
    drop(bus.subscribe_all("me", "state:echo", options().when(filter)).unwrap());
    assert_eq!(bus.retained::<State>("state:one").unwrap().0, 2);
    drop(_picky);
    publisher.publish(Echo(Arc::downgrade(&bus), echoed.clone())).await.unwrap();
    assert!(echoed.load(Ordering::Relaxed));
}

/// Not retained; publishes an event that is, while it is dropped.
struct Noise(Arc<Bus>);

impl Event for Noise {
    const TOPIC: &'static str = "state:noise";
}

impl Drop for Noise {
    fn drop(&mut self) {
        self.0.publisher("noise").try_publish(State(2)).unwrap();
    }
}

#[tokio::test]
async fn what_makes_room_for_it_is_dropped_outside_its_lock() {
    let bus = Bus::new();
    let publisher = bus.publisher("tester");
    let last = options().capacity(1).overflow(Overflow::DropOldest);
    let mut all = bus.subscribe_all("me", "**", last).unwrap();
    publisher.publish(Noise(bus.clone())).await.unwrap();
    publisher.publish(State(1)).await.unwrap();
    assert_eq!(bus.retained::<State>("state:one").unwrap().0, 2);
    assert_eq!(all.try_recv().unwrap().downcast::<State>().unwrap().0, 2);
}

/// A filter is asked without a lock, so much may have happened since the event was found.
#[tokio::test]
async fn what_happens_while_a_filter_is_asked_is_seen_to() {
    let (bus, rig) = (Bus::new(), Arc::new(OnceLock::<Rig>::new()));
    bus.publisher("tester").publish(State(1)).await.unwrap();
    let inside = Arc::downgrade(&rig);
    let stops = Filter::of(move |_: &State| {
        if let Some(rig) = inside.upgrade().as_ref().and_then(|rig| rig.get()) {
            rig.wiring.drain();
        }
        true
    });
    let rig = rig.get_or_init(|| Rig::on(&bus, "rig", [states("states").when(stops)]));
    rig.wiring.close();
    rig.wiring.begin(true);
    assert_eq!(rig.counts("states"), [2, 0, 0, 0, 2, 0, 0], "it stopped before it had the second one");
}

/// While others publish as fast as they can, who subscribes sees an unbroken run from its first event on.
#[test]
fn whenever_it_is_made_a_subscription_sees_everything_once_and_in_order() {
    let bus = Bus::new();
    let (over, published) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let publisher = bus.publisher("tester");
            while !over.load(Ordering::Relaxed) {
                let number = published.load(Ordering::Relaxed);
                publisher.try_publish(State(number)).unwrap();
                published.store(number + 1, Ordering::Relaxed);
            }
        });
        for round in 0..300 {
            let wide = options().capacity(usize::MAX);
            let wide = if round % 3 == 0 { wide.when(Filter::of(|_: &State| true)) } else { wide };
            let mut states = bus.subscribe::<State>("me", "state:one", wide).unwrap();
            let until = published.load(Ordering::Relaxed) + 3;
            while published.load(Ordering::Relaxed) < until {
                std::thread::yield_now();
            }
            states.close();
            let seen = numbers(&mut states);
            assert!(seen.len() >= 3, "{seen:?}");
            assert!(seen.windows(2).all(|pair| pair[1] == pair[0] + 1), "{seen:?}");
            assert_adds_up(&states.status());
        }
        over.store(true, Ordering::Relaxed);
    });
}

#[tokio::test]
async fn two_publishers_at_once_leave_the_same_one_last_everywhere() {
    let bus = Bus::new();
    let mut before = bus.subscribe::<State>("me", "state:one", options().capacity(usize::MAX)).unwrap();
    for _ in 0..50 {
        std::thread::scope(|scope| {
            for first in [0, 1_000] {
                let publisher = bus.publisher("tester");
                scope.spawn(move || {
                    for number in first..first + 20 {
                        publisher.try_publish(State(number)).unwrap();
                    }
                });
            }
        });
        let last = numbers(&mut before).pop();
        assert_eq!(last, bus.retained::<State>("state:one").map(|state| state.0));
    }
    idle().await;
}

/// The second publishes when it hears of the first's event, which has found no room by then.
#[tokio::test]
async fn of_two_who_wait_for_room_the_one_that_stays_comes_last() {
    type Publishes = Pin<Box<dyn Future<Output = Result<(), PublishError>> + Send>>;
    let bus = Bus::new();
    let mut hears = bus.subscribe::<State>("me", "state:one", options()).unwrap();
    let mut full = bus.subscribe::<State>("me", "state:one", options().capacity(1)).unwrap();
    let publisher = bus.publisher("tester");
    publisher.publish(State(0)).await.unwrap();
    assert_eq!(numbers(&mut hears), [0]);

    let second = Arc::new(Mutex::new(None));
    let (waits, publishes) = (second.clone(), publisher.clone());
    let woken = waker(move || {
        let publishes = publishes.clone();
        let mut second: Publishes = Box::pin(async move { publishes.publish(State(2)).await });
        assert!(second.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        *waits.lock().unwrap() = Some(second);
    });
    assert!(hears.poll_recv(&mut Context::from_waker(&woken)).is_pending());
    let mut first = Box::pin(publisher.publish(State(1)));
    assert!(first.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    assert_eq!(numbers(&mut full), [0, 1, 2]);
    first.await.unwrap();
    let second = second.lock().unwrap().take();
    second.unwrap().await.unwrap();
    assert_eq!((numbers(&mut hears), bus.retained::<State>("state:one").map(|last| last.0)), (vec![1, 2], Some(2)));
}

/// As a host does it: the intake stops, the life ends, events are kept, and only the next start asks for what was missed.
#[tokio::test]
async fn what_was_missed_comes_between_what_was_queued_and_what_was_kept() {
    let attach: Attach<Probe, (), Envelope> = |probe, ()| {
        place(move |event: Arc<Envelope>| async move {
            probe.pass(0).await;
            probe.published.lock().unwrap().push(event.topic().to_owned());
            (event, Ok(()))
        })
    };
    for overflow in [Overflow::Block, Overflow::DropOldest, Overflow::Latest] {
        let rig = Rig::new([EventRow::envelope("any", "state:of:*", attach).overflow(overflow)]);
        publish_of(&rig.publisher, [1, 2]).await;
        let (rig, running) = rig.started().await;
        publish_of(&rig.publisher, [3]).await;
        rig.wiring.drain();
        publish_of(&rig.publisher, [4]).await;
        cut(running).await;
        rig.wiring.buffer();
        publish_of(&rig.publisher, [5]).await;
        rig.wiring.begin(false);
        let (rig, running) = rig.started().await;
        rig.probe.gates[0].add_permits(9);
        rig.drained(running).await;
        let seen = rig.probe.published.lock().unwrap().clone();
        assert_eq!(seen, ["state:of:2", "state:of:3", "state:of:4", "state:of:5"], "{overflow}");
        assert_eq!(rig.counts("any"), [6, 4, 0, 0, 2, 0, 0], "{overflow}: 1 was cut, 4 came in vain at first");
    }
}

#[tokio::test]
async fn what_was_missed_takes_the_place_of_an_older_one_that_was_queued() {
    let attach: Attach<Probe, (), State> = |probe, ()| {
        place(move |event: Arc<State>| async move {
            probe.pass(0).await;
            probe.saw("state", event.0);
            (event, Ok(()))
        })
    };
    let row = EventRow::typed::<State>("states", attach).overflow(Overflow::Latest);
    let (rig, running) = Rig::new([row]).started().await;
    for number in 1..=2 {
        rig.publisher.publish(State(number)).await.unwrap();
        idle().await;
    }
    rig.wiring.drain();
    rig.publisher.publish(State(3)).await.unwrap();
    cut(running).await;
    rig.wiring.begin(false);
    assert_eq!(rig.counts("states"), [4, 0, 0, 1, 2, 1, 0]);
    let (rig, running) = rig.started().await;
    rig.probe.gates[0].add_permits(1);
    rig.drained(running).await;
    assert_eq!(rig.probe.seen_by("state"), [3]);
}

/// What waits when a daemon stops or fails is abandoned, and as good as missed.
#[tokio::test]
async fn what_was_queued_when_the_daemon_stopped_was_missed() {
    let policies = [Overflow::Block, Overflow::DropOldest, Overflow::Latest];
    for (overflow, has_spans) in policies.into_iter().flat_map(|overflow| [(overflow, false), (overflow, true)]) {
        let _looked_at = has_spans.then(log::look_at_spans);
        let rig = Rig::new([states("states").overflow(overflow), envelopes("any", "state:of:*").overflow(overflow)]);
        rig.publisher.publish(State(1)).await.unwrap();
        publish_of(&rig.publisher, [1, 2]).await;
        rig.wiring.close(); // it could not start
        rig.wiring.begin(false);
        let (rig, running) = rig.started().await;
        rig.drained(running).await;
        assert_eq!(rig.probe.seen_by("state"), [1], "{overflow}");
        assert_eq!(*rig.probe.published.lock().unwrap(), ["state:of:1", "state:of:2"], "{overflow}");
    }
}
