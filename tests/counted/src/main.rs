//! Does so many times what must stay cheap: `counted CASE TIMES`. Run under callgrind for two numbers of times, the
//! difference tells what once costs; `tools/counts.py` does that.
//!
//! One thread and a paused clock, so that the count is the same each time; of IPC see [`ipc`], of a whole program [`hello`]. Who is idle is
//! so by the real clock, and only its system calls are counted.

mod hello;
mod ipc;

use std::error::Error;
use std::process::ExitCode;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use daemon_core::{Context, DaemonBase, Event, Host, QueueOptions, Result, RunningHost, daemon};

static DONE: AtomicU64 = AtomicU64::new(0);

fn one_more() {
    DONE.fetch_add(1, Ordering::Relaxed);
}

async fn until(times: u64) {
    while DONE.load(Ordering::Relaxed) < times {
        tokio::task::yield_now().await;
    }
}

#[derive(Event)]
#[event("counted:happened", local)]
struct Happened;

#[daemon]
struct One;

#[daemon]
impl One {
    #[on_event]
    async fn happened(&self, _event: &Happened) {
        one_more();
    }
}

impl DaemonBase for One {}

#[daemon]
struct Ten;

#[daemon]
#[rustfmt::skip]
impl Ten {
    #[on_event] async fn a(&self, _event: &Happened) { one_more(); }
    #[on_event] async fn b(&self, _event: &Happened) { one_more(); }
    #[on_event] async fn c(&self, _event: &Happened) { one_more(); }
    #[on_event] async fn d(&self, _event: &Happened) { one_more(); }
    #[on_event] async fn e(&self, _event: &Happened) { one_more(); }
    #[on_event] async fn f(&self, _event: &Happened) { one_more(); }
    #[on_event] async fn g(&self, _event: &Happened) { one_more(); }
    #[on_event] async fn h(&self, _event: &Happened) { one_more(); }
    #[on_event] async fn i(&self, _event: &Happened) { one_more(); }
    #[on_event] async fn j(&self, _event: &Happened) { one_more(); }
}

impl DaemonBase for Ten {}

#[daemon]
struct Slow;

#[daemon]
impl Slow {
    #[on_event]
    async fn happened(&self, _event: &Happened) {
        later().await;
    }
}

impl DaemonBase for Slow {}

async fn later() {
    tokio::task::yield_now().await;
    one_more();
}

#[daemon]
struct TenSlow;

#[daemon]
#[rustfmt::skip]
impl TenSlow {
    #[on_event] async fn a(&self, _event: &Happened) { later().await; }
    #[on_event] async fn b(&self, _event: &Happened) { later().await; }
    #[on_event] async fn c(&self, _event: &Happened) { later().await; }
    #[on_event] async fn d(&self, _event: &Happened) { later().await; }
    #[on_event] async fn e(&self, _event: &Happened) { later().await; }
    #[on_event] async fn f(&self, _event: &Happened) { later().await; }
    #[on_event] async fn g(&self, _event: &Happened) { later().await; }
    #[on_event] async fn h(&self, _event: &Happened) { later().await; }
    #[on_event] async fn i(&self, _event: &Happened) { later().await; }
    #[on_event] async fn j(&self, _event: &Happened) { later().await; }
}

impl DaemonBase for TenSlow {}

/// The daemon whose context the cases use.
#[daemon(no_handlers)]
#[derive(Default)]
struct Actor(OnceLock<Context>);

impl DaemonBase for Actor {
    async fn initialize(&self, cx: &Context) -> Result<()> {
        drop(self.0.set(cx.clone()));
        Ok(())
    }
}

async fn start(host: Host) -> Result<(RunningHost, Context)> {
    let host = host.daemon(Actor::default()).start().await?;
    let actor = host.handle().daemon::<Actor>().ok_or("the actor runs")?;
    let cx = actor.0.get().ok_or("the actor was initialised")?.clone();
    Ok((host, cx))
}

/// How many events of a burst fit into every queue.
const BURST: u64 = 64;

/// Publishes so many events, then waits until they have been handled, and so on.
async fn publish(host: Host, handlers: u64, burst: u64, times: u64) -> Result<()> {
    let (host, cx) = start(host).await?;
    for number in 1..=times / burst {
        for _ in 0..burst {
            cx.publish(Happened).await?;
        }
        until(number * burst * handlers).await;
    }
    host.shutdown().await?;
    Ok(())
}

/// Publishes one event on each of many topics, each pulled from a subscription made at run time, and so on.
async fn topics(times: u64) -> Result<()> {
    let (host, cx) = start(Host::new("counted")).await?;
    let names: Vec<_> = (0..BURST).map(|number| format!("counted:topics:{number:03}")).collect();
    for name in &names {
        let mut events = cx.subscribe_to::<Happened>(name, QueueOptions::default())?;
        let serve = async move {
            while events.recv().await.is_some() {
                one_more();
            }
        };
        drop(cx.spawn("subscriber", serve)?);
    }
    for turn in 1..=times / BURST {
        for name in &names {
            cx.publish_to(name, Happened).await?;
        }
        until(turn * BURST).await;
    }
    host.shutdown().await?;
    Ok(())
}

/// Ticks of as many intervals, all at the same times.
async fn tick(intervals: usize, times: u64) -> Result<()> {
    let (host, cx) = start(Host::new("counted")).await?;
    for number in 0..intervals {
        cx.register_interval(&format!("tick-{number}"), Duration::from_millis(100), || async { one_more() })?;
    }
    let ticked = async {
        while DONE.load(Ordering::Relaxed) < times {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    };
    ticked.await;
    host.shutdown().await?;
    Ok(())
}

/// Sleeps for so many milliseconds beside a host that has nothing to do, but for the ticks of one interval if there is to be one.
async fn idle(ticks: bool, times: u64) -> Result<()> {
    let (host, cx) = start(Host::new("counted")).await?;
    for number in 0..10_000 {
        cx.register_interval(&format!("sleeps-{number}"), Duration::from_secs(3_600 + number), || async {})?;
    }
    for number in 0..1_000 {
        let mut events = cx.subscribe_to::<Happened>(&format!("counted:idle:{number}"), QueueOptions::default())?;
        drop(cx.spawn("subscriber", async move { while events.recv().await.is_some() {} })?);
    }
    if ticks {
        cx.register_interval("ticks", Duration::from_millis(10), || async {})?;
    }
    tokio::time::sleep(Duration::from_millis(times)).await;
    host.shutdown().await?;
    Ok(())
}

/// Starts as many units, and stops them with their host.
async fn units(times: u64) -> Result<()> {
    let (host, cx) = start(Host::new("counted")).await?;
    for _ in 0..times {
        let ends = cx.clone();
        let unit = async move {
            one_more();
            ends.cancelled().await;
        };
        drop(cx.spawn("unit", unit)?);
    }
    until(times).await;
    if host.shutdown().await?.is_clean() { Ok(()) } else { Err("the stop was not clean".into()) }
}

async fn run(case: &str, times: u64) -> Result<()> {
    let host = Host::new("counted");
    let ten = |host: Host, daemons: u64| {
        (0..daemons).fold(host, |host, number| host.daemon_as(&format!("ten-{number}"), Ten))
    };
    match case {
        "publish-1" => publish(host.daemon(One), 1, BURST, times).await,
        "roundtrip-1" => publish(host.daemon(One), 1, 1, times).await,
        "publish-10" => publish(ten(host, 1), 10, BURST, times).await,
        "publish-100" => publish(ten(host, 10), 100, BURST, times).await,
        "publish-suspending" => publish(host.daemon(Slow), 1, BURST, times).await,
        "publish-suspending-10" => publish(host.daemon(TenSlow), 10, BURST, times).await,
        "publish-pulled" => topics(times).await,
        "tick" => tick(1, times).await,
        "tick-64" => tick(64, times).await,
        "idle" => idle(false, times).await,
        "idle-tick" => idle(true, times).await,
        "unit" => units(times).await,
        _ => Err(format!("there is no case `{case}`").into()),
    }
}

fn main() -> Result<ExitCode, Box<dyn Error + Send + Sync>> {
    let mut arguments = std::env::args().skip(1);
    let (case, times) = (arguments.next().unwrap_or_default(), arguments.next().unwrap_or_default());
    if case.starts_with("ipc-") {
        match arguments.next() {
            None => ipc::serve(&case, &times)?,
            Some(place) => ipc::ask(&case, times.parse()?, place.as_ref())?,
        }
        return Ok(ExitCode::SUCCESS);
    }
    match case.as_str() {
        "hello" => return Ok(hello::run()),
        "bare" => return Ok(hello::bare()?),
        _ => {}
    }
    let times = times.parse()?;
    let paused = !case.starts_with("idle");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(paused).build()?;
    runtime.block_on(run(&case, times))?;
    Ok(ExitCode::SUCCESS)
}
