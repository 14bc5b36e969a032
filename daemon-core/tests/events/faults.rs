use super::{Probe, Rig, Row, Zero, cut, fault, gated, idle, log, plain, zero};
use daemon_core::{Attach, EventRow, Failure, Filter, Observer, Overflow, QueueOptions, place};
use std::pin::Pin;
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll};

/// Panics at once for 2, later for 4, returns an error for 3.
fn faulty() -> Row {
    let attach: Attach<Probe, (), Zero> = |probe, ()| {
        place(move |event: Arc<Zero>| async move {
            match event.0 {
                2 => panic!("two"),
                3 => return (event, Err(fault("three"))),
                4 => {
                    tokio::task::yield_now().await;
                    panic!("four {}", 4);
                }
                _ => {}
            }
            probe.saw("faulty", event.0);
            (event, Ok(()))
        })
    };
    EventRow::typed::<Zero>("faulty", attach)
}

#[tokio::test]
async fn a_fault_is_counted_reported_and_stays_where_it_is() {
    let (log, _listening) = log::listen();
    let (rig, running) = Rig::new([plain::<0>(), faulty(), gated::<0>()]).started().await;
    rig.probe.gates[0].add_permits(7);
    for number in 0..7 {
        rig.publisher.publish(zero(number)).await.unwrap();
    }
    rig.drained(running).await;
    assert_eq!(rig.counts("faulty"), [7, 4, 3, 0, 0, 0, 0]);
    assert_eq!(rig.probe.seen_by("faulty"), [0, 1, 5, 6]);
    assert_eq!(rig.probe.seen_by("plain"), (0..7).collect::<Vec<_>>());
    assert_eq!(rig.probe.seen_by("gated"), (0..7).collect::<Vec<_>>());
    let told = rig.probe.failures.lock().unwrap().clone();
    assert_eq!(told, ["faulty panicked: two 1", "faulty three 2", "faulty panicked: four 4 3", "faulty recovered"]);
    assert!(!log.text().contains("the observer"), "{}", log.text());
}

struct Bomb {
    armed: bool,
}

impl Drop for Bomb {
    fn drop(&mut self) {
        assert!(!self.armed, "in a destructor");
    }
}

/// Holds a bomb while it waits at gate 1, and defuses it if it gets through.
fn armed() -> Row {
    let attach: Attach<Probe, (), Zero> = |probe, ()| {
        place(move |event: Arc<Zero>| async move {
            let mut bomb = Bomb { armed: true };
            probe.pass(1).await;
            bomb.armed = false;
            (event, Ok(()))
        })
    };
    EventRow::typed::<Zero>("armed", attach)
}

#[tokio::test]
async fn a_panic_in_a_destructor_loses_no_count() {
    let (log, _listening) = log::listen();
    let told = || log.text().matches("the destructor of a handler's future panicked").count();
    let (rig, running) = Rig::new([armed(), gated::<0>(), armed()]).started().await;
    for number in 0..3 {
        rig.publisher.publish(zero(number)).await.unwrap();
    }
    idle().await;
    cut(running).await;
    assert_eq!(told(), 2, "{}", log.text());
    for status in rig.wiring.status() {
        assert_eq!((status.abandoned, status.queued, status.in_flight), (1, 2, 0));
    }
    rig.probe.gates[0].add_permits(2);
    rig.probe.gates[1].add_permits(4);
    let running = rig.start();
    idle().await;
    rig.drained(running).await;
    for status in rig.wiring.status() {
        assert_eq!((status.handled, status.abandoned, status.queued), (2, 1, 0));
    }
    assert_eq!(told(), 2, "those that came through are no fault");
}

#[tokio::test]
async fn a_panic_whose_payload_explodes_is_a_failure_like_any_other_and_told_of() {
    let (log, _listening) = log::listen();
    let attach: Attach<Probe, (), Zero> = |_, ()| place(|_| async { std::panic::panic_any(Bomb { armed: true }) });
    let (rig, running) = Rig::new([EventRow::typed::<Zero>("throws", attach), faulty()]).started().await;
    for number in 2..4 {
        rig.publisher.publish(zero(number)).await.unwrap();
    }
    rig.drained(running).await;
    assert_eq!((rig.counts("throws"), rig.counts("faulty")), ([2, 0, 2, 0, 0, 0, 0], [2, 0, 2, 0, 0, 0, 0]));
    let told = log.text().matches("the destructor of a panic's payload panicked").count();
    assert_eq!(told, 2, "{}", log.text());
}

/// Panics when it is polled, and holds something that it would let go of only when it is dropped.
struct Panics(#[expect(dead_code, reason = "it is held")] Arc<()>);

impl Future for Panics {
    type Output = (Arc<Zero>, daemon_core::Result<()>);

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        panic!("while it is polled");
    }
}

#[tokio::test]
async fn a_call_that_panics_is_dropped_at_once() {
    static HELD: LazyLock<Arc<()>> = LazyLock::new(Arc::default);
    let attach: Attach<Probe, (), Zero> = |_, ()| place(|_| Panics(HELD.clone()));
    let (rig, running) = Rig::new([EventRow::typed::<Zero>("panics", attach)]).started().await;
    rig.publisher.publish(zero(1)).await.unwrap();
    idle().await;
    assert_eq!(rig.counts("panics"), [1, 0, 1, 0, 0, 0, 0]);
    assert_eq!(Arc::strong_count(&HELD), 1);
    rig.drained(running).await;
}

/// Panics whenever it is told something.
struct Squeamish;

impl Observer for Squeamish {
    fn failed(&self, _: &str, _: Failure, _: u32) {
        panic!("at a failure");
    }

    fn recovered(&self, _: &str) {
        panic!("at a recovery");
    }
}

#[tokio::test]
async fn an_observer_that_panics_is_told_of_and_harms_no_handler() {
    let (log, _listening) = log::listen();
    let rig = Rig::new([plain::<0>(), faulty(), plain::<0>()]);
    for number in 0..6 {
        rig.publisher.publish(zero(number)).await.unwrap();
    }
    rig.wiring.drain();
    rig.wiring.run(&rig.probe, &(), &Squeamish).await.unwrap();
    let counts: Vec<_> = rig.wiring.status().iter().map(|status| (status.handled, status.failed)).collect();
    assert_eq!(counts, [(6, 0), (3, 3), (6, 0)]);
    assert_eq!(log.text().matches("the observer of a failed handler panicked").count(), 4, "{}", log.text());
}

/// Explodes, if it is lit.
struct Fuse {
    lit: bool,
}

impl daemon_core::Event for Fuse {
    const TOPIC: &'static str = "test:fuse";
}

impl Drop for Fuse {
    fn drop(&mut self) {
        assert!(!self.lit, "in an event's destructor");
    }
}

#[tokio::test]
async fn a_handler_that_gives_back_another_event_hands_it_to_nobody() {
    let swaps: Attach<Probe, (), Fuse> = |_, ()| place(|_| async { (Arc::new(Fuse { lit: true }), Ok(())) });
    let sees: Attach<Probe, (), Fuse> = |probe, ()| {
        place(move |event: Arc<Fuse>| async move {
            probe.saw("sees", event.lit.into());
            (event, Ok(()))
        })
    };
    let rows = [EventRow::typed::<Fuse>("swaps", swaps), EventRow::typed::<Fuse>("sees", sees)];
    let (rig, running) = Rig::new(rows).started().await;
    for _ in 0..3 {
        rig.publisher.publish(Fuse { lit: false }).await.unwrap();
    }
    rig.drained(running).await;
    assert_eq!(rig.counts("swaps"), [3, 3, 0, 0, 0, 0, 0]);
    assert_eq!(rig.probe.seen_by("sees"), [0; 3]);
}

struct Explosive;

impl daemon_core::Event for Explosive {
    const TOPIC: &'static str = "test:explosive";
}

impl Drop for Explosive {
    fn drop(&mut self) {
        panic!("in an event's destructor");
    }
}

#[tokio::test]
async fn a_panic_in_an_events_destructor_does_not_end_the_dispatcher() {
    let attach: Attach<Probe, (), Explosive> = |probe, ()| {
        place(move |event| async move {
            probe.saw("explosive", 1);
            (event, Ok(()))
        })
    };
    for handlers in 1..=2 {
        let (log, _listening) = log::listen();
        let rows = (0..handlers).map(|_| EventRow::typed::<Explosive>("explosive", attach));
        let (rig, running) = Rig::new(rows.chain([plain::<0>()])).started().await;
        for _ in 0..3 {
            rig.publisher.publish(Explosive).await.unwrap();
            idle().await;
        }
        rig.publisher.publish(zero(1)).await.unwrap();
        rig.drained(running).await;
        assert_eq!(rig.probe.seen_by("explosive").len(), 3 * handlers);
        assert_eq!(rig.probe.seen_by("plain"), [1]);
        assert_eq!(log.text().matches("a destructor failed").count(), 3, "{}", log.text());
    }
}

#[tokio::test]
async fn a_publish_that_is_given_up_or_refused_drops_its_event_quietly() {
    let attach: Attach<Probe, (), Explosive> = |_, ()| {
        place(|event| async move {
            std::future::pending::<()>().await;
            (event, Ok(()))
        })
    };
    let (rig, running) = Rig::new([EventRow::typed::<Explosive>("stuck", attach).capacity(1)]).started().await;
    for _ in 0..2 {
        rig.publisher.publish(Explosive).await.unwrap();
        idle().await;
    }
    let mut waits = Box::pin(rig.publisher.publish(Explosive));
    assert!(std::future::poll_fn(|cx| Poll::Ready(waits.as_mut().poll(cx).is_pending())).await);
    drop(waits);
    assert!(rig.publisher.try_publish(Explosive).unwrap_err().is_full());
    assert_eq!(rig.counts("stuck")[..4], [4, 0, 0, 2]);
    running.abort();
}

/// What drops an event for want of room, or since nobody will handle it, does so while it has other things to do.
#[tokio::test]
async fn an_event_that_explodes_where_it_is_dropped_ends_nothing() {
    let stuck = || {
        let attach: Attach<Probe, (), Explosive> = |_, ()| {
            place(|event| async move {
                std::future::pending::<()>().await;
                (event, Ok(()))
            })
        };
        EventRow::typed::<Explosive>("stuck", attach)
    };
    for overflow in [Overflow::DropOldest, Overflow::DropNewest, Overflow::Latest] {
        let (rig, running) = Rig::new([stuck().overflow(overflow).capacity(1)]).started().await;
        for _ in 0..4 {
            rig.publisher.publish(Explosive).await.unwrap();
            idle().await;
        }
        assert_eq!(rig.counts("stuck"), [4, 0, 0, 2, 0, 1, 1], "{overflow}");
        rig.wiring.close();
        rig.publisher.publish(Explosive).await.unwrap();
        running.await.unwrap().unwrap();
        assert_eq!(rig.counts("stuck"), [5, 0, 0, 2, 3, 0, 0], "{overflow}");
    }
    let rig = Rig::new([stuck().startup(1)]);
    for _ in 0..3 {
        rig.publisher.publish(Explosive).await.unwrap();
    }
    assert_eq!(rig.counts("stuck"), [3, 0, 0, 2, 0, 1, 0]);
    rig.wiring.close();
    assert_eq!(rig.counts("stuck"), [3, 0, 0, 2, 1, 0, 0]);

    let (rig, running) = Rig::new([stuck().capacity(1)]).started().await;
    let waits = [(); 4].map(|()| {
        let publisher = rig.publisher.clone();
        tokio::spawn(async move { publisher.publish(Explosive).await })
    });
    idle().await;
    rig.wiring.drain();
    for wait in waits {
        wait.await.unwrap().unwrap();
    }
    assert_eq!(rig.counts("stuck"), [4, 0, 0, 0, 2, 1, 1]);
    running.abort();

    let subscription = rig.bus.subscribe::<Explosive>("pulls", "test:explosive", <_>::default()).unwrap();
    rig.publisher.publish(Explosive).await.unwrap();
    drop(subscription);
}

/// Explodes, if it is to.
struct Kept(bool);

impl daemon_core::Event for Kept {
    const TOPIC: &'static str = "test:kept";
    const RETAIN: bool = true;
}

impl Drop for Kept {
    fn drop(&mut self) {
        assert!(!self.0, "in an event's destructor");
    }
}

#[tokio::test]
async fn a_retained_event_that_explodes_when_another_takes_its_place_does_not_keep_that_away() {
    let rig = Rig::new([]);
    for explodes in [true, false] {
        rig.publisher.publish(Kept(explodes)).await.unwrap();
    }
    assert!(!rig.bus.retained::<Kept>("test:kept").unwrap().0);

    rig.publisher.publish(Kept(true)).await.unwrap();
    let publisher = rig.publisher.clone();
    let replaces = Filter::of(move |kept: &Kept| {
        if kept.0 {
            publisher.try_publish(Kept(false)).unwrap();
        }
        false
    });
    rig.bus.subscribe::<Kept>("late", "test:kept", QueueOptions::default().when(replaces)).unwrap();
    assert!(!rig.bus.retained::<Kept>("test:kept").unwrap().0, "who subscribed was the last to hold the other");
}

/// The last to hold an event that is refused is the handler that would have waited for ever.
#[tokio::test]
async fn an_event_that_explodes_where_a_wait_is_refused_fails_no_handler() {
    let attach: Attach<Probe, (), Explosive> = |probe, ()| {
        place(move |event| async move {
            probe.pass(0).await;
            assert!(probe.publisher.publish(Explosive).await.unwrap_err().is_would_deadlock());
            (event, Ok(()))
        })
    };
    let (rig, running) = Rig::new([EventRow::typed::<Explosive>("own", attach).capacity(1)]).started().await;
    for _ in 0..2 {
        rig.publisher.publish(Explosive).await.unwrap();
        idle().await;
    }
    rig.probe.gates[0].add_permits(1);
    idle().await;
    assert_eq!(rig.counts("own"), [3, 1, 0, 1, 0, 0, 1]);
    running.abort();
}

/// Panics at gate 1, or waits there for ever, and holds its event meanwhile.
fn doomed() -> Row {
    let attach: Attach<Probe, (), Explosive> = |probe, ()| {
        place(move |event: Arc<Explosive>| async move {
            probe.pass(1).await;
            assert!(probe.gates[2].available_permits() == 0, "as it was told");
            (event, Ok(()))
        })
    };
    EventRow::typed::<Explosive>("doomed", attach)
}

/// Whoever waits to know how an event ends shares it with its handler, and may be the last to let go of it.
#[tokio::test]
async fn an_event_whose_publisher_waits_may_explode_when_its_handler_panics_or_is_cut_short() {
    let (rig, running) = Rig::new([doomed(), plain::<0>()]).started().await;
    rig.probe.gates[2].add_permits(1);
    for _ in 0..2 {
        let publisher = rig.publisher.clone();
        let waits = tokio::spawn(async move { publisher.publish_and_wait(Explosive, &[]).await });
        idle().await;
        rig.probe.gates[1].add_permits(1);
        let unhandled = waits.await.unwrap().unwrap_err();
        assert!(unhandled.to_string().contains("as it was told"), "{unhandled}");
    }
    assert_eq!(rig.counts("doomed"), [2, 0, 2, 0, 0, 0, 0]);

    let publisher = rig.publisher.clone();
    let waits = tokio::spawn(async move { publisher.publish_and_wait(Explosive, &[]).await });
    idle().await;
    cut(running).await;
    assert_eq!(rig.counts("doomed"), [3, 0, 2, 0, 1, 0, 0]);
    assert!(waits.await.unwrap().unwrap_err().to_string().contains("abandoned"));
    let (rig, running) = rig.started().await;
    rig.publisher.publish(zero(1)).await.unwrap();
    rig.drained(running).await;
    assert_eq!(rig.probe.seen_by("plain"), [1], "the next life begins");
}

/// Nobody takes it, or those who do have let go of it before its publisher does.
#[tokio::test]
async fn an_event_that_explodes_in_its_publishers_hands_is_published_all_the_same() {
    let (log, _listening) = log::listen();
    let bus = daemon_core::Bus::new();
    let publisher = bus.publisher("tester");
    publisher.publish(zero(1)).await.unwrap();
    publisher.publish(Explosive).await.unwrap();
    publisher.try_publish_to("test:elsewhere", Explosive).unwrap();
    assert_eq!(publisher.publish_and_wait(Explosive, &[]).await, Ok(0));
    let of_another_type = bus.subscribe::<Zero>("other", "test:explosive", <_>::default()).unwrap();
    assert!(publisher.publish(Explosive).await.unwrap_err().is_misuse());
    assert_eq!(of_another_type.status().offered, 0);
    assert_eq!(log.text().matches("an event's destructor panicked").count(), 4, "as often as one did: {}", log.text());
}
