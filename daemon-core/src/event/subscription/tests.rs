use super::*;
use crate::event::{Fate, Filter, Mailbox, Overflow, PublishError};
use std::pin::Pin;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Wake, Waker};

struct Plain;

impl Event for Plain {
    const TOPIC: &'static str = "test:plain";
}

#[test]
fn what_was_received_leaves_nothing_in_the_mailbox() {
    let bus = Bus::new();
    let mut subscription = bus.subscribe::<Plain>("daemon", Plain::TOPIC, QueueOptions::default()).unwrap();
    let publisher = bus.publisher("tester");
    for _ in 0..100 {
        publisher.try_publish(Plain).unwrap();
        assert!(subscription.try_recv().is_some() && subscription.try_recv().is_none());
    }
    let state = subscription.registration.mailbox().lock();
    assert_eq!((state.line.len(), state.ready.len(), state.queues[0].own.len()), (0, 0, 0));
}

#[test]
fn what_makes_room_for_others_leaves_nothing_behind() {
    let (bus, options) = (Bus::new(), QueueOptions::default().capacity(2).overflow(Overflow::DropOldest));
    let subscription = bus.subscribe::<Plain>("daemon", Plain::TOPIC, options).unwrap();
    (0..100).for_each(|_| bus.publisher("tester").try_publish(Plain).unwrap());
    let state = subscription.registration.mailbox().lock();
    assert_eq!((state.ready.len(), state.queues[0].own.len()), (1, 2));
}

/// Polls a future once.
fn poll<F: Future>(future: &mut Pin<Box<F>>) -> Poll<F::Output> {
    future.as_mut().poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn publishers_that_give_up_leave_nothing_in_line() {
    let bus = Bus::new();
    let subscription = bus.subscribe::<Plain>("daemon", Plain::TOPIC, QueueOptions::default().capacity(1)).unwrap();
    let publisher = bus.publisher("tester");
    publisher.try_publish(Plain).unwrap();
    for _ in 0..100 {
        assert!(poll(&mut Box::pin(publisher.publish(Plain))).is_pending());
    }
    let waits = [(); 3].map(|()| {
        let mut waits = Box::pin(publisher.publish(Plain));
        assert!(poll(&mut waits).is_pending());
        waits
    });
    assert_eq!(subscription.registration.mailbox().lock().lined.len(), 1, "one line, whoever stands in it");
    drop(waits);
    let state = subscription.registration.mailbox().lock();
    assert_eq!((state.lined.len(), state.queues[0].waiting.len()), (0, 0));
}

#[test]
fn handles_of_what_has_ended_are_forgotten_now_and_then() {
    let bus = Bus::new();
    let subscribe = || bus.subscribe::<Plain>("daemon", Plain::TOPIC, QueueOptions::default()).unwrap();
    let mut handles = Handles::default();
    for _ in 0..1_000 {
        handles.add(subscribe().handle());
    }
    assert!(handles.iter().count() < 40);
    let mut open: Vec<_> = (0..100).map(|_| subscribe()).collect();
    open.iter().for_each(|open| handles.add(open.handle()));
    let before = handles.iter().count();
    open.truncate(50);
    handles.add(open[0].handle());
    assert_eq!(handles.iter().count(), before + 1, "it does not look at all of them each time");
}

/// Panics when it is dropped.
struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("a destructor");
    }
}

/// Drops a subscription when it is woken.
struct Drops(Mutex<Option<Subscription<Plain>>>);

impl Wake for Drops {
    fn wake(self: Arc<Self>) {
        drop(self.0.lock().unwrap().take());
    }
}

#[test]
fn who_closes_a_subscription_last_is_not_harmed_by_what_its_filter_holds() {
    let (bus, bomb) = (Bus::new(), Bomb);
    let filter = Filter::of(move |_: &Plain| {
        let _held = &bomb;
        true
    });
    let subscription = bus.subscribe("daemon", Plain::TOPIC, QueueOptions::default().when(filter)).unwrap();
    let (handle, drops) = (subscription.handle(), Arc::new(Drops(Mutex::new(Some(subscription)))));
    let waker = drops.clone().into();
    let pulled = drops.0.lock().unwrap().as_mut().unwrap().poll_recv(&mut Context::from_waker(&waker));
    assert!(pulled.is_pending());
    handle.close();
    assert!(!handle.is_open());
}

struct Kept;

impl Event for Kept {
    const TOPIC: &'static str = "test:kept";
    const RETAIN: bool = true;
}

#[test]
fn who_stands_in_line_behind_what_was_retained_gets_its_turn() {
    let bus = Bus::new();
    let publisher = bus.publisher("tester");
    publisher.try_publish(Kept).unwrap();
    let options = QueueOptions::default().capacity(1);
    let mut subscription = bus.subscribe::<Kept>("daemon", Kept::TOPIC, options).unwrap();
    let mut waits = Box::pin(publisher.publish(Kept));
    assert!(poll(&mut waits).is_pending());
    assert!(subscription.try_recv().is_some());
    assert!(poll(&mut waits).is_ready());
    assert!(subscription.try_recv().is_some() && subscription.try_recv().is_none());
}

/// One handler of a daemon that starts.
fn starting<E: Event>(bus: &Arc<Bus>, options: QueueOptions) -> Registration {
    let mut lane = LanePlan::new(E::TOPIC, Some(TypeTag::of::<E>()), &options, true);
    lane.seats.push(SeatPlan { name: "handler".to_owned(), queue: 0 });
    let queue = QueuePlan { name: None, options, width: 1, is_own: true, is_quiet: false };
    let plan = MailboxPlan { lanes: vec![lane], queues: vec![queue], isolated: false };
    bus.register("daemon", Phase::Buffering, &plan).unwrap()
}

#[test]
fn while_it_starts_so_many_are_kept_as_its_options_say() {
    let bus = Bus::new();
    let registration = starting::<Plain>(&bus, QueueOptions::default().startup(3));
    (0..5).for_each(|_| bus.publisher("tester").try_publish(Plain).unwrap());
    let status = &registration.mailbox().status()[0];
    assert_eq!((status.offered, status.dropped, status.queued), (5, 2, 3));
}

#[test]
fn a_life_that_took_nothing_lists_nothing_twice() {
    let bus = Bus::new();
    let registration = starting::<Plain>(&bus, QueueOptions::default());
    let mailbox = registration.mailbox();
    for _ in 0..10 {
        assert!(mailbox.attach().is_some());
        bus.publisher("tester").try_publish(Plain).unwrap();
        assert_eq!(mailbox.lock().ready.len(), 1);
        assert!(mailbox.detach(Vec::new(), <_>::default(), &[]).is_empty());
    }
    assert_eq!(mailbox.status()[0].queued, 10);
}

/// Looks at its mailbox while it is dropped, then explodes.
struct Prying(Weak<Mailbox>, Arc<AtomicU64>);

impl Event for Prying {
    const TOPIC: &'static str = "test:prying";
}

impl Drop for Prying {
    fn drop(&mut self) {
        if let Some(mailbox) = self.0.upgrade() {
            self.1.store(mailbox.status()[0].offered, Ordering::Relaxed);
        }
        panic!("a destructor");
    }
}

#[test]
fn what_is_given_back_in_vain_is_dropped_quietly_and_without_the_lock() {
    for overflow in [Overflow::Block, Overflow::Latest] {
        let (bus, pried) = (Bus::new(), Arc::<AtomicU64>::default());
        let options = QueueOptions::default().overflow(overflow);
        let subscription = bus.subscribe::<Prying>("daemon", Prying::TOPIC, options).unwrap();
        let (publisher, mailbox) = (bus.publisher("tester"), subscription.registration.mailbox());
        let prying = |mailbox| Prying(mailbox, pried.clone());
        publisher.try_publish(prying(Arc::downgrade(mailbox))).unwrap();
        let (entry, key) = mailbox.pop_own(0).unwrap();
        if overflow == Overflow::Latest {
            publisher.try_publish(prying(Weak::new())).unwrap();
        } else {
            mailbox.close();
        }
        mailbox.put_back(0, entry, key);
        assert!(pried.load(Ordering::Relaxed) > 0, "{overflow}");
    }
}

/// As a dispatcher does whose life is cut in that moment.
#[test]
fn what_is_given_back_to_a_mailbox_that_has_closed_is_abandoned() {
    let bus = Bus::new();
    let mut subscription = bus.subscribe::<Plain>("daemon", Plain::TOPIC, QueueOptions::default()).unwrap();
    let publisher = bus.publisher("tester");
    let mut waits = Box::pin(publisher.publish_and_wait(Plain, &[]));
    assert!(poll(&mut waits).is_pending());
    let mailbox = subscription.registration.mailbox();
    let (entry, key) = mailbox.pop_own(0).unwrap();
    mailbox.close();
    mailbox.put_back(0, entry, key);
    let Poll::Ready(Err(PublishError::Unhandled { unhandled, .. })) = poll(&mut waits) else { panic!("it ended") };
    assert_eq!(unhandled[0].fate, Fate::Abandoned);
    let status = subscription.status();
    assert_eq!((status.offered, status.abandoned, status.queued), (1, 1, 0));
    assert!(subscription.try_recv().is_none());
}

#[test]
fn what_is_given_back_makes_way_for_a_newer_one_of_its_key() {
    let bus = Bus::new();
    let latest = QueueOptions::default().overflow(Overflow::Latest);
    let subscription = bus.subscribe::<Plain>("daemon", Plain::TOPIC, latest).unwrap();
    let publisher = bus.publisher("tester");
    publisher.try_publish(Plain).unwrap();
    let mailbox = subscription.registration.mailbox();
    let (entry, key) = mailbox.pop_own(0).unwrap();
    publisher.try_publish(Plain).unwrap();
    mailbox.put_back(0, entry, key);
    let status = subscription.status();
    assert_eq!((status.offered, status.dropped, status.queued), (2, 1, 1));
}
