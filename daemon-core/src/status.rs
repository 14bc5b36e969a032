//! What can be seen of a host from outside: plain, serialisable data.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::declaration::Plane;
use crate::event::SubscriptionStatus;
use crate::histogram::Histogram;

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
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct HostStatus {
    /// The host's name.
    pub name: String,
    /// The host's state.
    pub state: State,
    /// How long ago it started.
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
#[derive(Clone, Debug, Serialize)]
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
    /// What it does without: each handler or interval whose last three calls failed, and, while it runs, each daemon it wants
    /// that is in this host and does not run.
    pub degraded: Vec<String>,
    /// Its event handlers and run-time subscriptions.
    pub subscriptions: Vec<SubscriptionStatus>,
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
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct IntervalStatus {
    /// The interval's name.
    pub name: String,
    /// When it ticks, as text: its period, its cron expression and zone, or `off`.
    pub schedule: String,
    /// Its period, if it has one.
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
    pub last_run: Option<Duration>,
    /// In how long the next tick is due; `None` if nothing but the end of a tick, or a call by hand, makes it tick again.
    pub next_run: Option<Duration>,
    /// How long the last tick took.
    pub last_duration: Option<Duration>,
    /// Why the last tick failed; `None` if it did not.
    pub last_error: Option<String>,
    /// How long after they were due ticks began, but for those that waited for another to end or were run by hand.
    pub lateness: Histogram,
}

/// What a piece of work is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
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
#[derive(Clone, Debug, Serialize)]
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
    pub age: Duration,
    /// How long ago it was last polled.
    pub idle: Option<Duration>,
    /// Whether a thread is polling it right now; if so and it has long been idle, it blocks that thread.
    pub polling: bool,
    /// The call of its context that it waits in.
    pub waits_in: Option<String>,
}

/// Work that blocks its thread: asynchronous code that has not yielded for long.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
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
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
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
#[derive(Clone, Debug, Serialize)]
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
    /// Why it failed; `None` if it passed.
    pub failure: Option<String>,
    /// How long it took.
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
