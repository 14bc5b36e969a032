use super::{Nth, Rig, Zero, gated, idle, one, plain, zero};
use daemon_core::{Bus, SubscribeError, Tap};
use std::time::SystemTime;

fn numbers(tap: &mut Tap) -> Vec<(u64, u64)> {
    std::iter::from_fn(|| tap.try_recv()).map(|seen| (seen.missed, seen.event.downcast::<Zero>().unwrap().0)).collect()
}

#[tokio::test]
async fn it_sees_what_its_pattern_selects_whoever_publishes_it_and_whoever_hears_it() {
    let (rig, running) = Rig::new([plain::<0>()]).started().await;
    let mut tap = rig.bus.tap("me", "test:**").unwrap();
    rig.publisher.publish(zero(1)).await.unwrap();
    rig.bus.publisher("another").try_publish(one(2)).unwrap();
    rig.publisher.publish_to("test:made:up", Nth::<2>(3)).await.unwrap();
    rig.publisher.publish_to("elsewhere", Nth::<2>(4)).await.unwrap();
    let mut seen = Vec::new();
    while let Some(tapped) = tap.try_recv() {
        let event = &tapped.event;
        assert!(event.published_at() <= SystemTime::now());
        let json = event.to_json().unwrap().unwrap();
        seen.push(format!("{} by {}: {json}, missed {}", event.topic(), event.publisher(), tapped.missed));
    }
    assert_eq!(
        seen,
        ["test:zero by tester: 1, missed 0", "test:one by another: 2, missed 0", "test:made:up by tester: 3, missed 0"]
    );
    rig.drained(running).await;
    assert_eq!(rig.counts("plain"), [1, 1, 0, 0, 0, 0, 0]);
}

#[tokio::test]
async fn a_slow_reader_loses_the_oldest_is_told_how_many_and_holds_nobody_up() {
    let bus = Bus::new();
    let (publisher, mut tap) = (bus.publisher("tester"), bus.tap("me", "test:zero").unwrap());
    for number in 0..3 {
        publisher.try_publish(zero(number)).unwrap();
    }
    assert_eq!(numbers(&mut tap), [(0, 0), (0, 1), (0, 2)]);
    for number in 0..1024 + 7 {
        publisher.try_publish(zero(number)).unwrap();
    }
    let first = tap.try_recv().unwrap();
    assert_eq!((first.missed, first.event.downcast::<Zero>().unwrap().0, tap.missed()), (7, 7, 7));
    publisher.try_publish(zero(2_000)).unwrap();
    publisher.try_publish(zero(2_001)).unwrap();
    let rest = numbers(&mut tap);
    assert_eq!(rest.len(), 1024);
    assert_eq!((rest[0], rest[1], rest[1023]), ((1, 9), (0, 10), (0, 2_001)));
    assert_eq!(tap.missed(), 8);
}

#[tokio::test]
async fn it_waits_for_events_and_ends_with_its_drop() {
    let bus = Bus::new();
    let mut tap = bus.tap("me", "**").unwrap();
    let publisher = bus.publisher("tester");
    let reader = tokio::spawn(async move { tap.recv().await.unwrap().event.topic().to_owned() });
    idle().await;
    publisher.publish(one(1)).await.unwrap();
    assert_eq!(reader.await.unwrap(), "test:one");
    assert_eq!((bus.subscriptions(), bus.topics()), (0, 1), "the topic of a type that was published stays");
}

#[tokio::test]
async fn a_pattern_that_is_none_is_refused() {
    assert!(matches!(Bus::new().tap("me", "a::b"), Err(SubscribeError::InvalidPattern { .. })));
}

#[tokio::test]
async fn it_is_no_subscription() {
    let bus = Bus::new();
    let _tap = bus.tap("me", "test:*").unwrap();
    let _literal = bus.tap("me", "test:zero").unwrap();
    assert_eq!(bus.subscriptions(), 0);
    let (rig, running) = Rig::on(&bus, "rig", [gated::<0>().capacity(1)]).started().await;
    assert_eq!(bus.subscriptions(), 1);
    for number in 0..2 {
        rig.publisher.publish(zero(number)).await.unwrap();
        idle().await;
    }
    assert!(rig.publisher.try_publish(zero(2)).unwrap_err().is_full(), "it changes nothing for others");
    rig.probe.gates[0].add_permits(2);
    rig.drained(running).await;
    assert_eq!(rig.counts("gated"), [3, 2, 0, 1, 0, 0, 0]);
}
