//! What the host says at its start and at its end: typed, serialisable, printable.

mod text;

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub(super) use self::text::spawned_at;
use crate::status::{State, Transition, Unheard};

/// How the start went.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct StartReport {
    /// The host's name.
    pub name: String,
    /// Whether the host is running.
    pub started: bool,
    /// How long the start took, in milliseconds.
    pub took_ms: u64,
    /// The daemons, by wave.
    pub daemons: Vec<DaemonStart>,
    /// Remarks that stop nothing, such as a wanted daemon that is absent.
    pub notes: Vec<String>,
}

/// How one daemon started.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct DaemonStart {
    /// The daemon's name.
    pub name: String,
    /// Its wave.
    pub wave: u32,
    /// Whether the host goes on without it.
    pub optional: bool,
    /// Its state when the start ended.
    pub state: State,
    /// The last of its dependencies to settle.
    pub waited_for: Option<String>,
    /// How long it waited for it, in milliseconds after the host's start.
    pub waited_ms: u64,
    /// How long its own start took, in milliseconds.
    pub took_ms: u64,
    /// Why it failed.
    pub reason: Option<String>,
}

/// How the host's whole run went.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ShutdownReport {
    /// The host's name.
    pub name: String,
    /// The code the process exits with.
    pub exit_code: u8,
    /// What began the shutdown.
    pub cause: String,
    /// How long the host was up, in milliseconds.
    pub uptime_ms: u64,
    /// How long the stop took, in milliseconds.
    pub stop_ms: u64,
    /// The daemons, by wave.
    pub daemons: Vec<DaemonStop>,
    /// The shutdown handlers, in the order in which they were called.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub handlers: Vec<HandlerStop>,
    /// What else went wrong: what the host could not give back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<String>,
    /// Work of the host itself that could not be ended: the loading of a configuration, or its destructor.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cut: Vec<Cut>,
    /// Worker threads that were blocked at the end by what was not spawned through the host, and so has no name here.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub blocked_threads: usize,
    /// What is left; all zero unless something could not be stopped.
    pub left: Left,
    /// Every subscription's account.
    pub events: Vec<EventAccount>,
    /// What was published while nobody subscribed to it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unheard: Vec<Unheard>,
    /// The latest 1,000 changes of state, where the exit code is not 0.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub journal: Vec<Transition>,
}

fn is_zero(number: &usize) -> bool {
    *number == 0
}

/// How one daemon ended.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct DaemonStop {
    /// The daemon's name.
    pub name: String,
    /// Its wave.
    pub wave: u32,
    /// What it requires.
    pub requires: Vec<String>,
    /// When it was running, in milliseconds after the host's start; `None` if it never was.
    pub started_ms: Option<u64>,
    /// When it had stopped, in milliseconds after the host's start; `None` if it never started or did not stop.
    pub stopped_ms: Option<u64>,
    /// Its last state.
    pub state: State,
    /// How long its stop took, in milliseconds.
    pub stop_ms: u64,
    /// Why it failed, or did not end its start.
    pub reason: Option<String>,
    /// How often it was started again.
    pub restarts: u64,
    /// Work that had to be aborted, or could not even be.
    pub cut: Vec<Cut>,
    /// What went wrong while it stopped.
    pub problems: Vec<String>,
    /// Errors of its handlers, ticks, tasks and hooks.
    pub errors: u64,
    /// Panics of its handlers, ticks, tasks and hooks.
    pub panics: u64,
}

/// How one shutdown handler ended.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct HandlerStop {
    /// Where it was registered, as `file:line`.
    pub name: String,
    /// How long it took, in milliseconds.
    pub stop_ms: u64,
    /// Why it failed.
    pub problem: Option<String>,
    /// How it overran, if it did.
    pub cut: Option<Cut>,
}

/// A piece of work that overran the stop.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Cut {
    /// What it was.
    pub work: String,
    /// Where it was spawned.
    pub spawned_at: String,
    /// How often it was polled.
    pub polls: u64,
    /// How long ago it was last polled when it was cut, in milliseconds.
    pub idle_ms: Option<u64>,
    /// The call of its context that it waited in.
    pub waits_in: Option<String>,
    /// Whether it did not even yield, but blocked its thread.
    pub blocking: bool,
    /// Whether it is gone by now.
    pub gone: bool,
    /// Of a destructor that had not even begun: the daemons whose destructors were under way when it was its turn.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub behind: Vec<String>,
}

/// What is left after a stop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Left {
    /// Event handlers and run-time subscriptions.
    pub subscriptions: usize,
    /// Intervals.
    pub intervals: usize,
    /// Work of any other kind.
    pub tasks: usize,
}

impl Left {
    /// Whether nothing is left.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

/// What became of the events offered to one subscription.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct EventAccount {
    /// The subscription, as `daemon.handler`.
    pub subscription: String,
    /// Events published that matched it.
    pub offered: u64,
    /// Handled without an error.
    pub handled: u64,
    /// Handled with an error or a panic.
    pub failed: u64,
    /// Dropped by its overflow policy.
    pub dropped: u64,
    /// Still queued or under way at the end, or published after it.
    pub abandoned: u64,
}

impl ShutdownReport {
    /// The report of a host that could not even begin.
    pub(super) fn refused(name: String, exit_code: u8, why: &str) -> Self {
        Self {
            name,
            exit_code,
            cause: format!("refused: {why}"),
            uptime_ms: 0,
            stop_ms: 0,
            daemons: Vec::new(),
            handlers: Vec::new(),
            problems: Vec::new(),
            cut: Vec::new(),
            blocked_threads: 0,
            left: Left::default(),
            events: Vec::new(),
            unheard: Vec::new(),
            journal: Vec::new(),
        }
    }

    /// Whether everything ended well: exit code 0, no trouble while stopping, nothing cut, nothing left, no thread blocked.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        let stopped_well = |daemon: &DaemonStop| daemon.cut.is_empty() && daemon.problems.is_empty();
        let ended_well = |handler: &HandlerStop| handler.problem.is_none() && handler.cut.is_none();
        let all_well = self.daemons.iter().all(stopped_well) && self.handlers.iter().all(ended_well);
        let nothing_left = self.left.is_nothing() && self.cut.is_empty() && self.blocked_threads == 0;
        self.exit_code == 0 && nothing_left && self.problems.is_empty() && all_well
    }

    /// The daemon of that name.
    #[must_use]
    pub fn daemon(&self, name: &str) -> Option<&DaemonStop> {
        self.daemons.iter().find(|daemon| daemon.name == name)
    }
}

pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
