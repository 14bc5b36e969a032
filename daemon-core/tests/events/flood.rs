//! Floods, handlers that never end and changes under load: memory is bounded, and neighbours are unharmed.

use super::log;
use super::{Nth, Probe, Rig, Row, assert_adds_up, cut, gated, idle, one, plain, zero};
use daemon_core::{Attach, Bus, Event, EventRow, Key, Overflow, QueueOptions, place};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

const POLICIES: [Overflow; 4] = [Overflow::Block, Overflow::DropOldest, Overflow::DropNewest, Overflow::Latest];

#[tokio::test]
async fn a_handler_that_never_ends_keeps_no_more_than_its_bound_and_costs_others_nothing() {
    for overflow in POLICIES {
        let stuck = gated::<0>().overflow(overflow).capacity(8);
        let rows = [stuck, plain::<0>().capacity(1 << 20), plain::<1>()];
        let (rig, running) = Rig::new(rows).started().await;
        let mut refused = 0;
        for number in 0..20_000 {
            refused += u64::from(rig.publisher.try_publish(zero(number)).is_err());
            if number % 1000 == 0 {
                idle().await;
            }
        }
        rig.publisher.publish(one(20_000)).await.unwrap();
        idle().await;
        let status = rig.status("gated");
        assert_eq!((status.offered, status.in_flight), (20_000, 1), "{status:?}");
        assert!(status.queued <= 8 && status.high_water <= 8, "{status:?}");
        assert_eq!(refused, if overflow == Overflow::Block { status.dropped } else { 0 }, "{status:?}");
        assert_eq!(rig.probe.seen_by("plain").len(), 20_001, "{overflow}");
        running.abort();
    }
}

#[tokio::test]
async fn who_floods_a_queue_that_drops_is_named_once() {
    for overflow in POLICIES {
        let (log, _listening) = log::listen();
        let rows = [gated::<0>().overflow(overflow).capacity(8), plain::<0>().capacity(1 << 20)];
        let (rig, running) = Rig::new(rows).started().await;
        let mut tap = rig.bus.tap("spy", "**").unwrap();
        let flood = rig.bus.publisher("flood");
        for number in 0..5_000 {
            drop(flood.try_publish(zero(number)));
            if number % 1000 == 0 {
                idle().await;
            }
        }
        idle().await;
        assert!(rig.status("gated").dropped > 4_000);
        let told =
            "queue is full; events are dropped from now on, and counted subscription=\"rig.gated\" publisher=\"flood\"";
        let expected = matches!(overflow, Overflow::DropOldest | Overflow::DropNewest);
        assert_eq!(log.text().matches(told).count(), usize::from(expected), "{overflow}: {}", log.text());
        assert_eq!(log.text().matches("queue is full").count(), usize::from(expected), "the tap is told itself");
        assert!(tap.try_recv().unwrap().missed > 3_000);
        assert_eq!(rig.probe.seen_by("plain").len(), 5_000, "{overflow}");
        running.abort();
    }
}

#[tokio::test]
async fn each_life_tells_anew_that_a_queue_is_full() {
    let (log, _listening) = log::listen();
    let rig = Rig::new([gated::<0>().overflow(Overflow::DropNewest).capacity(1)]);
    for life in 1..=2 {
        let running = rig.start();
        idle().await;
        for number in 0..9 {
            rig.publisher.try_publish(zero(number)).unwrap();
        }
        assert_eq!(log.text().matches("queue is full").count(), life, "{}", log.text());
        cut(running).await;
    }
}

/// Publishes its own event anew each time, which its queue takes at once: there is always one more.
fn endless() -> Row {
    let attach: Attach<Probe, (), Nth<0>> = |probe, ()| {
        place(move |event: Arc<Nth<0>>| async move {
            probe.publisher.try_publish(zero(event.0 + 1)).unwrap();
            (event, Ok(()))
        })
    };
    EventRow::typed::<Nth<0>>("endless", attach)
}

#[tokio::test]
async fn a_queue_that_is_never_empty_leaves_its_daemons_other_handlers_their_turns() {
    for overflow in POLICIES {
        for row in [endless(), endless().concurrency(3)] {
            let (rig, running) = Rig::new([row.overflow(overflow).capacity(100), plain::<1>()]).started().await;
            rig.publisher.publish(zero(0)).await.unwrap();
            for number in 0..10 {
                rig.publisher.publish(one(number)).await.unwrap();
                for _ in 0..5 {
                    tokio::task::yield_now().await;
                }
                assert_eq!(rig.probe.seen_by("plain").len() as u64, number + 1, "{overflow}");
            }
            assert!(rig.status("endless").handled > 100);
            rig.wiring.close();
            running.await.unwrap().unwrap();
        }
    }
}

/// Has a task begin, and expects that it lets others on before it is done with what never makes it wait.
async fn assert_takes_turns(what: &str, work: impl Future<Output = ()> + Send + 'static) {
    let task = tokio::spawn(work);
    tokio::task::yield_now().await;
    assert!(!task.is_finished(), "{what} in a loop would hold its worker for ever");
    task.await.unwrap();
}

#[tokio::test]
async fn loops_of_publishes_and_receives_that_never_wait_leave_others_their_turns() {
    const MANY: u64 = 10_000;
    let (rig, running) = Rig::new([plain::<0>().overflow(Overflow::DropOldest).capacity(1)]).started().await;
    let mut tap = rig.bus.tap("spy", "test:one").unwrap();
    let options = QueueOptions::default().capacity(1 << 14);
    let mut pulled = rig.bus.subscribe::<Nth<1>>("puller", "test:one", options).unwrap();
    let loops = [
        "`publish`",
        "`publish_to`",
        "`publish_to_and_wait` with nobody to wait for",
        "`publish_to` that is refused",
        "`publish_to_and_wait` that is refused",
    ];
    for (nth, what) in loops.into_iter().enumerate() {
        let publisher = rig.publisher.clone();
        assert_takes_turns(what, async move {
            for number in 0..MANY {
                match nth {
                    0 => publisher.publish(zero(number)).await.unwrap(),
                    1 => publisher.publish_to("test:zero", zero(number)).await.unwrap(),
                    2 => drop(publisher.publish_to_and_wait("test:nobody", one(number), &[]).await.unwrap()),
                    3 => drop(publisher.publish_to("no topic", zero(number)).await.unwrap_err()),
                    _ => drop(publisher.publish_to_and_wait("no topic", zero(number), &[]).await.unwrap_err()),
                }
            }
        })
        .await;
    }
    for number in 0..MANY {
        rig.publisher.try_publish(one(number)).unwrap();
    }
    assert_takes_turns("`Subscription::recv`", async move {
        for number in 0..MANY {
            assert_eq!(pulled.recv().await.unwrap().0, number);
        }
    })
    .await;
    assert_takes_turns("`Tap::recv`", async move {
        for _ in 0..1000 {
            tap.recv().await.unwrap();
        }
    })
    .await;
    running.abort();
}

/// For event 0: publishes the same again and again, though its own queue is full and its publishes are refused for it.
fn insistent() -> Row {
    let attach: Attach<Probe, (), Nth<0>> = |probe, ()| {
        place(move |event: Arc<Nth<0>>| async move {
            if event.0 == 0 {
                probe.pass(0).await;
                for _ in 0..1000 {
                    probe.publisher.publish(zero(1)).await.unwrap_err();
                }
            }
            probe.saw("insistent", event.0);
            (event, Ok(()))
        })
    };
    EventRow::typed::<Nth<0>>("insistent", attach).capacity(1)
}

#[tokio::test]
async fn a_handler_whose_publishes_would_wait_for_itself_leaves_others_their_turns() {
    let (rig, running) = Rig::new([insistent()]).started().await;
    for number in 0..2 {
        rig.publisher.publish(zero(number)).await.unwrap();
        idle().await;
    }
    rig.probe.gates[0].add_permits(1);
    tokio::task::yield_now().await;
    assert!(rig.probe.seen_by("insistent").is_empty(), "the loop would hold its worker for ever");
    while rig.probe.seen_by("insistent") != [0, 1] {
        tokio::task::yield_now().await;
    }
    rig.drained(running).await;
}

static STOP: AtomicBool = AtomicBool::new(false);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn subscriptions_come_and_go_under_load_and_the_others_miss_nothing() {
    let bus = Bus::new();
    let rows = [plain::<0>(), plain::<0>().overflow(Overflow::DropOldest).capacity(1 << 20), gated::<1>()];
    let (rig, running) = Rig::on(&bus, "steady", rows).started().await;
    let publishers: Vec<_> = (0..2)
        .map(|who| {
            let publisher = bus.publisher("flooding");
            tokio::spawn(async move {
                let mut published = 0;
                while !STOP.load(Ordering::Relaxed) {
                    publisher.publish(zero(2 * published + who)).await.unwrap();
                    published += 1;
                }
                published
            })
        })
        .collect();
    let mut received = 0;
    for round in 0..300_usize {
        let options = QueueOptions::default().capacity(1).overflow(POLICIES[round % 4]);
        let topic = if round.is_multiple_of(3) { "test:*" } else { "test:zero" };
        let mut passing = bus.subscribe::<Nth<0>>("passing", topic, options).unwrap();
        let mut last = [None; 2];
        for _ in 0..3 {
            let number = passing.recv().await.unwrap().0;
            let last = &mut last[(number % 2) as usize];
            assert!(*last < Some(number), "out of order: {last:?}, {number}");
            *last = Some(number);
            received += 1;
        }
        assert_adds_up(&passing.status());
    }
    STOP.store(true, Ordering::Relaxed);
    let mut published = 0;
    for publisher in publishers {
        published += publisher.await.unwrap();
    }
    rig.drained(running).await;
    assert_eq!((received, bus.subscriptions()), (900, 3));
    for status in rig.wiring.status().iter().filter(|status| status.topic == "test:zero") {
        assert_eq!((status.offered, status.handled), (published, published), "{status:?}");
    }
}

/// A number that is an event of one of many topics.
struct Numbered(u64);

impl Event for Numbered {
    const TOPIC: &'static str = "many:*";
}

#[tokio::test]
async fn a_hundred_thousand_topics_leave_what_one_queue_may_keep() {
    static HANDLED: AtomicU64 = AtomicU64::new(0);
    let attach: Attach<Probe, (), Numbered> = |_, ()| {
        place(|event: Arc<Numbered>| async move {
            HANDLED.fetch_add(1, Ordering::Relaxed);
            (event, Ok(()))
        })
    };
    let row = EventRow::typed::<Numbered>("numbered", attach).latest_by(Key::of(|event: &Numbered| &event.0));
    let rig = Rig::new([row.capacity(64).startup(64)]);
    for number in 0..100_000 {
        rig.publisher.publish_to(&format!("many:{number}"), Numbered(number % 10)).await.unwrap();
    }
    assert_eq!(rig.counts("numbered"), [100_000, 0, 0, 99_936, 0, 64, 0]);
    assert_eq!(rig.bus.topics(), 0);
    let running = rig.start();
    idle().await;
    rig.drained(running).await;
    assert_eq!(HANDLED.load(Ordering::Relaxed), 64);
}
