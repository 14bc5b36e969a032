//! A publisher that waits until its event is handled: it hears of each subscription, and of all before it goes on.

use super::*;
use crate::event::{Fate, PublishError, Unhandled};

/// Two daemons handle the event at the same time: the publisher is woken by the last, and hears of both.
///
/// Caught: the count of those that are open looked at under one lock, and the waker left under another.
#[test]
fn who_waits_is_woken_by_the_last() {
    explore(|| {
        let bus = Bus::new();
        let rigs = [(); 2].map(|()| Rig::on(&bus, plain()));
        let dispatchers = rigs.each_ref().map(Rig::live);
        assert_eq!(block_on(rigs[0].publisher.publish_and_wait(Nth::<0>(1), &[])), Ok(2));
        for (rig, dispatcher) in rigs.into_iter().zip(dispatchers) {
            assert_eq!(rig.seen(), [1], "it was handled before its publisher went on");
            rig.wiring.drain();
            dispatcher.join().unwrap();
            assert_eq!(rig.account(), [1, 1, 0, 0]);
        }
    });
}

/// The subscriber is closed while its handler has the event, or before it has: the publisher hears that it was abandoned.
///
/// Caught: an event that is dropped without having told its receipt, and one that is cut without being marked as abandoned.
#[test]
fn who_waits_hears_of_what_is_abandoned() {
    explore(|| {
        let rig = Rig::new(gated());
        let dispatcher = rig.live();
        let wiring = rig.wiring.clone();
        let other = thread::spawn(move || wiring.close());
        let told = block_on(rig.publisher.publish_and_wait(Nth::<0>(1), &[]));
        let Err(PublishError::Unhandled { handled: 0, unhandled }) = told else { panic!("{told:?}") };
        assert_eq!(unhandled, [Unhandled { subscription: "daemon.handler".to_owned(), fate: Fate::Abandoned }]);
        other.join().unwrap();
        dispatcher.join().unwrap();
        assert_eq!(rig.account(), [1, 0, 0, 1]);
    });
}

/// A queue of one that makes room by dropping, beside its dispatcher: of two who wait each hears what became of its own event.
///
/// Caught: an event that made room for another, and is kept.
#[test]
fn each_who_waits_hears_of_its_own_event() {
    explore(|| {
        let rig = Rig::new(plain().capacity(1).overflow(Overflow::DropOldest));
        let dispatcher = rig.live();
        let publisher = rig.publisher.clone();
        let wait = |publisher: &Publisher, number| match block_on(publisher.publish_and_wait(Nth::<0>(number), &[])) {
            Ok(handled) => handled,
            Err(PublishError::Unhandled { unhandled, .. }) if unhandled[0].fate == Fate::Dropped => 0,
            Err(error) => panic!("{error}"),
        };
        let other = thread::spawn(move || wait(&publisher, 1));
        let handled = [wait(&rig.publisher, 2), other.join().unwrap()];
        rig.wiring.drain();
        dispatcher.join().unwrap();
        assert_eq!([rig.seen().contains(&2), rig.seen().contains(&1)], handled.map(|handled| handled == 1));
    });
}
