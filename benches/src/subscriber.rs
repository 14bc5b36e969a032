//! The event that every contender carries, and the subscriber that every contender calls.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use daemon_core::Event;
use tokio::sync::Notify;

/// The event. Every contender carries it behind one `Arc`, which is the one allocation of a publish.
#[derive(Event)]
#[event("bench:users:created", local)]
pub struct UserCreated {
    /// A number to add up.
    pub id: u64,
    /// Whether it is the last of its cycle.
    pub last: bool,
    /// As much as a name would take.
    pub name: [u8; 48],
}

impl UserCreated {
    /// One event.
    pub fn new(id: u64, last: bool) -> Self {
        Self { id, last, name: [7; 48] }
    }
}

/// Tells when all subscribers have seen the last event of a cycle.
#[derive(Default)]
pub struct Done {
    remaining: AtomicUsize,
    all: Notify,
}

impl Done {
    /// Begins a cycle that `subscribers` have to end.
    pub fn expect(&self, subscribers: usize) {
        self.remaining.store(subscribers, Ordering::Release);
    }

    /// Waits for the end of the cycle.
    pub async fn all(&self) {
        self.all.notified().await;
    }

    /// One of them has ended the cycle.
    pub fn one(&self) {
        if self.remaining.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.all.notify_one();
        }
    }
}

/// What a handler works on; on a cache line of its own.
#[repr(align(64))]
pub struct Subscriber {
    seen: AtomicU64,
    sum: AtomicU64,
    done: Arc<Done>,
}

impl Subscriber {
    /// As many as `count`.
    pub fn some(count: usize, done: &Arc<Done>) -> Vec<Arc<Self>> {
        let one = || Arc::new(Self { seen: AtomicU64::new(0), sum: AtomicU64::new(0), done: done.clone() });
        std::iter::repeat_with(one).take(count).collect()
    }

    /// How many events it has seen.
    pub fn seen(&self) -> u64 {
        self.seen.load(Ordering::Relaxed)
    }

    /// The handler's body, the same for all contenders.
    #[inline]
    pub fn on_event(&self, event: &UserCreated) {
        // No two calls run at once: a load and a store do.
        self.seen.store(self.seen.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        let sum = self.sum.load(Ordering::Relaxed).wrapping_add(event.id + u64::from(event.name[3]));
        self.sum.store(sum, Ordering::Relaxed);
        if event.last {
            self.done.one();
        }
    }

    /// The same as an async handler that ends at once.
    #[inline]
    #[expect(clippy::unused_async, reason = "what most handlers are")]
    pub async fn on_event_async(&self, event: &UserCreated) {
        self.on_event(event);
    }

    /// The same as a handler that suspends once.
    #[inline]
    pub async fn on_event_later(&self, event: &UserCreated) {
        tokio::task::yield_now().await;
        self.on_event(event);
    }
}
