//! What can be seen of a host from outside: plain, serialisable data.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::declaration::Plane;
use crate::event::SubscriptionStatus;
use crate::histogram::Histogram;
use crate::written::{ms, us};

/// Where a host or a daemon is in its life. Lower-case in every output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum State {
    /// Not started yet, or stopped for good.
    #[default]
    Stopped,
    /// On its way to running.
    Starting,
    /// Doing its work.
    Running,
    /// On its way to stopped.
    Stopping,
    /// Between two lives, waiting to be started again.
    Backoff,
    /// Gave up; it will not run again.
    Failed,
}

impl State {
    /// The state's name, as shown everywhere.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stopped => "stopped",
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Stopping => "stopping",
            Self::Backoff => "backoff",
            Self::Failed => "failed",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A host and everything in it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct HostStatus {
    /// The host's name.
    pub name: String,
    /// The number of its process.
    pub pid: u32,
    /// The host's state.
    pub state: State,
    /// How long ago it started.
    #[serde(rename = "uptime_ms", with = "ms")]
    pub uptime: Duration,
    /// How often it was reloaded.
    pub reloads: u64,
    /// Its daemons, in the order of their waves.
    pub daemons: Vec<DaemonStatus>,
    /// Work that blocks its thread now: that a thread has been in one poll of for long, 1 s unless
    /// [`Host::warn_blocked_after`](crate::Host::warn_blocked_after) says otherwise.
    pub blocked: Vec<BlockedWork>,
}

impl HostStatus {
    /// The daemon of that name.
    #[must_use]
    pub fn daemon(&self, name: &str) -> Option<&DaemonStatus> {
        self.daemons.iter().find(|daemon| daemon.name == name)
    }
}

/// One daemon.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct DaemonStatus {
    /// The daemon's name.
    pub name: String,
    /// Its state.
    pub state: State,
    /// Which threads it runs on.
    pub plane: Plane,
    /// 1 + the highest wave of what it requires or wants.
    pub wave: u32,
    /// What it requires.
    pub requires: Vec<String>,
    /// What it wants.
    pub wants: Vec<String>,
    /// Whether the host goes on without it.
    pub optional: bool,
    /// Why it last failed, if it ever did.
    pub reason: Option<String>,
    /// How often it was started again.
    pub restarts: u64,
    /// How long its last start took; `None` until it first ran.
    #[serde(rename = "start_took_us", with = "us::option")]
    pub start_took: Option<Duration>,
    /// How long its last stop took, if it was ever stopped.
    #[serde(rename = "stop_took_us", with = "us::option")]
    pub stop_took: Option<Duration>,
    /// What it does without, in words: each handler or interval whose last three calls failed, and, while it runs, each daemon it
    /// wants that is in this host and does not run.
    pub degraded: Vec<String>,
    /// Its event handlers and run-time subscriptions.
    pub subscriptions: Vec<SubscriptionStatus>,
    /// What became of the events of run-time subscriptions that have ended, by topic: of the first 256 topics, and of all others
    /// together.
    pub ended: Vec<EndedSubscriptions>,
    /// How many guards it registered with [`Context::register_subscription`](crate::Context::register_subscription).
    pub guards: usize,
    /// Its intervals.
    pub intervals: Vec<IntervalStatus>,
    /// Its tasks, deferred calls, readiness reactions, commands and checks under way.
    pub tasks: Vec<TaskStatus>,
    /// The commands it answers.
    pub commands: Vec<String>,
    /// Errors returned by its handlers, ticks and tasks.
    pub errors: u64,
    /// Panics caught in its handlers, ticks, tasks and hooks.
    pub panics: u64,
    /// What it counts itself, with [`Context::counter`](crate::Context::counter).
    #[serde(default)]
    pub counters: Vec<CounterStatus>,
}

/// A number that a daemon counts up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CounterStatus {
    /// Its name.
    pub name: String,
    /// What it counts.
    pub help: String,
    /// What tells it from others of its name.
    pub labels: BTreeMap<String, String>,
    /// How many there were.
    pub value: u64,
}

/// What became of the events that run-time subscriptions of one topic were offered which have ended. What was still queued then is
/// abandoned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct EndedSubscriptions {
    /// The topic or pattern; `(others)` for those that are not told apart.
    pub topic: String,
    /// Events published that they should have got.
    pub offered: u64,
    /// Events that were received.
    pub handled: u64,
    /// Events for which a filter or key of theirs panicked.
    pub failed: u64,
    /// Events lost to a bound, a refused wait or a publish given up.
    pub dropped: u64,
    /// Events that came, or were still there, when the subscriber stopped.
    pub abandoned: u64,
}

/// Whether an interval ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum IntervalState {
    /// It does.
    Active,
    /// Not until it is resumed, but for ticks run by hand.
    Paused,
    /// Its period is `off`: not until it is given another, but for ticks run by hand.
    Off,
}

/// One interval.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct IntervalStatus {
    /// The interval's name.
    pub name: String,
    /// When it ticks, as text: its period, its cron expression and zone, or `off`.
    pub schedule: String,
    /// Its period, if it has one.
    #[serde(rename = "period_ms", with = "ms::option")]
    pub period: Option<Duration>,
    /// Whether it ticks.
    pub state: IntervalState,
    /// Ticks that ended, whatever their outcome.
    pub ticks: u64,
    /// Ticks that returned an error, panicked or timed out.
    pub failed: u64,
    /// Ticks that were due and did not come: another one ran, nothing could run, or its own condition said so.
    pub skipped: u64,
    /// How many ticks are running now; more than one only where they may overlap.
    pub running: u32,
    /// How long ago the last tick began.
    #[serde(rename = "last_run_ms", with = "ms::option")]
    pub last_run: Option<Duration>,
    /// In how long the next tick is due; `None` if nothing but the end of a tick, or a call by hand, makes it tick again.
    #[serde(rename = "next_run_ms", with = "ms::option")]
    pub next_run: Option<Duration>,
    /// How long the last tick took.
    #[serde(rename = "last_duration_us", with = "us::option")]
    pub last_duration: Option<Duration>,
    /// Why the last tick failed; `None` if it did not.
    pub last_error: Option<String>,
    /// How long after they were due ticks began, but for those that waited for another to end or were run by hand.
    pub lateness: Histogram,
    /// How long ticks took, whatever their outcome.
    pub times: Histogram,
}

/// What a piece of work is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum TaskKind {
    /// The factory that makes a daemon's value.
    Make,
    /// `initialize`.
    Initialize,
    /// `initialize_deferred`.
    InitializeDeferred,
    /// `cleanup`.
    Cleanup,
    /// The event handlers of a daemon, which share one task; or one that is isolated, or those of an isolated queue.
    Handlers,
    /// The driver of a daemon's intervals, which share one task; a tick that is done without waiting runs in it.
    Schedule,
    /// A tick of an interval that is not done without waiting.
    Interval,
    /// A `#[task]`, or what [`Context::spawn`](crate::Context::spawn) started.
    Task,
    /// A deferred call.
    Deferred,
    /// A reaction to another daemon's readiness.
    OnReady,
    /// A command under way.
    Command,
    /// A health check under way.
    Check,
    /// What [`Context::spawn_blocking`](crate::Context::spawn_blocking) started.
    Blocking,
    /// `check_reload` or `reload`.
    Reload,
    /// What loads the host's configuration, or drops it at the end.
    Load,
    /// The destructor of the daemon's value.
    Destructor,
    /// A shutdown handler of the host.
    Shutdown,
}

impl fmt::Display for TaskKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Make => "factory",
            Self::Initialize => "initialize",
            Self::InitializeDeferred => "initialize_deferred",
            Self::Cleanup => "cleanup",
            Self::Handlers => "event handlers",
            Self::Schedule => "schedule",
            Self::Interval => "interval",
            Self::Task => "task",
            Self::Deferred => "deferred call",
            Self::OnReady => "on_ready",
            Self::Command => "command",
            Self::Check => "check",
            Self::Blocking => "blocking work",
            Self::Reload => "reload",
            Self::Load => "loading of the configuration",
            Self::Destructor => "destructor",
            Self::Shutdown => "shutdown handler",
        })
    }
}

/// One piece of work under way.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TaskStatus {
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: TaskKind,
    /// Where it was spawned, as `file:line`; for what a definition holds, where the host spawned it.
    pub spawned_at: String,
    /// How often it was polled.
    pub polls: u64,
    /// How long it has existed.
    #[serde(rename = "age_ms", with = "ms")]
    pub age: Duration,
    /// How long ago it was last polled.
    #[serde(rename = "idle_ms", with = "ms::option")]
    pub idle: Option<Duration>,
    /// Whether a thread is polling it right now; if so and it has long been idle, it blocks that thread.
    pub polling: bool,
    /// The call of its context that it waits in.
    pub waits_in: Option<String>,
}

/// Work that blocks its thread: asynchronous code that has not yielded for long.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct BlockedWork {
    /// The daemon whose work it is.
    pub daemon: String,
    /// What it is, such as ``event handler `user_created` ``.
    pub work: String,
    /// What kind of work it is.
    pub kind: TaskKind,
    /// Where it was spawned, as `file:line`; for what a definition holds, where the host spawned it.
    pub spawned_at: String,
    /// How long its thread has been in it.
    #[serde(rename = "blocked_ms", with = "ms")]
    pub blocked: Duration,
}

/// One change of state, of a daemon or of the host.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Transition {
    /// When, in milliseconds after the host's start.
    pub at_ms: u64,
    /// The daemon; `None` for the host itself.
    pub daemon: Option<String>,
    /// The state it came into.
    pub state: State,
    /// Why, where there is more to say than that it was next.
    pub cause: Option<String>,
}

/// Events that nobody heard, and subscriptions to which nothing came, so far.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct EventAudit {
    /// Topics on which something was published while nobody subscribed to it. Of topics that no type has as its own, the first 256
    /// are remembered.
    pub unheard: Vec<Unheard>,
    /// Subscriptions that were offered nothing.
    pub unfed: Vec<Unfed>,
    /// What daemons published though they declare which events they publish, and do not name these.
    pub undeclared: Vec<Undeclared>,
}

/// A topic on which something was published that nobody heard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Unheard {
    /// The topic.
    pub topic: String,
    /// Who published the first of these events.
    pub publisher: String,
    /// How many there were.
    pub events: u64,
}

/// A type of event that its publisher does not name among those it publishes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Undeclared {
    /// The daemon that published it.
    pub publisher: String,
    /// The type's own topic or pattern.
    pub topic: String,
    /// The type's name.
    pub event: String,
}

/// A subscription to which nothing came.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Unfed {
    /// The subscription, as `daemon.handler`.
    pub subscription: String,
    /// The topic or pattern.
    pub topic: String,
}

/// What a health check speaks of. The words are those of Kubernetes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum CheckKind {
    /// Whether the daemon is alive at all.
    Liveness,
    /// Whether the daemon can do its work now.
    Readiness,
    /// Whether the daemon has finished starting.
    Startup,
}

/// What one health check found.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CheckReport {
    /// The daemon the check belongs to.
    pub daemon: String,
    /// Which of its lives was asked.
    pub life: u64,
    /// The check's name.
    pub name: String,
    /// What it speaks of.
    pub kind: CheckKind,
    /// Whether a failure only degrades.
    pub soft: bool,
    /// Why it failed; `None` if it passed.
    pub failure: Option<String>,
    /// How long it took.
    #[serde(rename = "duration_us", with = "us")]
    pub duration: Duration,
}

/// Whether a host does its work, as far as the lives of its daemons tell.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct HostReadiness {
    /// Whether it does: it runs, every daemon that it requires runs, and nobody has asked for its shutdown.
    pub ready: bool,
    /// Whether it has been running at all: whether its start is over.
    pub started: bool,
    /// Whether it has been asked to shut down, or has.
    pub stopping: bool,
    /// The daemons that it requires and that do not run.
    pub down: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_written_with_its_units_and_read_again() {
        let json: serde_json::Value = serde_json::from_str(STATUS).unwrap();
        let status: HostStatus = serde_json::from_value(json.clone()).unwrap();
        assert_eq!(status.uptime, Duration::from_secs(61));
        let interval = &status.daemons[0].intervals[0];
        assert_eq!((interval.last_duration, interval.next_run), (Some(Duration::from_micros(15)), None));
        assert_eq!(serde_json::to_value(&status).unwrap(), json);
    }

    const STATUS: &str = r#"{
            "name": "app", "pid": 7, "state": "running", "uptime_ms": 61000, "reloads": 0, "blocked": [],
            "daemons": [{
                "name": "store", "state": "running", "plane": "workers", "wave": 1, "requires": [], "wants": [], "optional": false,
                "reason": null, "restarts": 0, "start_took_us": 322, "stop_took_us": null, "degraded": [], "subscriptions": [],
                "ended": [], "guards": 0, "commands": ["stats"],
                "errors": 0, "panics": 0, "counters": [{"name": "store_reads", "help": "Reads.", "labels": {"kind": "cold"}, "value": 3}],
                "intervals": [{
                    "name": "sweep", "schedule": "5s", "period_ms": 5000, "state": "paused", "ticks": 3, "failed": 0,
                    "skipped": 1, "running": 0, "last_run_ms": 1200, "next_run_ms": null, "last_duration_us": 15,
                    "last_error": null, "lateness": {"max_ns": 0, "total_ns": 0, "buckets": []}, "times": {"max_ns": 0, "total_ns": 0, "buckets": []}
                }],
                "tasks": [{
                    "name": "pump", "kind": "task", "spawned_at": "src/main.rs:1", "polls": 2, "age_ms": 10, "idle_ms": 3,
                    "polling": false, "waits_in": null
                }]
            }]
        }"#;
}
