//! From publishers through a mailbox to its dispatcher and the handlers: no wake-up, no event and no count is lost.

use super::*;

/// Two publishers and a queue of one: somebody waits in almost every order.
///
/// Caught: a consumer that does not serve those who wait before it parks.
#[test]
fn publishers_that_wait_get_in_one_after_the_other() {
    explore(|| {
        let rig = Rig::new(plain().capacity(1));
        let dispatcher = rig.live();
        let publisher = rig.publish([1, 2]);
        block_on(rig.publisher.publish(Nth::<0>(3))).unwrap();
        publisher.join().unwrap();
        rig.saw(3); // before the end of the intake could wake anybody
        rig.wiring.drain();
        dispatcher.join().unwrap();
        let mut seen = rig.seen();
        assert!(seen.iter().position(|n| *n == 1) < seen.iter().position(|n| *n == 2), "{seen:?}");
        seen.sort_unstable();
        assert_eq!(seen, [1, 2, 3]);
        assert_eq!(rig.account(), [3, 3, 0, 0]);
    });
}

/// A publisher beside a dispatcher whose two handlers have a queue of one each: it may find both full, or one of them.
///
/// Caught: a publish that takes only the first of its places in line.
#[test]
fn a_publish_that_waits_for_two_queues_gets_into_both() {
    explore(|| {
        let rig = Rig::of(&Bus::new(), [plain().capacity(1), plain().capacity(1)]);
        let dispatcher = rig.live();
        for number in [1, 2] {
            block_on(rig.publisher.publish(Nth::<0>(number))).unwrap();
        }
        rig.saw(4); // before the end of the intake could wake anybody
        rig.wiring.drain();
        dispatcher.join().unwrap();
        assert_eq!(rig.seen(), [1, 1, 2, 2]);
        let counts = |status: SubscriptionStatus| [status.offered, status.handled, status.queued];
        assert_eq!(rig.wiring.status().into_iter().map(counts).collect::<Vec<_>>(), [[2, 2, 0], [2, 2, 0]]);
    });
}

/// A publish is dropped while the dispatcher makes room for it: it is in, or counted as dropped, and never both.
///
/// Caught: a publish that is given up counted as dropped though its event had got in meanwhile.
#[test]
fn a_publish_that_is_given_up_is_counted_once() {
    explore(|| {
        let rig = Rig::new(plain().capacity(1));
        let dispatcher = rig.live();
        let publisher = rig.publish([1]);
        once(rig.publisher.publish(Nth::<0>(2)));
        publisher.join().unwrap();
        rig.wiring.drain();
        dispatcher.join().unwrap();
        let [offered, handled, dropped, abandoned] = rig.account();
        assert_eq!((offered, handled + dropped, abandoned), (2, 2, 0));
        assert_eq!(rig.seen().len() as u64, handled);
    });
}

/// Two publishers that wait, of whom the first gives up: the second must not wait for the place of the first.
///
/// Caught: a queue that forgets all who wait when one of them gives up.
#[test]
fn a_publish_that_is_given_up_holds_up_nobody() {
    explore(|| {
        let rig = Rig::new(gated().capacity(1));
        rig.publisher.try_publish(Nth::<0>(0)).unwrap();
        let dispatcher = rig.live();
        let publisher = rig.publish([1, 2]);
        once(rig.publisher.publish(Nth::<0>(3)));
        rig.probe.door.raise(1);
        publisher.join().unwrap();
        rig.wiring.drain();
        dispatcher.join().unwrap();
        let [offered, handled, dropped, abandoned] = rig.account();
        assert_eq!((offered, handled + dropped, abandoned), (4, 4, 0));
    });
}

/// A full queue whose oldest event makes room, beside the dispatcher that takes it.
///
/// Caught: a queue noted as empty under another lock than that under which its last event was taken.
#[test]
fn the_newest_event_survives_a_full_queue() {
    explore(|| {
        let rig = Rig::new(plain().capacity(1).overflow(Overflow::DropOldest));
        let dispatcher = rig.live();
        block_on(async {
            for number in 1..=3 {
                rig.publisher.publish(Nth::<0>(number)).await.unwrap();
            }
        });
        rig.wiring.drain();
        dispatcher.join().unwrap();
        let seen = rig.seen();
        assert!(seen.is_sorted() && seen.last() == Some(&3), "{seen:?}");
        assert_eq!(rig.account(), [3, seen.len() as u64, 3 - seen.len() as u64, 0]);
    });
}

/// A full queue that refuses the new event, beside the dispatcher that makes room.
///
/// Caught: an event that is counted as dropped, and queued all the same.
#[test]
fn the_oldest_event_survives_a_queue_that_refuses() {
    explore(|| {
        let rig = Rig::new(plain().capacity(1).overflow(Overflow::DropNewest));
        let dispatcher = rig.live();
        let publisher = rig.publish([1, 2]);
        block_on(rig.publisher.publish(Nth::<0>(3))).unwrap();
        publisher.join().unwrap();
        rig.wiring.drain();
        dispatcher.join().unwrap();
        let [offered, handled, dropped, abandoned] = rig.account();
        assert_eq!((offered, handled + dropped, abandoned), (3, 3, 0));
        assert!(handled >= 1 && rig.seen().len() as u64 == handled);
    });
}

/// A handler is woken for nothing, then for good, and another event comes meanwhile.
///
/// Caught: a wake-up noted as seen after the poll, and a consumer that parks under another lock than that under which it found
/// nothing.
#[test]
fn a_handler_that_is_woken_goes_on() {
    explore(|| {
        let rig = Rig::new(gated());
        rig.publisher.try_publish(Nth::<0>(1)).unwrap();
        let dispatcher = rig.live();
        let probe = rig.probe.clone();
        let waker = thread::spawn(move || {
            probe.door.raise(0);
            probe.door.raise(1);
        });
        rig.publisher.try_publish(Nth::<0>(2)).unwrap();
        rig.saw(2);
        waker.join().unwrap();
        rig.wiring.drain();
        dispatcher.join().unwrap();
        assert_eq!(rig.seen(), [1, 2]);
        assert_eq!(rig.account(), [2, 2, 0, 0]);
    });
}

/// A life is dropped with a call under way; its waker wakes while the next life is at work.
///
/// Caught: a call that goes on whoever was woken, in place of the one that is suspended and was, and a call cut short that is
/// not counted as abandoned. That the mailbox ignores the waker of an earlier life is a second line of defence: without it
/// nothing fails.
#[test]
fn the_waker_of_an_earlier_life_harms_no_later_one() {
    explore(|| {
        let rig = Rig::new(gated());
        rig.publisher.try_publish(Nth::<0>(1)).unwrap();
        rig.live_shortly(1);
        rig.publisher.try_publish(Nth::<0>(2)).unwrap();
        let dispatcher = rig.live();
        rig.probe.door.raise(1);
        rig.wiring.drain();
        dispatcher.join().unwrap();
        assert_eq!(rig.seen(), [2]);
        assert_eq!(rig.account(), [2, 1, 0, 1]);
    });
}

/// A life ends while somebody publishes, who does not wait for the next one; what it had not begun is for that, in order.
///
/// Caught: a life that ends without letting those go who wait for room.
#[test]
fn events_survive_a_life_that_ends() {
    explore(|| {
        let rig = Rig::new(plain().capacity(1));
        let publisher = rig.publish([1, 2, 3]);
        rig.live_shortly(2);
        publisher.join().unwrap();
        let dispatcher = rig.live();
        rig.wiring.drain();
        dispatcher.join().unwrap();
        assert_eq!(rig.seen(), [1, 2, 3]);
        assert_eq!(rig.account(), [3, 3, 0, 0]);
    });
}

/// The intake stops while publishers wait: everything is handled or abandoned, and nobody waits on.
///
/// Caught: those who wait let go without being told, and a consumer that ends with the intake before it has looked at what is
/// queued.
#[test]
fn draining_ends_every_wait() {
    explore(|| {
        let rig = Rig::new(plain().capacity(1));
        let dispatcher = rig.live();
        let publisher = rig.publish([1, 2]);
        rig.wiring.drain();
        publisher.join().unwrap();
        dispatcher.join().unwrap();
        let [offered, handled, dropped, abandoned] = rig.account();
        assert_eq!((offered, handled + abandoned, dropped), (2, 2, 0));
        assert_eq!(rig.seen().len() as u64, handled);
    });
}

/// The mailbox is closed while publishers wait and the dispatcher holds a batch.
///
/// Caught: those who wait let go without being told, and what is queued kept for a life that will not come.
#[test]
fn closing_ends_every_wait_and_abandons_what_is_queued() {
    explore(|| {
        let rig = Rig::new(plain().capacity(2));
        let dispatcher = rig.live();
        let publisher = rig.publish([1, 2, 3]);
        rig.wiring.close();
        publisher.join().unwrap();
        dispatcher.join().unwrap();
        let [offered, handled, dropped, abandoned] = rig.account();
        assert_eq!((offered, handled + abandoned, dropped), (3, 3, 0));
    });
}

/// Unsubscribing beside a publish: the account is complete, and the topic is empty afterwards.
///
/// Caught: a subscription that is closed and not taken off the registry.
#[test]
fn unsubscribing_beside_a_publish_leaves_nothing() {
    explore(|| {
        let rig = Rig::new(plain());
        let Rig { bus, wiring, publisher, .. } = rig;
        let other = thread::spawn(move || block_on(publisher.publish(Nth::<0>(1))).unwrap());
        drop(wiring);
        other.join().unwrap();
        assert_eq!(bus.subscriptions(), 0);
    });
}

/// Handlers of two daemons publish into each other's queues of one: a wait that could not end is refused.
///
/// Caught: a wait that is noted and not refused, though it leaves its node stuck.
#[test]
fn handlers_that_publish_into_each_other_do_not_wait_for_ever() {
    explore_less(1, || {
        let bus = Bus::new();
        let (one, two) = (Rig::on(&bus, relay::<0, 1>().capacity(1)), Rig::on(&bus, relay::<1, 0>().capacity(1)));
        for number in [1, 0] {
            one.publisher.try_publish(Nth::<0>(number)).unwrap();
            one.publisher.try_publish(Nth::<1>(number)).unwrap();
        }
        let (first, second) = (one.live(), two.live());
        one.saw(2);
        two.saw(2);
        one.wiring.drain();
        first.join().unwrap();
        two.wiring.drain();
        second.join().unwrap();
        for rig in [one, two] {
            let [offered, handled, dropped, abandoned] = rig.account();
            assert_eq!((offered, handled + dropped + abandoned), (3, 3));
        }
    });
}

/// One thread receives, one publishes, one closes.
///
/// Caught: an end that does not wake the consumer.
#[test]
fn a_subscriber_that_pulls_is_woken_by_events_and_by_the_end() {
    explore(|| {
        let bus = Bus::new();
        let options = QueueOptions::default().capacity(1);
        let mut subscription = bus.subscribe::<Nth<0>>("model", Nth::<0>::TOPIC, options).unwrap();
        let (handle, publisher) = (subscription.handle(), bus.publisher("model"));
        let other = thread::spawn(move || {
            block_on(async {
                publisher.publish(Nth::<0>(1)).await.unwrap();
                publisher.publish(Nth::<0>(2)).await.unwrap();
            });
            handle.close();
        });
        let mut received = Vec::new();
        block_on(async {
            while let Some(event) = subscription.recv().await {
                received.push(event.0);
            }
        });
        other.join().unwrap();
        assert_eq!(received, [1, 2]);
        let status = subscription.status();
        assert_eq!((status.offered, status.handled), (2, 2));
    });
}

/// Somebody closes a subscription that a publisher waits for, and nobody pulls any more.
///
/// Caught: an end of the intake that leaves publishers in line.
#[test]
fn nobody_waits_for_a_subscription_that_is_closed() {
    explore(|| {
        let bus = Bus::new();
        let options = QueueOptions::default().capacity(1);
        let subscription = bus.subscribe::<Nth<0>>("model", Nth::<0>::TOPIC, options).unwrap();
        let (handle, publisher) = (subscription.handle(), bus.publisher("model"));
        let other = thread::spawn(move || handle.close());
        block_on(async {
            publisher.publish(Nth::<0>(1)).await.unwrap();
            publisher.publish(Nth::<0>(2)).await.unwrap();
        });
        other.join().unwrap();
        assert!(subscription.status().queued <= 1);
    });
}

/// Whoever reads the counts at any moment sees a sum that is right.
///
/// Caught: the number of events taken read before that of their outcomes.
#[test]
fn the_counts_add_up_at_any_moment() {
    explore(|| {
        let rig = Rig::new(plain().capacity(1));
        let dispatcher = rig.live();
        let publisher = rig.publish([1, 2]);
        let handled = [(); 2].map(|()| rig.status().handled);
        assert!(handled.is_sorted(), "{handled:?}");
        publisher.join().unwrap();
        rig.wiring.drain();
        dispatcher.join().unwrap();
        assert_eq!(rig.account(), [2, 2, 0, 0]);
    });
}

/// One publish waits for room at two subscribers, which make it at the same time.
///
/// Caught: a waker taken by the first who makes room, and one who waits that does not look again once its waker is stored.
#[test]
fn a_publish_that_waits_for_two_is_woken_by_the_last() {
    explore(|| {
        let bus = Bus::new();
        let publisher = bus.publisher("model");
        let subscribe = || bus.subscribe::<Nth<0>>("model", Nth::<0>::TOPIC, QueueOptions::default().capacity(1));
        let subscriptions = [(); 2].map(|()| subscribe().unwrap());
        publisher.try_publish(Nth::<0>(1)).unwrap();
        let subscribers = subscriptions.map(|mut subscription| {
            thread::spawn(move || {
                let received =
                    block_on(async { [subscription.recv().await.unwrap().0, subscription.recv().await.unwrap().0] });
                assert_eq!(received, [1, 2]);
            })
        });
        block_on(publisher.publish(Nth::<0>(2))).unwrap();
        subscribers.into_iter().for_each(|subscriber| subscriber.join().unwrap());
    });
}

/// Two calls of one handler are under way and woken at once, and a third event waits for a place.
///
/// Caught: a call that is not made ready since another of its handler is.
#[test]
fn calls_beside_each_other_are_all_resumed() {
    explore(|| {
        let rig = Rig::new(gated().concurrency(2));
        for number in 1..=3 {
            rig.publisher.try_publish(Nth::<0>(number)).unwrap();
        }
        let dispatcher = rig.live();
        rig.probe.door.raise(1);
        rig.saw(3);
        rig.wiring.drain();
        dispatcher.join().unwrap();
        assert_eq!(rig.account(), [3, 3, 0, 0]);
    });
}

/// A handler that shares a queue suspends and is woken, while others publish to both: what comes after it waits for its end.
///
/// Caught: a queue that gives out the next event though the handler that got the last takes no more.
#[test]
fn a_shared_queue_keeps_its_order_while_a_handler_waits() {
    explore(|| {
        let other = relay::<1, 0>().queue("both");
        let rig = Rig::of(&Bus::new(), [gated().queue("both").capacity(1), other]);
        rig.publisher.try_publish(Nth::<0>(1)).unwrap();
        let dispatcher = rig.live();
        let probe = rig.probe.clone();
        let opener = thread::spawn(move || probe.door.raise(1));
        block_on(rig.publisher.publish(Nth::<1>(0))).unwrap();
        opener.join().unwrap();
        rig.saw(2);
        rig.wiring.drain();
        dispatcher.join().unwrap();
        assert_eq!(rig.seen(), [1, 0]);
        assert!(rig.wiring.status().iter().all(|status| (status.offered, status.handled) == (1, 1)));
    });
}

/// Of one topic only the latest event waits, beside the dispatcher that takes it.
///
/// Caught: as for the newest event of a full queue.
#[test]
fn the_latest_event_is_never_the_one_that_is_lost() {
    explore(|| {
        let rig = Rig::new(plain().overflow(Overflow::Latest));
        let dispatcher = rig.live();
        for number in 1..=3 {
            rig.publisher.try_publish(Nth::<0>(number)).unwrap();
        }
        rig.wiring.drain();
        dispatcher.join().unwrap();
        let seen = rig.seen();
        assert!(seen.is_sorted() && seen.last() == Some(&3), "{seen:?}");
        assert_eq!(rig.account(), [3, seen.len() as u64, 3 - seen.len() as u64, 0]);
    });
}

/// A life is cut while a handler blocks the thread in the middle of a batch: what has not begun by then never does.
///
/// Caught: a batch that is handed out to its end whether the life is over or not.
#[test]
fn a_life_that_is_cut_begins_no_call() {
    explore(|| {
        let rig = Rig::new(blocking());
        for number in 1..=3 {
            rig.publisher.try_publish(Nth::<0>(number)).unwrap();
        }
        let dispatcher = rig.live();
        rig.probe.over.store(true, Ordering::Release);
        rig.probe.unblock();
        rig.wiring.close();
        dispatcher.join().unwrap();
        let [offered, handled, dropped, abandoned] = rig.account();
        assert!(rig.seen().len() <= 1, "{:?}", rig.seen());
        assert_eq!((offered, handled + abandoned, dropped), (3, 3, 0));
    });
}
