//! What allocates, and how often, counted exactly once everything has grown to what it needs: a publish its event, a delivery
//! nothing; spawned work its task and its record, its end nothing; a tick its future.
#![allow(missing_docs, missing_debug_implementations, unreachable_pub)]
#![expect(clippy::unwrap_used, reason = "a test")]
#![expect(unsafe_code, reason = "a counting allocator")]

use daemon_core::{
    Attach, Bus, Event, EventRow, Failure, Filter, Handlers, Key, Observer, Overflow, QueueOptions, place,
};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

struct Counting;

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: everything is done by `System`; the count is a thread-local without destructor or allocation.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.set(COUNT.get() + 1);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        COUNT.set(COUNT.get() + 1);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const DAEMONS: u64 = 10;
const HANDLERS: u64 = 10;
const BURST: u64 = 128;

struct Tick(u64);

impl Event for Tick {
    const TOPIC: &'static str = "clock:tick";
}

#[derive(Default)]
struct Adder {
    calls: AtomicU64,
    sum: AtomicU64,
}

impl Adder {
    fn add(&self, tick: &Tick) {
        self.calls.fetch_add(1, Ordering::Relaxed);
        self.sum.fetch_add(tick.0, Ordering::Relaxed);
    }
}

impl Observer for Adder {
    fn failed(&self, subscription: &str, failure: Failure, _: u32) {
        unreachable!("{subscription} {failure}");
    }
}

fn at_once() -> EventRow<Arc<Adder>, ()> {
    let attach: Attach<Arc<Adder>, (), Tick> = |adder, ()| {
        place(move |tick: Arc<Tick>| async move {
            adder.add(&tick);
            (tick, Ok(()))
        })
    };
    EventRow::typed::<Tick>("at_once", attach)
}

fn suspending() -> EventRow<Arc<Adder>, ()> {
    let attach: Attach<Arc<Adder>, (), Tick> = |adder, ()| {
        place(move |tick: Arc<Tick>| async move {
            tokio::task::yield_now().await;
            adder.add(&tick);
            (tick, Ok(()))
        })
    };
    EventRow::typed::<Tick>("suspending", attach)
}

fn filtered() -> EventRow<Arc<Adder>, ()> {
    at_once().when(Filter::of(|tick: &Tick| tick.0 < BURST))
}

fn latest() -> EventRow<Arc<Adder>, ()> {
    at_once().latest_by(Key::of(|tick: &Tick| &tick.0))
}

fn drop_oldest() -> EventRow<Arc<Adder>, ()> {
    suspending().overflow(Overflow::DropOldest)
}

fn sharing_a_queue() -> EventRow<Arc<Adder>, ()> {
    suspending().queue("all").capacity((BURST * HANDLERS) as usize)
}

fn several_at_once() -> EventRow<Arc<Adder>, ()> {
    suspending().concurrency(4)
}

fn isolated() -> EventRow<Arc<Adder>, ()> {
    at_once().isolated()
}

/// Allocations of one warm burst to all handlers.
fn allocations_of_a_burst(row: fn() -> EventRow<Arc<Adder>, ()>) -> u64 {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let (bus, adder) = (Bus::new(), Arc::new(Adder::default()));
        for _ in 0..DAEMONS {
            let mut handlers = Handlers::new();
            for _ in 0..HANDLERS {
                handlers.push(row());
            }
            let wiring = Arc::new(handlers.register(&bus, "adder").unwrap());
            for at in 0..wiring.isolated().count() {
                let (wiring, adder) = (wiring.clone(), adder.clone());
                tokio::spawn(async move { wiring.run_isolated(at, &adder, &(), &*adder).await });
            }
            let adder = adder.clone();
            tokio::spawn(async move { wiring.run(&adder, &(), &*adder).await });
        }
        let publisher = bus.publisher("clock");
        let mut counted = 0;
        for burst in 1..=5 {
            tokio::task::yield_now().await;
            let before = COUNT.get();
            for number in 0..BURST {
                publisher.publish(Tick(number)).await.unwrap();
            }
            while adder.calls.load(Ordering::Relaxed) < burst * BURST * DAEMONS * HANDLERS {
                tokio::task::yield_now().await;
            }
            counted = COUNT.get() - before;
        }
        counted
    })
}

#[test]
fn one_per_publish_and_none_per_delivery() {
    assert_eq!(allocations_of_a_burst(at_once), BURST);
}

#[test]
fn none_either_when_handlers_have_filters() {
    assert_eq!(allocations_of_a_burst(filtered), BURST);
}

#[test]
fn none_either_when_handlers_suspend() {
    assert_eq!(allocations_of_a_burst(suspending), BURST);
}

#[test]
fn none_either_with_any_policy_and_in_any_company() {
    for row in [latest, drop_oldest, sharing_a_queue, several_at_once, isolated] {
        assert_eq!(allocations_of_a_burst(row), BURST, "{:?}", row());
    }
}

/// For those who take one type, nobody makes an envelope.
#[test]
fn none_either_by_a_pattern_on_a_topic_made_up_at_run_time() {
    let bus = Bus::new();
    let mut ticks = bus.subscribe::<Tick>("reader", "clock:*", QueueOptions::default()).unwrap();
    let publisher = bus.publisher("clock");
    let mut counted = 0;
    for _ in 0..3 {
        let before = COUNT.get();
        for number in 0..BURST {
            publisher.try_publish_to("clock:made-up", Tick(number)).unwrap();
            assert!(ticks.try_recv().is_some());
        }
        counted = COUNT.get() - before;
    }
    assert_eq!(counted, BURST);
}

#[daemon_core::daemon(name = "listener")]
#[derive(Default)]
struct Listener(Adder);

#[daemon_core::daemon]
impl Listener {
    #[on_event]
    async fn first(&self, tick: &Tick) {
        self.0.add(tick);
    }

    #[on_event]
    fn second(&self, tick: &Tick) {
        self.0.add(tick);
    }
}

impl daemon_core::DaemonBase for Listener {}

#[daemon_core::daemon(name = "speaker", requires(Listener), no_handlers)]
#[derive(Default)]
struct Speaker(std::sync::OnceLock<daemon_core::Context>);

impl daemon_core::DaemonBase for Speaker {
    async fn initialize(&self, cx: &daemon_core::Context) -> daemon_core::Result<()> {
        drop(self.0.set(cx.clone()));
        Ok(())
    }
}

#[tokio::test]
async fn the_same_holds_for_annotated_daemons_in_a_host() {
    let host = daemon_core::Host::new("t").daemon(Listener::default()).daemon(Speaker::default());
    let host = host.start().await.unwrap();
    let (listener, speaker) = (host.handle().daemon::<Listener>().unwrap(), host.handle().daemon::<Speaker>().unwrap());
    let cx = speaker.0.get().unwrap();
    let mut counts = Vec::new();
    for round in 1..=4 {
        let before = COUNT.get();
        for _ in 0..BURST {
            cx.publish(Tick(1)).await.unwrap();
        }
        while listener.0.calls.load(Ordering::Relaxed) < 2 * BURST * round {
            tokio::task::yield_now().await;
        }
        counts.push(COUNT.get() - before);
    }
    assert_eq!(counts.last(), Some(&BURST), "one allocation for each publish: {counts:?}");
    assert!(host.shutdown().await.unwrap().is_clean());
}

/// A host with one daemon whose context can be used.
async fn with_context() -> (daemon_core::RunningHost, daemon_core::Context) {
    let host =
        daemon_core::Host::new("t").daemon(Listener::default()).daemon(Speaker::default()).start().await.unwrap();
    let cx = host.handle().daemon::<Speaker>().unwrap().0.get().unwrap().clone();
    (host, cx)
}

#[tokio::test]
async fn spawned_work_takes_its_task_and_its_record_and_its_end_nothing() {
    const UNITS: u64 = 1_024;
    /// The registry has room by the block.
    const PER_BLOCK: u64 = 16;
    let (host, cx) = with_context().await;
    let ended = Arc::new(AtomicU64::new(0));
    let mut counts = (0, 0);
    for round in 1..=3 {
        let (gate, before) = (tokio_util::sync::CancellationToken::new(), COUNT.get());
        for _ in 0..UNITS {
            let (gate, ended) = (gate.clone(), ended.clone());
            let unit = async move {
                gate.cancelled().await;
                ended.fetch_add(1, Ordering::Relaxed);
            };
            drop(cx.spawn("unit", unit).unwrap());
        }
        let spawned = COUNT.get() - before - 1; // the gate
        tokio::task::yield_now().await;
        let before = COUNT.get();
        gate.cancel();
        while ended.load(Ordering::Relaxed) < round * UNITS {
            tokio::task::yield_now().await;
        }
        counts = (spawned, COUNT.get() - before);
    }
    let (spawned, end) = counts;
    assert!((2 * UNITS..=2 * UNITS + UNITS / PER_BLOCK + 2).contains(&spawned), "{spawned} for {UNITS}");
    assert_eq!(end, 0);
    assert!(host.shutdown().await.unwrap().is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_tick_takes_its_future() {
    let (host, cx) = with_context().await;
    let ticks = Arc::new(AtomicU64::new(0));
    let ticked = ticks.clone();
    let tick = move || {
        ticked.fetch_add(1, Ordering::Relaxed);
        async {}
    };
    cx.register_interval("tick", std::time::Duration::from_secs(1), tick).unwrap();
    let mut counts = (0, 0);
    for _ in 0..3 {
        let (before, first) = (COUNT.get(), ticks.load(Ordering::Relaxed));
        tokio::time::sleep(std::time::Duration::from_secs(100)).await;
        let more = ticks.load(Ordering::Relaxed) - first;
        assert!((99..=101).contains(&more), "{more} ticks");
        counts = (COUNT.get() - before, more);
    }
    assert_eq!(counts.0, counts.1, "allocations, ticks");
    assert!(host.shutdown().await.unwrap().is_clean());
}
