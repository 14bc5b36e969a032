use super::{Probe, Rig, Zero, cut, gated, idle, log, plain, zero};
use daemon_core::{Attach, Bus, EventRow, Overflow, PublishError, QueueOptions, place};
use std::sync::Arc;
use std::time::Duration;

#[tokio::test]
async fn drop_newest_keeps_the_first() {
    let (rig, running) = Rig::new([gated::<0>().capacity(3).overflow(Overflow::DropNewest)]).started().await;
    rig.publisher.publish(zero(0)).await.unwrap();
    idle().await; // in flight
    for number in 1..=10 {
        rig.publisher.publish(zero(number)).await.unwrap();
    }
    assert_eq!(rig.counts("gated"), [11, 0, 0, 7, 0, 3, 1]);
    assert_eq!(rig.status("gated").high_water, 3);
    rig.probe.gates[0].add_permits(4);
    rig.drained(running).await;
    assert_eq!(rig.probe.seen_by("gated"), [0, 1, 2, 3]);
}

#[tokio::test]
async fn drop_oldest_keeps_the_last() {
    let (rig, running) = Rig::new([gated::<0>().capacity(3).overflow(Overflow::DropOldest)]).started().await;
    rig.publisher.publish(zero(0)).await.unwrap();
    idle().await;
    for number in 1..=10 {
        rig.publisher.publish(zero(number)).await.unwrap();
    }
    assert_eq!(rig.counts("gated"), [11, 0, 0, 7, 0, 3, 1]);
    rig.probe.gates[0].add_permits(4);
    rig.drained(running).await;
    assert_eq!(rig.probe.seen_by("gated"), [0, 8, 9, 10]);
}

#[tokio::test]
async fn block_waits_first_come_first_served() {
    let (rig, running) = Rig::new([gated::<0>().capacity(2)]).started().await;
    for number in 0..=2 {
        rig.publisher.publish(zero(number)).await.unwrap();
        idle().await;
    }
    let mut waiting = Vec::new();
    for number in 3..6 {
        let publisher = rig.publisher.clone();
        waiting.push(tokio::spawn(async move { publisher.publish(zero(number)).await }));
        idle().await;
    }
    assert!(waiting.iter().all(|publish| !publish.is_finished()));
    assert_eq!(rig.counts("gated"), [6, 0, 0, 0, 0, 5, 1]);
    rig.probe.gates[0].add_permits(1);
    idle().await;
    assert_eq!(waiting.iter().map(|publish| publish.is_finished()).collect::<Vec<_>>(), [true, false, false]);
    rig.probe.gates[0].add_permits(5);
    for publish in waiting {
        publish.await.unwrap().unwrap();
    }
    rig.drained(running).await;
    assert_eq!(rig.probe.seen_by("gated"), [0, 1, 2, 3, 4, 5]);
    assert_eq!(rig.counts("gated"), [6, 6, 0, 0, 0, 0, 0]);
}

#[tokio::test]
async fn a_publish_given_up_takes_its_event_back() {
    let (rig, running) = Rig::new([gated::<0>().capacity(1), plain::<0>()]).started().await;
    rig.publisher.publish(zero(0)).await.unwrap();
    idle().await;
    rig.publisher.publish(zero(1)).await.unwrap();
    for number in [2, 3] {
        let mut publish = Box::pin(rig.publisher.publish(zero(number)));
        assert!(tokio::time::timeout(Duration::ZERO, &mut publish).await.is_err());
    }
    assert_eq!(rig.counts("gated"), [4, 0, 0, 2, 0, 1, 1]);
    idle().await;
    assert_eq!(rig.probe.seen_by("plain"), [0, 1, 2, 3], "the neighbour has them");
    rig.probe.gates[0].add_permits(2);
    rig.drained(running).await;
    assert_eq!(rig.probe.seen_by("gated"), [0, 1]);
}

#[tokio::test]
async fn try_publish_never_waits() {
    let (rig, running) = Rig::new([gated::<0>().capacity(1), plain::<0>()]).started().await;
    rig.publisher.try_publish(zero(0)).unwrap();
    idle().await;
    rig.publisher.try_publish(zero(1)).unwrap();
    let error = rig.publisher.try_publish(zero(2)).unwrap_err();
    assert_eq!(error, PublishError::Full { subscription: "rig.gated".into() });
    assert!(error.is_full() && !error.is_would_deadlock());
    assert_eq!(rig.counts("gated"), [3, 0, 0, 1, 0, 1, 1]);
    rig.probe.gates[0].add_permits(2);
    rig.drained(running).await;
    assert_eq!(rig.probe.seen_by("plain"), [0, 1, 2]);
}

#[tokio::test]
async fn a_bound_is_the_same_for_those_who_wait_until_their_event_is_handled() {
    let (rig, running) = Rig::new([gated::<0>().capacity(3)]).started().await;
    rig.publisher.try_publish(zero(0)).unwrap();
    idle().await; // in flight, and there was room for two more
    let waits = [1, 2].map(|number| {
        let publisher = rig.publisher.clone();
        tokio::spawn(async move { publisher.publish_and_wait(zero(number), &[]).await })
    });
    idle().await;
    rig.publisher.try_publish(zero(3)).unwrap();
    assert!(rig.publisher.try_publish(zero(4)).unwrap_err().is_full());
    assert_eq!(rig.counts("gated"), [5, 0, 0, 1, 0, 3, 1]);
    rig.probe.gates[0].add_permits(4);
    for wait in waits {
        assert_eq!(wait.await.unwrap(), Ok(1));
    }
    rig.drained(running).await;
}

#[tokio::test]
async fn a_bound_holds_from_one_life_to_the_next() {
    let (rig, running) = Rig::new([gated::<0>().capacity(3)]).started().await;
    rig.publisher.try_publish(zero(0)).unwrap();
    idle().await; // in flight, and there was room for two more
    cut(running).await;
    for number in 1..=3 {
        rig.publisher.try_publish(zero(number)).unwrap();
    }
    let (rig, running) = rig.started().await;
    rig.publisher.try_publish(zero(4)).unwrap();
    assert!(rig.publisher.try_publish(zero(5)).unwrap_err().is_full());
    assert_eq!(rig.counts("gated"), [6, 0, 0, 1, 1, 3, 1]);
    running.abort();
}

#[tokio::test]
async fn a_full_queue_costs_its_neighbours_nothing() {
    for overflow in [Overflow::DropNewest, Overflow::DropOldest] {
        let rows = [gated::<0>().capacity(1).overflow(overflow), plain::<0>().capacity(1000)];
        let (rig, running) = Rig::new(rows).started().await;
        for number in 0..500 {
            rig.publisher.publish(zero(number)).await.unwrap();
            tokio::task::yield_now().await;
        }
        idle().await;
        assert_eq!(rig.counts("plain"), [500, 500, 0, 0, 0, 0, 0]);
        assert_eq!(rig.counts("gated"), [500, 0, 0, 498, 0, 1, 1]);
        rig.probe.gates[0].add_permits(2);
        rig.drained(running).await;
    }
}

#[tokio::test]
async fn each_queue_has_its_own_bound() {
    let rows = [2, 5, 9].map(|capacity| gated::<0>().capacity(capacity).overflow(Overflow::DropNewest));
    let (rig, running) = Rig::new(rows).started().await;
    rig.publisher.publish(zero(0)).await.unwrap();
    idle().await;
    for number in 1..=20 {
        rig.publisher.publish(zero(number)).await.unwrap();
    }
    let queued: Vec<u64> = rig.wiring.status().iter().map(|status| status.queued).collect();
    assert_eq!(queued, [2, 5, 9]);
    rig.probe.gates[0].add_permits(100);
    rig.drained(running).await;
    let handled: Vec<u64> = rig.wiring.status().iter().map(|status| status.handled).collect();
    assert_eq!(handled, [3, 6, 10]);
}

#[tokio::test(start_paused = true)]
async fn a_wait_ends_when_the_subscriber_stops_or_backs_off() {
    for stop in [true, false] {
        let (rig, running) = Rig::new([gated::<0>().capacity(1)]).started().await;
        for number in 0..2 {
            rig.publisher.publish(zero(number)).await.unwrap();
            idle().await;
        }
        let publisher = rig.publisher.clone();
        let waiting = tokio::spawn(async move { publisher.publish(zero(2)).await });
        idle().await;
        if stop {
            rig.wiring.drain()
        } else {
            rig.wiring.buffer()
        }
        waiting.await.unwrap().unwrap();
        let [lost, kept] = if stop { [1, 0] } else { [0, 1] };
        assert_eq!(rig.counts("gated"), [3, 0, 0, 0, lost, 1 + kept, 1]);
        rig.probe.gates[0].add_permits(3);
        running.await.unwrap().unwrap();
        assert_eq!(rig.counts("gated"), [3, 2, 0, 0, lost, kept, 0]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_long_wait_goes_on_after_its_warning() {
    let (rig, running) = Rig::new([gated::<0>().capacity(1)]).started().await;
    for number in 0..2 {
        rig.publisher.publish(zero(number)).await.unwrap();
        idle().await;
    }
    let wait = tokio::time::timeout(Duration::from_secs(5), rig.publisher.publish(zero(2)));
    let open = async {
        tokio::time::sleep(Duration::from_secs(3)).await;
        rig.probe.gates[0].add_permits(3);
    };
    let (waited, ()) = tokio::join!(wait, open);
    waited.unwrap().unwrap();
    rig.drained(running).await;
    assert_eq!(rig.probe.seen_by("gated"), [0, 1, 2]);
}

#[tokio::test(start_paused = true)]
async fn a_long_wait_is_told_of_where_it_goes_on() {
    let (log, _listening) = log::listen();
    let bus = Bus::new();
    let full = |owner| bus.subscribe::<Zero>(owner, "test:zero", QueueOptions::default().capacity(1)).unwrap();
    let (mut quick, _slow) = (full("quick"), full("slow"));
    let publisher = bus.publisher("tester");
    publisher.try_publish(zero(0)).unwrap();
    let wait = tokio::time::timeout(Duration::from_secs(5), publisher.publish(zero(1)));
    let receive = async {
        tokio::time::sleep(Duration::from_secs(2)).await;
        quick.recv().await
    };
    let (waited, _) = tokio::join!(wait, receive);
    assert!(waited.is_err(), "one still had no room");
    let told = |of: &str| log.text().matches(&format!("has waited for room for {of}")).count();
    assert_eq!((told("1s"), told("3s")), (2, 1), "{}", log.text());
    let last = log.line("for room for 3s").unwrap();
    assert!(last.contains("subscription=\"slow.test:zero\""), "{last}");
}

/// A handler that has just taken an event made room, which belongs to the publisher that waits: its own event does not get in first.
#[tokio::test]
async fn nothing_overtakes_a_publisher_that_waits() {
    let attach: Attach<Probe, (), Zero> = |probe, ()| {
        place(move |event: Arc<Zero>| async move {
            if event.0 == 0 {
                probe.pass(0).await;
            }
            if event.0 == 1 {
                let refused = probe.publisher.try_publish(zero(3)).unwrap_err();
                assert!(matches!(refused, PublishError::Full { .. }), "{refused}");
            }
            probe.saw("handler", event.0);
            (event, Ok(()))
        })
    };
    let row = EventRow::typed::<Zero>("handler", attach).capacity(1);
    let (rig, running) = Rig::new([row]).started().await;
    for number in 0..2 {
        rig.publisher.publish(zero(number)).await.unwrap();
        idle().await;
    }
    let publisher = rig.publisher.clone();
    let waits = tokio::spawn(async move { publisher.publish(zero(2)).await });
    idle().await;
    assert_eq!(rig.status("handler").queued, 2);
    rig.probe.gates[0].add_permits(1);
    waits.await.unwrap().unwrap();
    rig.drained(running).await;
    assert_eq!(rig.probe.seen_by("handler"), [0, 1, 2]);
    assert_eq!(rig.counts("handler"), [4, 3, 0, 1, 0, 0, 0]);
}

/// As one that a program made for itself may be, which publishes by the handle of its host.
#[test]
fn a_publisher_may_wait_in_a_runtime_without_timers() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let bus = Bus::new();
        let options = QueueOptions::default().capacity(1);
        let mut subscription = bus.subscribe::<Zero>("reader", "test:zero", options).unwrap();
        let publisher = bus.publisher("tester");
        publisher.publish(zero(0)).await.unwrap();
        let ((), handled) = tokio::join!(
            async {
                for number in 0..3 {
                    idle().await;
                    assert_eq!(subscription.recv().await.unwrap().0, number);
                }
            },
            async {
                publisher.publish(zero(1)).await.unwrap();
                publisher.publish_and_wait(zero(2), &[]).await
            }
        );
        assert_eq!(handled, Ok(1));
    });
}
