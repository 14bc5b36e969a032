//! Which daemon may start or stop next: a state machine without clock or I/O.
//!
//! Invariants:
//! 1. A daemon starts only when all it requires are running and all it wants have settled.
//! 2. A daemon stops only when none of its dependents, of either kind, is starting, running or stopping.
//! 3. Once the shutdown has begun nothing starts.

use std::sync::Arc;

use super::graph::Graph;

/// Where one daemon is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    Waiting,
    Starting,
    Running,
    Stopping,
    Stopped,
    Failed,
}

impl Stage {
    fn is_settled(self) -> bool {
        !matches!(self, Self::Waiting | Self::Starting)
    }

    fn is_over(self) -> bool {
        matches!(self, Self::Stopped | Self::Failed)
    }
}

/// What has happened.
#[derive(Clone, Debug)]
pub(crate) enum Input {
    /// A start ended well.
    Started(usize),
    /// A start ended badly, its own cleaning up included; `cancelled` if only because it was asked to stop.
    StartFailed { at: usize, cancelled: bool },
    /// A stop ended.
    Stopped(usize),
    /// A running daemon cannot go on.
    Broke(usize),
    /// Somebody asked for the shutdown.
    Shutdown,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Start(usize),
    Stop(usize),
    /// The daemon will not start, or stops for good, because one that it requires failed.
    FailedBy(usize, Arc<str>),
    /// Every daemon has settled and none that is required failed.
    HostRunning,
    /// The shutdown has begun.
    HostStopping,
    /// Nothing is left to do.
    HostStopped,
}

#[derive(Clone, Debug)]
struct Member {
    stage: Stage,
    optional: bool,
    /// It is to end as failed, not as stopped.
    doomed: bool,
}

/// The state of a host's daemons.
#[derive(Clone, Debug)]
pub(crate) struct Machine {
    graph: Arc<Graph>,
    members: Vec<Member>,
    running: bool,
    stopping: bool,
    stopped: bool,
    failed: bool,
}

impl Machine {
    pub(crate) fn new(graph: Arc<Graph>, optional: impl Fn(usize) -> bool) -> Self {
        let member = |at| Member { stage: Stage::Waiting, optional: optional(at), doomed: false };
        let members = (0..graph.nodes.len()).map(member).collect();
        Self { graph, members, running: false, stopping: false, stopped: false, failed: false }
    }

    /// Whether a daemon that the host requires has failed.
    pub(crate) fn has_failed(&self) -> bool {
        self.failed
    }

    /// Whether the daemon at `at` has yet to stop.
    pub(crate) fn is_up(&self, at: usize) -> bool {
        !self.members[at].stage.is_over()
    }

    /// What can be done before anything has happened.
    pub(crate) fn begin(&mut self) -> Vec<Action> {
        self.advance()
    }

    /// What can be done now that `input` has happened.
    pub(crate) fn step(&mut self, input: &Input) -> Vec<Action> {
        let mut actions = Vec::new();
        match *input {
            Input::Started(at) => {
                if self.members[at].stage == Stage::Starting {
                    self.members[at].stage = Stage::Running;
                }
            }
            Input::StartFailed { at, cancelled } => {
                let cancelled = cancelled && !self.members[at].doomed;
                self.members[at].stage = if cancelled { Stage::Stopped } else { Stage::Failed };
                if !cancelled {
                    self.fail(at, &mut actions);
                }
            }
            Input::Stopped(at) => {
                let doomed = self.members[at].doomed;
                self.members[at].stage = if doomed { Stage::Failed } else { Stage::Stopped };
            }
            Input::Broke(at) => {
                if self.members[at].stage == Stage::Running && !self.members[at].doomed {
                    self.members[at].doomed = true;
                    self.fail(at, &mut actions);
                }
            }
            Input::Shutdown => self.begin_stop(&mut actions),
        }
        actions.extend(self.advance());
        actions
    }

    fn begin_stop(&mut self, actions: &mut Vec<Action>) {
        if !self.stopping {
            self.stopping = true;
            actions.push(Action::HostStopping);
        }
    }

    /// Books the failure of `at`, and of all that require it.
    fn fail(&mut self, at: usize, actions: &mut Vec<Action>) {
        let mut failed = vec![at];
        while let Some(at) = failed.pop() {
            if !self.members[at].optional {
                self.failed = true;
                if self.running {
                    self.begin_stop(actions);
                }
            }
            let name = self.graph.nodes[at].name.clone();
            for &dependent in &self.graph.clone().nodes[at].dependents {
                let requires = self.graph.nodes[dependent].requires.contains(&at);
                let member = &mut self.members[dependent];
                if !requires || member.doomed || member.stage.is_over() {
                    continue;
                }
                member.doomed = true;
                if member.stage == Stage::Waiting {
                    member.stage = Stage::Failed;
                }
                actions.push(Action::FailedBy(dependent, name.clone()));
                failed.push(dependent);
            }
        }
    }

    fn advance(&mut self) -> Vec<Action> {
        let mut actions = Vec::new();
        if !self.stopping {
            self.start_what_can(&mut actions);
            if !self.running && self.members.iter().all(|member| member.stage.is_settled()) {
                if self.failed {
                    self.begin_stop(&mut actions);
                } else {
                    self.running = true;
                    actions.push(Action::HostRunning);
                }
            }
        }
        self.stop_what_can(&mut actions);
        if self.stopping && !self.stopped && self.members.iter().all(|member| member.stage.is_over()) {
            self.stopped = true;
            actions.push(Action::HostStopped);
        }
        actions
    }

    fn start_what_can(&mut self, actions: &mut Vec<Action>) {
        for at in 0..self.members.len() {
            if self.members[at].stage != Stage::Waiting {
                continue;
            }
            let node = &self.graph.nodes[at];
            let running = node.requires.iter().all(|&on| self.members[on].stage == Stage::Running);
            let settled = node.wants.iter().all(|&on| self.members[on].stage.is_settled());
            if running && settled {
                self.members[at].stage = Stage::Starting;
                actions.push(Action::Start(at));
            }
        }
    }

    fn stop_what_can(&mut self, actions: &mut Vec<Action>) {
        if self.stopping {
            for member in &mut self.members {
                if member.stage == Stage::Waiting {
                    member.stage = Stage::Stopped;
                }
            }
        }
        for at in 0..self.members.len() {
            let member = &self.members[at];
            let up = matches!(member.stage, Stage::Starting | Stage::Running);
            let dependents = &self.graph.nodes[at].dependents;
            if up
                && (self.stopping || member.doomed)
                && dependents.iter().all(|&on| {
                    let dependent = &self.members[on];
                    // Outside a shutdown, one that merely wants this daemon goes on without it.
                    let holds = self.stopping || self.graph.nodes[on].requires.contains(&at);
                    !holds || dependent.stage.is_over() || dependent.stage == Stage::Waiting
                })
            {
                self.members[at].stage = Stage::Stopping;
                actions.push(Action::Stop(at));
            }
        }
    }
}
