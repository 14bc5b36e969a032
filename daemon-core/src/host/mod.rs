//! Who owns lives: assembling a host, starting it in waves, stopping it in reverse, ending the process.

mod add;
mod bereft;
mod blocked;
mod board;
mod budget;
mod builder;
mod check;
mod checks;
mod claims;
mod conductor;
mod embed;
mod exit;
mod factory;
mod farewell;
mod faults;
mod graph;
mod journal;
mod leaving;
mod limits;
mod link;
mod lived;
mod lives;
#[cfg(all(test, daemon_loom))]
mod models;
mod over;
mod overdue;
mod overran;
mod phase;
mod planes;
mod process;
#[cfg(test)]
mod quiet;
mod references;
#[cfg(feature = "testing")]
mod rehearsal;
mod reload;
mod report;
mod roll;
mod run;
mod settings;
mod settled;
mod signals;
mod slot;
mod supervisor;
mod unit;
mod view;
mod voice;
mod watched;
mod workers;

use std::time::Duration;

pub use builder::Host;
pub use check::{CheckError, CheckReport as HostCheck};
pub use embed::{RunningHost, StartError};
pub use factory::{Async, Factory, Plain};
pub use process::{DaemonProcess, DaemonProcessBuilder};
#[cfg(feature = "testing")]
pub(crate) use rehearsal::Outside;
pub use report::{Cut, DaemonStart, DaemonStop, EventAccount, HandlerStop, Left, ShutdownReport, StartReport};
pub use settled::Settled;
#[cfg(feature = "testing")]
pub(crate) use signals::Signal;

/// How long a daemon's stop may take at most, unless it says otherwise.
const DEFAULT_STOP_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a daemon's start may take, unless it says otherwise.
const DEFAULT_START_TIMEOUT: Duration = Duration::from_secs(60);
/// How long a poll may take before it counts as blocking its thread.
const DEFAULT_BLOCKED_AFTER: Duration = Duration::from_secs(1);
/// How long the whole stop may take.
const DEFAULT_STOP_BUDGET: Duration = Duration::from_secs(25);
