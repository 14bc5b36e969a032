//! A program with a command line for its operators: `operated [--kind KIND] [COMMAND]`.

#![cfg(unix)]
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "what it prints is what its tests look for")]

use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use clap::{CommandFactory, Parser, ValueEnum};
use daemon_cli::{Cli, Operator};
use daemon_core::{Context, DaemonBase, Event, Host, Result, daemon};
use serde::{Deserialize, Serialize};

/// Long enough that only the host can end it.
const FOR_EVER: Duration = Duration::from_secs(3_600);

/// A program under test.
#[derive(Parser)]
#[command(name = "operated")]
struct Args {
    /// What kind of host it is
    #[arg(long, default_value = "calm")]
    kind: Kind,
    #[command(flatten)]
    operator: Operator,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// All is well.
    Calm,
    /// A daemon cannot start.
    Fails,
    /// There is no host to start.
    Unmade,
    /// It ends without a word.
    Dies,
    /// A daemon is not ready before a file is there.
    Slow,
    /// A daemon has not stopped before a file is there.
    Lingers,
    /// It does not run by itself.
    Lame,
}

fn main() -> ExitCode {
    let Args { kind, operator } = Args::parse();
    Cli::new("operated", move || host(kind)).definition(Args::command()).run(operator)
}

fn host(kind: Kind) -> Result<Host> {
    println!("about to start");
    let host = Host::new("operated").workers(2).stop_budget(Duration::from_secs(5));
    let host = host.daemon(Clock::default()).daemon(Counter::default());
    Ok(match kind {
        Kind::Calm => host,
        Kind::Fails => host.daemon(Fails),
        Kind::Unmade => return Err("the configuration is missing".into()),
        Kind::Dies => host.daemon(Dies),
        Kind::Slow => host.daemon(Slow),
        Kind::Lingers => host.stop_budget(FOR_EVER).daemon(Lingers),
        Kind::Lame => host.daemon(Lame),
    })
}

#[derive(Event, Serialize, Deserialize)]
#[event("clock:ticked")]
struct Ticked {
    tick: u64,
}

/// Ticks, and does what it is told.
#[daemon(name = "clock")]
#[derive(Default)]
struct Clock {
    ticks: AtomicU64,
}

#[daemon]
impl Clock {
    #[every("20ms")]
    async fn tick(&self, cx: &Context) -> Result<()> {
        let tick = self.ticks.fetch_add(1, Ordering::Relaxed) + 1;
        tracing::debug!(tick, "ticked");
        Ok(cx.publish(Ticked { tick }).await?)
    }

    #[every("1h")]
    fn wind(&self) {}

    #[health(readiness)]
    fn goes(&self) -> Result<()> {
        Ok(())
    }

    /// Doubles a number.
    #[command]
    async fn double(&self, number: i64) -> Result<i64> {
        number.checked_mul(2).ok_or_else(|| "too large to double".into())
    }

    /// Gives back what it gets.
    #[command]
    async fn echo(&self, anything: serde_json::Value) -> Result<serde_json::Value> {
        Ok(anything)
    }

    /// Gives a text of that length.
    #[command]
    async fn long(&self, length: usize) -> Result<String> {
        Ok("x".repeat(length))
    }

    /// Logs a warning.
    #[command]
    async fn warn(&self, text: String) -> Result<()> {
        tracing::warn!("{text}");
        Ok(())
    }

    /// Never answers.
    #[command]
    async fn stall(&self) -> Result<()> {
        std::future::pending().await
    }

    /// Blocks every worker.
    #[command]
    async fn block(&self) -> Result<()> {
        (0..4).for_each(|_| drop(tokio::spawn(async { thread::sleep(FOR_EVER) })));
        Ok(())
    }
}

impl DaemonBase for Clock {}

/// Counts the ticks.
#[daemon(name = "counter", requires(Clock))]
#[derive(Default)]
struct Counter {
    seen: AtomicU64,
}

#[daemon]
impl Counter {
    #[on_event]
    async fn ticked(&self, _event: &Ticked) {
        self.seen.fetch_add(1, Ordering::Relaxed);
    }
}

impl DaemonBase for Counter {}

#[daemon(name = "fails", no_handlers)]
struct Fails;

impl DaemonBase for Fails {
    async fn initialize(&self, _cx: &Context) -> Result<()> {
        Err("the disk is full".into())
    }
}

#[daemon(name = "dies", no_handlers)]
struct Dies;

impl DaemonBase for Dies {
    async fn initialize(&self, _cx: &Context) -> Result<()> {
        println!("its last words");
        std::process::abort()
    }
}

#[daemon(name = "slow", no_handlers)]
struct Slow;

impl DaemonBase for Slow {
    async fn initialize(&self, _cx: &Context) -> Result<()> {
        until_told_to_go().await
    }
}

/// Waits for the file that a variable names.
async fn until_told_to_go() -> Result<()> {
    let go = std::env::var("OPERATED_GO")?;
    while !std::path::Path::new(&go).exists() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}

#[daemon(name = "lingers", no_handlers, stop_timeout = "1h")]
struct Lingers;

impl DaemonBase for Lingers {
    async fn cleanup(&self, _cx: &Context) -> Result<()> {
        until_told_to_go().await
    }
}

/// The host can do without it, and does.
#[daemon(name = "lame", optional)]
struct Lame;

#[daemon]
impl Lame {
    #[health(readiness)]
    fn walks(&self) -> Result<()> {
        Err("it limps".into())
    }
}

impl DaemonBase for Lame {}
