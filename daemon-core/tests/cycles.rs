//! A thousand lives of a host with everything in it leave nothing behind: no task, no descriptor, no memory.
#![expect(unsafe_code, reason = "the allocator that counts")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test states what it expects")]

mod probe;

use daemon_core::{Context, DaemonBase, Event, Host, Result, daemon};
use probe::{S, assert_nothing_left};
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::Arc;
use std::sync::atomic::{AtomicIsize, AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// Counts the bytes that are allocated and not freed.
struct Counting;

static LIVE: AtomicIsize = AtomicIsize::new(0);

// SAFETY: every call is passed on to the system's allocator unchanged; counting touches no memory of the caller.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LIVE.fetch_add(layout.size() as isize, Ordering::Relaxed);
        // SAFETY: the caller's promises are those of `System`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size() as isize, Ordering::Relaxed);
        // SAFETY: the caller's promises are those of `System`.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[derive(Event, Debug)]
#[event("cycle:item", local)]
struct Item([u64; 64]);

#[daemon(name = "store", no_handlers)]
struct Store;
impl DaemonBase for Store {}

#[daemon(name = "whole", requires(Store))]
#[derive(Default)]
struct Whole {
    done: Arc<AtomicU32>,
}
#[daemon]
impl Whole {
    #[on_event]
    async fn item(&self, item: &Item) -> Result<()> {
        tokio::task::yield_now().await;
        self.done.fetch_add(1, Ordering::SeqCst);
        if item.0[0] == 3 { Err("three".into()) } else { Ok(()) }
    }
    #[on_event("cycle:*", overflow = drop_oldest, capacity = 2)]
    async fn any(&self, _item: &daemon_core::Envelope) {}
    #[every("1h")]
    async fn rarely(&self) {}
    #[every("1h", immediately)]
    async fn tick(&self) {
        self.done.fetch_add(1, Ordering::SeqCst);
    }
    #[on_ready(Store)]
    async fn react(&self) {
        self.done.fetch_add(1, Ordering::SeqCst);
    }
    #[deferred("1ms")]
    async fn soon(&self) {
        self.done.fetch_add(1, Ordering::SeqCst);
    }
    #[deferred("1h")]
    async fn never(&self) {}
    #[task]
    async fn pump(&self, cx: &Context) {
        cx.cancelled().await;
    }
    #[task(finite)]
    async fn receive(&self, cx: &Context) -> Result<()> {
        let mut items = cx.subscribe::<Item>()?;
        while items.recv().await.is_some() {}
        Ok(())
    }
    #[command]
    async fn ask(&self) -> Result<u32> {
        Ok(1)
    }
    #[health(readiness)]
    async fn well(&self) {}
}
impl DaemonBase for Whole {
    async fn initialize(&self, cx: &Context) -> Result<()> {
        let kept = vec![0_u8; 4_096];
        cx.register_subscription(move || drop(kept))?;
        let (done, kept) = (self.done.clone(), vec![0_u8; 4_096]);
        cx.register_interval("registered", S(3_600), move || {
            let _size = kept.len();
            std::future::ready(())
        })?;
        cx.register_interval("registered", S(3_600), || async {})?;
        cx.on_daemon_ready("store", move || {
            done.fetch_add(1, Ordering::SeqCst);
            std::future::ready(())
        })?;
        cx.defer_initialization(S(3_600), || async {})?;
        drop(cx.spawn("waits", {
            let cx = cx.clone();
            async move { cx.cancelled().await }
        })?);
        drop(cx.spawn_blocking("sums", || (0..100_u64).sum::<u64>())?);
        Ok(())
    }
    async fn cleanup(&self, cx: &Context) -> Result<()> {
        cx.publish(Item([9; 64])).await?;
        drop(cx.spawn("afterthought", std::future::pending::<()>())?);
        Ok(())
    }
}

async fn cycle() {
    let done = Arc::new(AtomicU32::new(0));
    let whole = Whole { done: done.clone() };
    let host = Host::new("cycle").daemon(Store).daemon(whole).start().await.unwrap();
    let handle = host.handle();
    for n in 0..5 {
        handle.publish(Item([n; 64])).await.unwrap();
    }
    assert_eq!(Whole::client(&handle).ask().await.unwrap(), 1);
    assert!(handle.run_checks().await[0].failure.is_none());
    // five events, a tick, a deferred call, two reactions
    while done.load(Ordering::SeqCst) < 9 {
        tokio::time::sleep(Duration::from_micros(100)).await;
    }
    let report = host.shutdown().await.unwrap();
    assert!(report.is_clean(), "{report}");
    assert_nothing_left(&report);
}

#[cfg(target_os = "linux")]
fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

#[cfg(not(target_os = "linux"))]
fn descriptors() -> usize {
    0
}

/// Waits until what the last cycle left to other threads has ended.
async fn settle() -> (usize, usize, isize) {
    let metrics = tokio::runtime::Handle::current().metrics();
    let since = Instant::now();
    while metrics.num_alive_tasks() > 0 && since.elapsed() < S(5) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    (metrics.num_alive_tasks(), descriptors(), LIVE.load(Ordering::Relaxed))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_cycles_leave_tasks_descriptors_and_memory_flat() {
    for _ in 0..100 {
        cycle().await;
    }
    let (tasks, open, live) = settle().await;
    for _ in 100..1_000 {
        cycle().await;
    }
    let (tasks_after, open_after, live_after) = settle().await;
    assert_eq!((tasks, tasks_after), (0, 0));
    assert_eq!(open, open_after);
    // not even a hundred bytes for each of nine hundred cycles
    assert!(live_after - live < 64 * 1_024, "{live} bytes after 100 cycles, {live_after} after 1,000");
}
