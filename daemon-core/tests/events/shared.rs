use super::{Nth, Probe, Rig, Row, cut, fault, idle, one, zero};
use daemon_core::{
    Attach, Bus, Event, EventRow, Failure, Handlers, Key, Observer, Overflow, PublishError, SubscribeError, place,
};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Wake, Waker};

/// Waits at the gate of its topic before it writes an event down; fails for multiples of 31, panics for those of 97.
fn member<const TOPIC: usize>() -> Row
where
    Nth<TOPIC>: Event,
{
    let attach: Attach<Probe, (), Nth<TOPIC>> = |probe, ()| {
        place(move |event: Arc<Nth<TOPIC>>| async move {
            probe.pass(TOPIC).await;
            probe.saw("member", event.0);
            assert!(event.0 == 0 || !event.0.is_multiple_of(97), "a multiple of 97");
            let fails = event.0 > 0 && event.0.is_multiple_of(31);
            (event, if fails { Err(fault("a multiple of 31")) } else { Ok(()) })
        })
    };
    EventRow::typed::<Nth<TOPIC>>(["created", "deleted", "updated"][TOPIC], attach).queue("users")
}

/// Publishes numbers in turn on the topics `created` and `deleted` listen to.
async fn publish(rig: &Rig, numbers: std::ops::Range<u64>) {
    for number in numbers {
        if number.is_multiple_of(2) {
            rig.publisher.publish(zero(number)).await.unwrap();
        } else {
            rig.publisher.publish(one(number)).await.unwrap();
        }
    }
}

fn open(rig: &Rig, times: usize) {
    rig.probe.gates.iter().for_each(|gate| gate.add_permits(times));
}

#[tokio::test]
async fn no_event_overtakes_another_whatever_its_type_and_however_long_its_handler_takes() {
    let (rig, running) = Rig::new([member::<0>(), member::<1>()]).started().await;
    rig.probe.gates[1].add_permits(100);
    publish(&rig, 0..200).await;
    idle().await;
    assert_eq!(rig.probe.seen_by("member"), [0_u64; 0], "`deleted` could, and waits for `created`");
    assert_eq!((rig.counts("created"), rig.counts("deleted")), ([100, 0, 0, 0, 0, 99, 1], [100, 0, 0, 0, 0, 100, 0]));
    rig.probe.gates[0].add_permits(1);
    idle().await;
    assert_eq!(rig.probe.seen_by("member"), [0, 1]);
    rig.probe.gates[0].add_permits(99);
    rig.drained(running).await;
    assert_eq!(rig.probe.seen_by("member"), (0..200).collect::<Vec<_>>());
    let [created, deleted] = [rig.status("created"), rig.status("deleted")];
    assert_eq!((created.handled, created.failed), (96, 4), "62, 124, 186 and 194");
    assert_eq!((deleted.handled, deleted.failed), (96, 4), "31, 93, 97 and 155");
}

#[tokio::test]
async fn the_queue_is_named_and_its_bound_is_that_of_all() {
    let (rig, running) = Rig::new([member::<0>().capacity(3), member::<1>(), member::<2>()]).started().await;
    publish(&rig, 0..4).await;
    idle().await;
    let error = rig.publisher.try_publish(one(5)).unwrap_err();
    assert_eq!(error, PublishError::Full { subscription: "rig.deleted".into() });
    let waiting = [6, 7, 8, 9].map(|number| {
        let publisher = rig.publisher.clone();
        tokio::spawn(async move { publisher.publish(Nth::<2>(number)).await })
    });
    idle().await;
    assert!(waiting.iter().all(|waiting| !waiting.is_finished()));
    for (name, queued) in [("created", 1), ("deleted", 2), ("updated", 4)] {
        let status = rig.status(name);
        assert_eq!((status.queue.as_deref(), status.capacity, status.high_water), (Some("users"), 3, 3), "{status:?}");
        assert_eq!(status.queued, queued, "{status:?}");
    }
    open(&rig, 10);
    for waiting in waiting {
        waiting.await.unwrap().unwrap();
    }
    rig.drained(running).await;
    assert_eq!(rig.probe.seen_by("member"), [0, 1, 2, 3, 6, 7, 8, 9]);
}

#[tokio::test]
async fn what_makes_room_is_counted_where_it_was_to_go() {
    for (overflow, seen, dropped) in
        [(Overflow::DropOldest, [0, 5, 6, 7], (2, 2)), (Overflow::DropNewest, [0, 1, 2, 3], (2, 2))]
    {
        let rows = [member::<0>().overflow(overflow), member::<1>().capacity(3)];
        let (rig, running) = Rig::new(rows).started().await;
        publish(&rig, 0..1).await;
        idle().await;
        publish(&rig, 1..8).await;
        assert_eq!((rig.status("created").dropped, rig.status("deleted").dropped), dropped, "{overflow}");
        open(&rig, 10);
        rig.drained(running).await;
        assert_eq!(rig.probe.seen_by("member"), seen, "{overflow}");
    }
}

#[tokio::test]
async fn the_order_holds_through_starts_and_restarts() {
    let rig = Rig::new([member::<0>().startup(4), member::<1>()]);
    publish(&rig, 0..6).await;
    assert_eq!((rig.counts("created")[3], rig.counts("deleted")[3]), (1, 1), "0 and 1 were the oldest of six");
    let running = rig.start();
    idle().await;
    cut(running).await;
    assert_eq!(rig.counts("created"), [3, 0, 0, 1, 1, 1, 0]);
    publish(&rig, 6..8).await;
    assert_eq!((rig.counts("created")[5], rig.counts("deleted")[5]), (2, 2), "a bound of four, and 3, 4, 5 are kept");
    let running = rig.start();
    open(&rig, 10);
    idle().await;
    publish(&rig, 8..10).await;
    rig.drained(running).await;
    assert_eq!(rig.probe.seen_by("member"), [4, 5, 6, 7, 8, 9]);
}

#[tokio::test]
async fn a_publish_given_up_takes_its_event_back() {
    let (rig, running) = Rig::new([member::<0>().capacity(1), member::<1>()]).started().await;
    publish(&rig, 0..1).await;
    idle().await;
    publish(&rig, 1..2).await;
    let mut publish = Box::pin(rig.publisher.publish(one(3)));
    assert!(tokio::time::timeout(std::time::Duration::ZERO, &mut publish).await.is_err());
    assert_eq!(rig.counts("deleted"), [2, 0, 0, 0, 0, 2, 0]);
    drop(publish);
    assert_eq!(rig.counts("deleted"), [2, 0, 0, 1, 0, 1, 0]);
    open(&rig, 2);
    rig.drained(running).await;
    assert_eq!(rig.probe.seen_by("member"), [0, 1]);
}

#[tokio::test]
async fn stopping_abandons_what_waits() {
    let (rig, running) = Rig::new([member::<0>().capacity(1), member::<1>()]).started().await;
    publish(&rig, 0..1).await;
    idle().await;
    publish(&rig, 1..2).await;
    let publisher = rig.publisher.clone();
    let waiting = tokio::spawn(async move { publisher.publish(zero(2)).await });
    idle().await;
    rig.wiring.close();
    waiting.await.unwrap().unwrap();
    running.await.unwrap().unwrap();
    assert_eq!((rig.counts("created"), rig.counts("deleted")), ([2, 0, 0, 0, 2, 0, 0], [1, 0, 0, 0, 1, 0, 0]));
}

#[tokio::test]
async fn two_handlers_of_one_event_take_turns() {
    let second = EventRow::typed::<Nth<0>>("second", |probe: &Probe, &()| {
        place(move |event: Arc<Nth<0>>| async move {
            probe.saw("member", 100 + event.0);
            (event, Ok(()))
        })
    });
    let (rig, running) = Rig::new([member::<0>(), second.queue("users")]).started().await;
    for number in 1..=3 {
        rig.publisher.publish(zero(number)).await.unwrap();
    }
    open(&rig, 3);
    rig.drained(running).await;
    assert_eq!(rig.probe.seen_by("member"), [1, 101, 2, 102, 3, 103]);
}

/// Of one event two wait in the same line, and the first is in when the publish is given up.
#[tokio::test]
async fn a_publish_given_up_takes_back_what_still_waits() {
    let second = EventRow::typed::<Nth<0>>("second", |probe: &Probe, &()| {
        place(move |event: Arc<Nth<0>>| async move {
            probe.pass(1).await;
            (event, Ok(()))
        })
    });
    let (rig, running) = Rig::new([member::<0>().capacity(1), second.queue("users")]).started().await;
    let publish = |number| {
        let publisher = rig.publisher.clone();
        tokio::spawn(async move { publisher.publish(zero(number)).await })
    };
    let first = publish(1);
    idle().await;
    first.await.unwrap().unwrap();
    let given_up = publish(2);
    idle().await;
    rig.probe.gates[0].add_permits(1);
    idle().await;
    assert_eq!((rig.counts("created"), rig.counts("second")), ([2, 1, 0, 0, 0, 1, 0], [2, 0, 0, 0, 0, 1, 1]));
    given_up.abort();
    assert!(given_up.await.unwrap_err().is_cancelled());
    assert_eq!((rig.counts("created"), rig.counts("second")), ([2, 1, 0, 0, 0, 1, 0], [2, 0, 0, 1, 0, 0, 1]));
    running.abort();
}

#[tokio::test]
async fn a_handler_cannot_wait_for_the_queue_it_holds_up() {
    let publishes = EventRow::typed::<Nth<0>>("publishes", |probe: &Probe, &()| {
        place(move |event: Arc<Nth<0>>| async move {
            probe.pass(0).await;
            let error = probe.publisher.publish(one(2)).await.unwrap_err();
            assert!(error.is_would_deadlock(), "{error}");
            probe.saw("publishes", event.0);
            (event, Ok(()))
        })
    });
    let (rig, running) = Rig::new([publishes.queue("users").capacity(1), member::<1>()]).started().await;
    rig.publisher.publish(zero(0)).await.unwrap();
    idle().await;
    rig.publisher.publish(one(1)).await.unwrap();
    open(&rig, 2);
    idle().await;
    rig.drained(running).await;
    assert_eq!((rig.probe.seen_by("publishes"), rig.probe.seen_by("member")), (vec![0], vec![1]));
    assert_eq!(rig.counts("deleted"), [2, 1, 0, 1, 0, 0, 0]);
}

#[test]
fn its_handlers_agree_on_it() {
    let refused = |rows: [Row; 2]| {
        let mut handlers = Handlers::new();
        for row in rows {
            handlers.push(row);
        }
        let error = handlers.register(&Bus::new(), "rig").unwrap_err();
        assert!(matches!(&error, SubscribeError::QueueMismatch { queue, .. } if queue == "users"), "{error:?}");
        error.to_string()
    };
    assert_eq!(
        refused([member::<0>().capacity(3), member::<1>().capacity(4)]),
        "queue `users` of `rig`: `created` gives it capacity 3 and `deleted` capacity 4; give it once"
    );
    assert_eq!(
        refused([member::<0>().overflow(Overflow::Block), member::<1>().overflow(Overflow::DropOldest)]),
        "queue `users` of `rig`: `created` gives it overflow block and `deleted` overflow drop_oldest; give it once"
    );
    assert_eq!(
        refused([member::<0>().startup(1), member::<1>().startup(2)]),
        "queue `users` of `rig`: `created` gives it startup 1 and `deleted` startup 2; give it once"
    );
    assert_eq!(
        refused([member::<0>(), member::<1>().concurrency(2)]),
        "queue `users` of `rig`: its events are handled one at a time, so `deleted` cannot have a concurrency"
    );
    assert_eq!(
        refused([member::<0>().latest_by(Key::of(|event: &Nth<0>| &event.0)), member::<1>()]),
        "queue `users` of `rig`: it keeps the order of its events, and `latest` does not; `created` needs a queue of its own"
    );
}

#[tokio::test]
async fn handlers_that_agree_may_say_so() {
    let rows = [member::<0>().capacity(2).concurrency(1), member::<1>().capacity(2), member::<2>()];
    let rig = Rig::new(rows);
    assert!(rig.wiring.status().iter().all(|status| status.capacity == 2 && status.concurrency == 1));
}

/// Ends a life when it is woken.
#[derive(Default)]
struct Scissors(AtomicBool);

impl Wake for Scissors {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Release);
    }
}

impl Observer for Scissors {
    fn failed(&self, _: &str, _: Failure, _: u32) {}

    fn over(&self) -> &AtomicBool {
        &self.0
    }
}

/// The end comes between an event's being taken and its call: it is called in the next life, and before what came after it.
#[tokio::test]
async fn the_order_holds_where_a_life_ends_in_the_middle_of_a_turn() {
    let rig = Rig::new([member::<0>().capacity(1), member::<1>()]);
    let scissors = Arc::new(Scissors::default());
    let running = tokio::spawn({
        let (wiring, probe, scissors) = (rig.wiring.clone(), rig.probe.clone(), scissors.clone());
        async move { wiring.run(&probe, &(), &*scissors).await }
    });
    idle().await;
    publish(&rig, 0..1).await;
    idle().await;
    publish(&rig, 1..2).await;
    let waker = Waker::from(scissors.clone());
    {
        let mut waits = pin!(publish(&rig, 2..3));
        assert!(waits.as_mut().poll(&mut Context::from_waker(&waker)).is_pending(), "there is no room");
        open(&rig, 9);
        running.await.unwrap().unwrap();
        assert!(scissors.0.load(Ordering::Acquire), "room was made");
        waits.await;
    }
    assert_eq!((rig.counts("created"), rig.counts("deleted")), ([2, 1, 0, 0, 0, 1, 0], [1, 0, 0, 0, 0, 1, 0]));
    let running = rig.start();
    idle().await;
    rig.drained(running).await;
    assert_eq!(rig.probe.seen_by("member"), [0, 1, 2]);
}
