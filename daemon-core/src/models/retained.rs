//! Retained events: which stays, who gets it, and how often.

use super::*;

/// A numbered event whose last one is kept.
struct Last(u64);

impl Event for Last {
    const TOPIC: &'static str = "model:last";
    const RETAIN: bool = true;
}

/// Two publish at once into a queue that is full and makes them wait: the event that stays comes last to the subscriber.
///
/// Caught: places in line taken after the lock of the shelf is released.
#[test]
fn the_one_that_stays_comes_last_even_to_a_full_queue() {
    explore(|| {
        let bus = Bus::new();
        let mut subscription =
            bus.subscribe::<Last>("model", Last::TOPIC, QueueOptions::default().capacity(1)).unwrap();
        bus.publisher("model").try_publish(Last(0)).unwrap();
        let publishers = [1, 2].map(|number| {
            let publisher = bus.publisher("model");
            thread::spawn(move || block_on(publisher.publish(Last(number))).unwrap())
        });
        let received = block_on(async {
            let mut received = Vec::new();
            while received.len() < 3 {
                received.push(subscription.recv().await.unwrap().0);
            }
            received
        });
        publishers.into_iter().for_each(|publisher| publisher.join().unwrap());
        assert_eq!(bus.retained::<Last>(Last::TOPIC).map(|last| last.0), received.last().copied(), "{received:?}");
    });
}

/// Somebody subscribes while the next is published: it gets the last or both, in order, and none twice.
///
/// Caught: a publisher that does not look, under the lock of the shelf, whether its routes are still those of the topic.
#[test]
fn who_subscribes_beside_a_publish_gets_the_last_once() {
    explore(|| {
        let bus = Bus::new();
        let publisher = bus.publisher("model");
        publisher.try_publish(Last(1)).unwrap();
        let other = thread::spawn(move || publisher.try_publish(Last(2)).unwrap());
        let mut subscription = bus.subscribe::<Last>("model", Last::TOPIC, QueueOptions::default()).unwrap();
        other.join().unwrap();
        let received: Vec<_> = std::iter::from_fn(|| subscription.try_recv()).map(|last| last.0).collect();
        assert!(received == [1, 2] || received == [2], "{received:?}");
    });
}

/// As [`who_subscribes_beside_a_publish_gets_the_last_once`], by a pattern, where nobody has named the topic.
///
/// Caught: the same, of the patterns alone.
#[test]
fn who_subscribes_to_a_pattern_beside_a_publish_gets_the_last_once() {
    explore(|| {
        let bus = Bus::new();
        let publisher = bus.publisher("model");
        let other = thread::spawn(move || publisher.try_publish_to("model:made:up", Last(1)).unwrap());
        let mut subscription = bus.subscribe_all("model", "model:made:*", QueueOptions::default()).unwrap();
        other.join().unwrap();
        assert_eq!(subscription.try_recv().map(|last| last.topic().to_owned()).as_deref(), Some("model:made:up"));
        assert!(subscription.try_recv().is_none());
    });
}

/// A subscriber stops and begins again while the next is published: it gets that one, once, wherever it comes from.
///
/// Caught: a life that looks at the shelf before it keeps what comes.
#[test]
fn who_begins_again_beside_a_publish_gets_the_last_once() {
    explore(|| {
        let attach: Attach<Probe, (), Last> = |probe, ()| {
            place(move |event: Arc<Last>| async move {
                probe.saw(event.0);
                (event, Ok(()))
            })
        };
        let rig = Rig::new(EventRow::typed::<Last>("handler", attach));
        rig.wiring.drain();
        rig.publisher.try_publish(Last(1)).unwrap();
        let publisher = rig.publisher.clone();
        let other = thread::spawn(move || publisher.try_publish(Last(2)).unwrap());
        rig.wiring.begin(false);
        other.join().unwrap();
        let dispatcher = rig.live();
        rig.wiring.drain();
        dispatcher.join().unwrap();
        let seen = rig.seen();
        assert!(seen == [1, 2] || seen == [2], "{seen:?}");
    });
}
