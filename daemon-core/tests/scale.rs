//! Many subscriptions and many topics: what they cost in time and memory, counted.
#![allow(missing_docs, missing_debug_implementations, unreachable_pub)]
#![expect(clippy::unwrap_used, reason = "a test")]
#![expect(unsafe_code, reason = "a counting allocator")]

use daemon_core::{Bus, Event, Overflow, QueueOptions, Subscription};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::Arc;

struct Counting;

thread_local! {
    static LIVE: Cell<isize> = const { Cell::new(0) };
}

fn note(more: usize, less: usize) {
    LIVE.set(LIVE.get() + more as isize - less as isize);
}

// SAFETY: everything is done by `System`; the count is a thread-local without destructor or allocation.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(layout.size(), 0);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        note(0, layout.size());
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note(size, layout.size());
        // SAFETY: the caller's promise is passed on.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

struct Nth(u64);

impl Event for Nth {
    const TOPIC: &'static str = "many:*:nth";
}

struct Kept(u64);

impl Event for Kept {
    const TOPIC: &'static str = "many:*:kept";
    const RETAIN: bool = true;
}

const SUBSCRIPTIONS: usize = 10_000;

fn options() -> QueueOptions {
    QueueOptions::default().capacity(16).overflow(Overflow::DropOldest)
}

/// Makes ten thousand subscriptions, publishes to some, and drops them all; what is left is nothing.
fn many(topic: impl Fn(usize) -> String, publish: impl Fn(&Arc<Bus>, &[Subscription<Nth>])) {
    let bus = Bus::new();
    drop(bus.subscribe::<Nth>("me", "many:first:nth", options()).unwrap()); // what is allocated once
    let before = LIVE.get();
    let mut all = Vec::with_capacity(SUBSCRIPTIONS);
    for at in 0..SUBSCRIPTIONS {
        all.push(bus.subscribe::<Nth>("me", &topic(at), options()).unwrap());
    }
    let each = (LIVE.get() - before) / SUBSCRIPTIONS as isize;
    assert!(each < 4_096, "{each} bytes for each subscription");
    assert_eq!(bus.subscriptions(), SUBSCRIPTIONS);
    publish(&bus, &all);
    // in the order in which they were made, which is the worst
    all.into_iter().for_each(drop);
    assert_eq!((bus.subscriptions(), bus.topics()), (0, 0));
    let left = LIVE.get() - before;
    assert!(left < 2 << 20, "{left} bytes are left");
}

#[test]
fn ten_thousand_subscriptions_to_one_topic() {
    many(
        |_| "many:one:nth".to_owned(),
        |bus, all| {
            let publisher = bus.publisher("tester");
            for number in 0..10 {
                publisher.try_publish_to("many:one:nth", Nth(number)).unwrap();
            }
            assert!(all.iter().all(|subscription| subscription.status().queued == 10));
        },
    );
}

#[test]
fn ten_thousand_subscriptions_to_as_many_topics() {
    many(
        |at| format!("many:{at}:nth"),
        |bus, all| {
            let publisher = bus.publisher("tester");
            for at in 0..SUBSCRIPTIONS {
                publisher.try_publish_to(&format!("many:{at}:nth"), Nth(at as u64)).unwrap();
            }
            assert!(all.iter().all(|subscription| subscription.status().offered == 1));
        },
    );
}

#[test]
fn ten_thousand_patterns() {
    many(
        |at| format!("many:{at}:**"),
        |bus, all| {
            let publisher = bus.publisher("tester");
            for at in [0, 17, SUBSCRIPTIONS - 1] {
                publisher.try_publish_to(&format!("many:{at}:nth"), Nth(at as u64)).unwrap();
                assert_eq!(all[at].status().offered, 1);
            }
        },
    );
}

#[test]
fn a_million_topics_leave_what_the_queues_may_keep() {
    let bus = Bus::new();
    let publisher = bus.publisher("flood");
    let mut newest = bus.subscribe_all("me", "many:**", options().capacity(64)).unwrap();
    let mut narrow = bus.subscribe::<Nth>("me", "many:7:*", options()).unwrap();
    let mut tap = bus.tap("me", "**").unwrap();
    let mut topic = String::new();
    let mut publish = |range: std::ops::Range<u64>| {
        for number in range {
            topic.clear();
            std::fmt::Write::write_fmt(&mut topic, format_args!("many:{number}:nth")).unwrap();
            publisher.try_publish_to(&topic, Nth(number)).unwrap();
        }
    };
    publish(0..10_000);
    let before = LIVE.get();
    publish(10_000..1_000_000);
    assert!(LIVE.get() - before < 256 * 1_024, "{} bytes more", LIVE.get() - before);
    assert_eq!(bus.topics(), 0);
    let status = newest.status();
    assert_eq!((status.offered, status.queued, status.dropped), (1_000_000, 64, 1_000_000 - 64));
    assert_eq!(newest.try_recv().unwrap().downcast::<Nth>().unwrap().0, 1_000_000 - 64);
    let seen = tap.try_recv().unwrap();
    assert_eq!((seen.missed, seen.event.publisher()), (1_000_000 - 1_024, "flood"), "and it is known by whom");
    assert_eq!((narrow.try_recv().unwrap().0, narrow.status().offered), (7, 1), "others are unharmed");
}

#[test]
fn a_hundred_thousand_topics_of_a_retained_type_leave_the_latest() {
    let bus = Bus::new();
    let publisher = bus.publisher("flood");
    let publish = |range: std::ops::Range<u64>| {
        for number in range {
            publisher.try_publish_to(&format!("many:{number}:kept"), Kept(number)).unwrap();
        }
    };
    publish(0..5_000);
    let before = LIVE.get();
    publish(5_000..100_000);
    assert!(LIVE.get() - before < 256 * 1_024, "{} bytes more", LIVE.get() - before);
    let mut all = bus.subscribe::<Kept>("me", "many:**", QueueOptions::default()).unwrap();
    let seen: Vec<u64> = std::iter::from_fn(|| all.try_recv()).map(|kept| kept.0).collect();
    assert_eq!(seen, (100_000 - 1_024..100_000).collect::<Vec<_>>());
}
