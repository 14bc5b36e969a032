//! What a run is to be: a graph, what each daemon's code does, and who steps in when.

use std::fmt;
use std::time::Duration;

use daemon_core::{Missed, OnError, Overflow, Overlap, RestartPolicy};

/// What a piece of user code does when it is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deed {
    Well,
    Error,
    Panic,
    /// Takes so long, then ends well.
    Slow(Duration),
    /// Never ends, and heeds nothing.
    Hang,
    /// Blocks its thread for so long. Only where time is real.
    Block(Duration),
    /// Ends well once it is cancelled.
    Heed,
    /// Asks for the host's shutdown.
    Shutdown,
    /// Publishes on one of the topics, and waits for room.
    Publish(usize),
    /// Publishes, and gives up if there is no room in time.
    PublishWithin(usize, Duration),
    /// Publishes, and waits so long for it to be handled.
    PublishHandled(usize, Duration),
    /// Publishes what is kept for those who subscribe later.
    Keep,
    /// Publishes so often without waiting.
    Storm(usize, usize),
    /// Spawns work that does the deed of that number in [`SPAWNED`].
    Spawn(usize),
    /// Registers, subscribes, unregisters; see [`Registration`].
    Register(Registration),
    /// Calls a command of another daemon.
    Call(usize),
    /// Runs all health checks.
    Checks,
    /// Has the host reload, and waits for what comes of it.
    Reload,
    /// Spawns work as [`Deed::Spawn`] does, and waits for its end.
    Await(usize),
}

/// What spawned work does.
pub(crate) const SPAWNED: [Deed; 6] =
    [Deed::Well, Deed::Panic, Deed::Hang, Deed::Heed, Deed::Publish(0), Deed::Slow(Duration::from_millis(40))];

/// What a daemon does about its registrations at run time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Registration {
    Guard,
    EndGuards,
    Interval,
    EndInterval,
    EndIntervals,
    Pull,
    OnReady,
    Defer,
    Blocking,
    Tap,
    /// Work whose destructor spawns other work.
    Heir,
}

/// A handler's queue and what its calls do.
#[derive(Clone, Debug)]
pub(crate) struct Handler {
    pub(crate) capacity: usize,
    pub(crate) overflow: Overflow,
    pub(crate) startup: usize,
    /// Where the latest is kept, whether that of each key.
    pub(crate) keyed: bool,
    /// How many calls may be under way at once.
    pub(crate) concurrency: u32,
    pub(crate) isolated: bool,
    pub(crate) on_error: OnError,
    pub(crate) deeds: Vec<Deed>,
}

#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) requires: Vec<usize>,
    pub(crate) wants: Vec<usize>,
    pub(crate) optional: bool,
    pub(crate) restart: RestartPolicy,
    pub(crate) start_timeout: Option<Duration>,
    pub(crate) stop_timeout: Option<Duration>,
    pub(crate) initialize: Vec<Deed>,
    pub(crate) cleanup: Vec<Deed>,
    pub(crate) period: Option<Duration>,
    pub(crate) overlap: Overlap,
    pub(crate) missed: Missed,
    pub(crate) jitter: bool,
    /// A tick's timeout.
    pub(crate) timeout: Option<Duration>,
    pub(crate) tick: Vec<Deed>,
    /// What a tick that fails leads to.
    pub(crate) on_error: OnError,
    pub(crate) task: Option<Vec<Deed>>,
    /// Whether its task may end.
    pub(crate) finite: bool,
    /// Two on the first topic, one on the second, one on both.
    pub(crate) handlers: [Option<Handler>; 4],
    /// Whether the first two share a queue, that of the first.
    pub(crate) shared: bool,
    pub(crate) command: Vec<Deed>,
    pub(crate) check: Vec<Deed>,
    pub(crate) check_reload: Vec<Deed>,
    pub(crate) reload: Vec<Deed>,
    /// What its factory does, if its value is made anew for each life.
    pub(crate) made: Option<Vec<Deed>>,
    /// Which daemon it reacts to, and how.
    pub(crate) reaction: Option<(usize, Vec<Deed>)>,
    /// What it does once it has run so long.
    pub(crate) deferral: Option<(Duration, Vec<Deed>)>,
    /// What it does as soon as it runs.
    pub(crate) begun: Vec<Deed>,
    /// Added at run time only.
    pub(crate) late: bool,
}

/// What somebody does from outside.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    Restart(usize),
    Stop(usize),
    Start(usize),
    Add(usize),
    /// Says of it that it has failed; whether for good.
    Fail(usize, bool),
    Publish(usize, usize),
    /// Publishes, and waits until everybody has handled it.
    PublishAndWait(usize),
    Pause(usize),
    Resume(usize),
    /// Has it tick once more.
    Run(usize),
    Period(usize, Duration),
    Call(usize),
    Checks,
    Reload,
    Shutdown,
    /// Whoever asked last and still waits for the answer does so no longer.
    GiveUp,
}

impl Step {
    /// Whether it starts daemons whatever they wait for, and again such as have failed: who is added has started what it requires.
    pub(crate) fn starts(&self) -> bool {
        matches!(self, Self::Start(_) | Self::Restart(_) | Self::Add(_))
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) nodes: Vec<Node>,
    pub(crate) steps: Vec<(Duration, Step)>,
    /// A step that is taken when so many moments have been seen.
    pub(crate) at_moment: Option<(usize, Step)>,
    pub(crate) run_for: Duration,
    /// What loading a configuration comes to.
    pub(crate) load: Vec<Deed>,
    /// How long the start of a daemon may take that does not say so itself; by default 20 s.
    pub(crate) start_timeout: Duration,
    /// How long all of them together may take.
    pub(crate) start_budget: Option<Duration>,
    /// When the start is given up.
    pub(crate) patience: Duration,
    pub(crate) stop_budget: Duration,
    /// How long the host goes on once its shutdown is asked for.
    pub(crate) unready_delay: Duration,
    /// What each shutdown handler does.
    pub(crate) farewell: Vec<Deed>,
    /// Whether somebody keeps the contexts of all lives.
    pub(crate) keeps_contexts: bool,
    /// Whether threads are blocked, so that time is real.
    pub(crate) blocks: bool,
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, node) in self.nodes.iter().enumerate() {
            writeln!(f, "n{at}: {node:?}")?;
        }
        let Self { steps, at_moment, run_for, patience, stop_budget, load, start_timeout, start_budget, .. } = self;
        writeln!(f, "steps {steps:?}, at a moment {at_moment:?}")?;
        writeln!(f, "loading {load:?}, start timeout {start_timeout:?}, start budget {start_budget:?}")?;
        writeln!(f, "unready for {:?}, then says {:?}", self.unready_delay, self.farewell)?;
        writeln!(f, "keeps contexts: {}", self.keeps_contexts)?;
        writeln!(f, "runs for {run_for:?}, patience {patience:?}, stop budget {stop_budget:?}")
    }
}

impl Node {
    /// How many calls of a handler may be under way at once, together with those of the handlers that share its queue.
    pub(crate) fn calls_at_once(&self, handler: usize) -> u32 {
        match &self.handlers[handler] {
            Some(_) if handler < 2 && self.shares() => 1,
            Some(of) => of.concurrency,
            None => 0,
        }
    }

    /// Whether the first two handlers share a queue, whose events stay in order.
    pub(crate) fn shares(&self) -> bool {
        let keeps_order = self.handlers[0].as_ref().is_some_and(|first| first.overflow != Overflow::Latest);
        self.shared && keeps_order && self.handlers[1].is_some()
    }
}
