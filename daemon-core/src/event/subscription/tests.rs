use super::*;
use crate::event::{Fate, Filter, Overflow, PublishError};
use std::pin::Pin;
use std::sync::Mutex;
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
    let state = subscription.registration.mailbox().lock();
    assert_eq!((state.lined.len(), state.queues[0].waiting.len()), (0, 0));
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

#[test]
fn a_life_that_took_nothing_lists_nothing_twice() {
    let (bus, options) = (Bus::new(), QueueOptions::default());
    let mut lane = LanePlan::new(Plain::TOPIC, Some(TypeTag::of::<Plain>()), &options, true);
    lane.seats.push(SeatPlan { name: "handler".to_owned(), queue: 0 });
    let queue = QueuePlan { name: None, options, width: 1, is_own: true, is_quiet: false };
    let plan = MailboxPlan { lanes: vec![lane], queues: vec![queue], isolated: false };
    let registration = bus.register("daemon", Phase::Buffering, &plan).unwrap();
    let mailbox = registration.mailbox();
    for _ in 0..10 {
        assert!(mailbox.attach().is_some());
        bus.publisher("tester").try_publish(Plain).unwrap();
        assert_eq!(mailbox.lock().ready.len(), 1);
        assert!(mailbox.detach(Vec::new(), <_>::default(), &[]).is_empty());
    }
    assert_eq!(mailbox.status()[0].queued, 10);
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
