//! However often a daemon starts again, and whatever ended its lives, what is allocated stays the same.
#![allow(missing_docs, missing_debug_implementations, unreachable_pub)]
#![expect(unsafe_code, reason = "a counting allocator")]

use daemon_core::{Context, DaemonBase, Envelope, Event, Host, HostHandle, Result, daemon};
use std::alloc::{GlobalAlloc, Layout, System};
use std::future::pending;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

/// How many blocks are allocated, by all threads.
static BLOCKS: AtomicI64 = AtomicI64::new(0);

struct Counting;

// SAFETY: everything is done by `System`; the count is an atomic. That a block is moved leaves their number.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        BLOCKS.fetch_add(1, Relaxed);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        BLOCKS.fetch_sub(1, Relaxed);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const MOMENT: Duration = Duration::from_millis(2);
/// Lives after which the journal and all tables have what they hold at most.
const GROWN: usize = 600;
/// Lives beyond those.
const MORE: usize = 400;

#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    Asked,
    Failed,
    Panicked,
    Hung,
}

#[derive(Event, serde::Serialize)]
#[event("work:state", retain)]
struct State(usize);

#[derive(Event, serde::Serialize)]
#[event("work:done")]
struct Done;

static LIVES: AtomicUsize = AtomicUsize::new(0);

/// Has some of everything that a life can have.
#[daemon(stop_timeout = "20ms", restart(on_failure, limit = "100000/1m", backoff = "1ms..1ms"))]
struct Busy(End);

#[daemon]
impl Busy {
    #[on_event]
    async fn state(&self, _: &State) {}

    #[on_event(capacity = 4, overflow = drop_oldest)]
    async fn any(&self, _: &Done) {}

    #[on_event("work:*")]
    async fn all(&self, _: &Envelope) {}

    #[every("1ms")]
    async fn tick(&self, cx: &Context) {
        drop(cx.publish(State(1)).await);
        drop(cx.publish(Done).await);
    }

    #[deferred("1ms")]
    async fn later(&self) {}

    #[task(restart(never))]
    async fn work(&self, cx: &Context) -> Result<()> {
        LIVES.fetch_add(1, Relaxed);
        match self.0 {
            End::Asked => cx.cancelled().await,
            End::Hung => pending().await,
            End::Failed | End::Panicked => {
                tokio::time::sleep(MOMENT).await;
                assert!(self.0 != End::Panicked, "it panics");
                return Err("it fails".into());
            }
        }
        Ok(())
    }
}

impl DaemonBase for Busy {
    async fn initialize(&self, cx: &Context) -> Result<()> {
        let mut done = cx.subscribe::<Done>()?;
        drop(cx.spawn("reader", async move { while done.recv().await.is_some() {} })?);
        cx.register_interval("extra", MOMENT, || async {})?;
        cx.register_subscription(|| ())?;
        Ok(())
    }
}

/// Hears what the other says, and stays.
#[daemon]
struct Listener;

#[daemon]
impl Listener {
    #[on_event]
    async fn done(&self, _: &Done) {}
}

impl DaemonBase for Listener {}

/// Goes on to that life; returns how many blocks there are then.
async fn blocks_in_life(handle: &HostHandle, end: End, life: usize) -> Result<i64> {
    while LIVES.load(Relaxed) < life {
        match end {
            End::Asked | End::Hung => handle.restart_daemon("busy").await?,
            End::Failed | End::Panicked => tokio::time::sleep(MOMENT).await,
        }
    }
    Ok(BLOCKS.load(Relaxed))
}

#[tokio::test(start_paused = true)]
async fn lives_that_end_in_any_way_leave_nothing() -> Result<()> {
    std::panic::set_hook(Box::new(|_| {}));
    for end in [End::Asked, End::Failed, End::Panicked, End::Hung] {
        LIVES.store(0, Relaxed);
        let host = Host::new("lives").daemon(Busy(end)).daemon(Listener).start().await?;
        let handle = host.handle();
        let before = blocks_in_life(&handle, end, GROWN).await?;
        let after = blocks_in_life(&handle, end, GROWN + MORE).await?;
        host.shutdown().await?;
        let more = after - before;
        assert!(more < i64::try_from(MORE / 2).unwrap(), "{end:?}: {MORE} lives left {more} blocks of {after}");
    }
    Ok(())
}
