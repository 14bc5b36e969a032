use super::{Rig, cut, gated, idle, log, one, plain, zero};
use daemon_core::Overflow;

#[tokio::test]
async fn events_before_the_start_come_first_and_in_order() {
    let rig = Rig::new([plain::<0>().capacity(2), plain::<1>().overflow(Overflow::DropOldest).capacity(2)]);
    for number in 0..100 {
        rig.publisher.publish(zero(number)).await.unwrap();
        rig.publisher.publish(one(1000 + number)).await.unwrap();
    }
    assert!(rig.wiring.status().iter().all(|status| status.queued == 100));
    let running = rig.start();
    idle().await;
    rig.publisher.publish(zero(100)).await.unwrap();
    rig.publisher.publish(one(1100)).await.unwrap();
    rig.drained(running).await;
    let seen = rig.probe.seen_by("plain");
    let (zero, one): (Vec<u64>, Vec<u64>) = seen.iter().partition(|number| **number < 1000);
    assert_eq!(zero, (0..=100).collect::<Vec<_>>());
    assert_eq!(one, (1000..=1100).collect::<Vec<_>>());
}

#[tokio::test]
async fn handlers_of_one_daemon_keep_the_order_of_publishing() {
    let rig = Rig::new([plain::<0>(), plain::<1>()]);
    for number in 0..10 {
        rig.publisher.publish(zero(2 * number)).await.unwrap();
        rig.publisher.publish(one(2 * number + 1)).await.unwrap();
    }
    let running = rig.start();
    idle().await;
    rig.drained(running).await;
    assert_eq!(rig.probe.seen_by("plain"), (0..20).collect::<Vec<_>>());
}

#[tokio::test]
async fn the_startup_buffer_drops_the_oldest() {
    let rig = Rig::new([plain::<0>().startup(3), plain::<1>().startup(0)]);
    for number in 0..10 {
        rig.publisher.publish(zero(number)).await.unwrap();
        rig.publisher.publish(one(number)).await.unwrap();
    }
    let counts: Vec<_> = rig.wiring.status().iter().map(|s| (s.offered, s.dropped, s.queued)).collect();
    assert_eq!(counts, [(10, 7, 3), (10, 10, 0)]);
    let running = rig.start();
    idle().await;
    rig.drained(running).await;
    assert_eq!(rig.probe.seen_by("plain"), [7, 8, 9]);
}

#[tokio::test]
async fn what_the_startup_buffer_drops_is_told_of_once_for_each_wait() {
    let (log, _listening) = log::listen();
    let rig = Rig::new([plain::<0>().startup(3)]);
    let told = || log.text().matches("startup buffer is full").count();
    for life in 1..=2 {
        for number in 0..10 {
            rig.publisher.publish(zero(number)).await.unwrap();
        }
        assert_eq!(told(), life, "{}", log.text());
        let running = rig.start();
        idle().await;
        rig.wiring.buffer();
        running.await.unwrap().unwrap();
    }
    let line = log.line("startup buffer is full").unwrap();
    assert!(line.contains("subscription=\"rig.plain\""), "{line}");
}

#[tokio::test]
async fn queued_events_and_counters_survive_a_restart_and_the_one_in_flight_does_not() {
    let rows = || [gated::<0>().capacity(4), gated::<0>().overflow(Overflow::DropOldest).capacity(4)];
    let (rig, running) = Rig::new(rows()).started().await;
    for number in 0..5 {
        rig.publisher.publish(zero(number)).await.unwrap();
        idle().await;
    }
    cut(running).await;
    rig.publisher.publish(zero(5)).await.unwrap();
    for status in rig.wiring.status() {
        assert_eq!((status.offered, status.abandoned, status.queued, status.in_flight), (6, 1, 5, 0));
    }
    rig.probe.gates[0].add_permits(10);
    let running = rig.start();
    idle().await;
    rig.drained(running).await;
    let mut seen = rig.probe.seen_by("gated");
    seen.sort_unstable();
    assert_eq!(seen, [1, 1, 2, 2, 3, 3, 4, 4, 5, 5]);
}

#[tokio::test]
async fn the_order_of_publishing_holds_over_a_restart() {
    let (rig, running) = Rig::new([plain::<0>(), plain::<1>()]).started().await;
    for number in 0..4 {
        rig.publisher.publish(zero(2 * number)).await.unwrap();
        rig.publisher.publish(one(2 * number + 1)).await.unwrap();
    }
    cut(running).await;
    assert!(rig.probe.seen_by("plain").is_empty());
    let running = rig.start();
    idle().await;
    rig.drained(running).await;
    assert_eq!(rig.probe.seen_by("plain"), (0..8).collect::<Vec<_>>());
}

/// As many events as were queued when the life ended are kept, if that is more than the bound; the oldest makes room all the same.
#[tokio::test]
async fn what_was_queued_survives_a_restart_whatever_the_bound() {
    for (overflow, fails) in [(Overflow::Block, false), (Overflow::DropOldest, false), (Overflow::Block, true)] {
        let (rig, running) = Rig::new([plain::<0>().overflow(overflow).startup(0)]).started().await;
        let publish = |numbers: std::ops::Range<u64>| numbers.for_each(|n| rig.publisher.try_publish(zero(n)).unwrap());
        publish(0..3);
        cut(running).await;
        publish(3..4);
        assert_eq!(rig.counts("plain"), [4, 0, 0, 1, 0, 3, 0]);
        if fails {
            rig.wiring.close();
        } else {
            let running = rig.start();
            idle().await;
            rig.wiring.buffer();
            running.await.unwrap().unwrap();
            assert_eq!(rig.probe.seen_by("plain"), [1, 2, 3]);
        }
        rig.wiring.buffer();
        publish(4..6);
        assert_eq!(rig.status("plain").queued, 0, "nothing was queued in the life before");
    }
}

#[tokio::test]
async fn restarts_do_not_grow_the_buffer() {
    let rig = Rig::new([gated::<0>().capacity(4).startup(8)]);
    for round in 0..20 {
        for number in 0..50 {
            rig.publisher.publish(zero(round * 50 + number)).await.unwrap();
        }
        let running = rig.start();
        idle().await;
        cut(running).await;
        assert!(rig.status("gated").queued <= 8, "{:?}", rig.status("gated"));
    }
    assert_eq!(rig.status("gated").abandoned, 20);
}

#[tokio::test]
async fn what_comes_to_a_stopped_subscriber_is_abandoned() {
    let (rig, running) = Rig::new([plain::<0>()]).started().await;
    rig.drained(running).await;
    rig.publisher.publish(zero(0)).await.unwrap();
    rig.wiring.close();
    rig.publisher.publish(zero(1)).await.unwrap();
    assert_eq!(rig.counts("plain"), [2, 0, 0, 0, 2, 0, 0]);
    assert_eq!(rig.start().await.unwrap(), Ok(()), "a closed mailbox delivers nothing");
}

#[tokio::test]
async fn closing_abandons_what_is_queued() {
    let (rig, running) = Rig::new([gated::<0>(), plain::<0>()]).started().await;
    for number in 0..5 {
        rig.publisher.publish(zero(number)).await.unwrap();
    }
    idle().await;
    assert_eq!(rig.counts("gated"), [5, 0, 0, 0, 0, 4, 1]);
    rig.wiring.close();
    running.await.unwrap().unwrap();
    assert_eq!(rig.counts("gated"), [5, 0, 0, 0, 5, 0, 0]);
    assert_eq!(rig.counts("plain"), [5, 5, 0, 0, 0, 0, 0]);
}
