//! The machine: what each input does to the daemons, and what can be done then.

use super::{Action, Fate, Input, Stage, Verdict};
use crate::declaration::Plane;
use crate::host::graph::{Edges, Graph, Node};

/// How far what the program does last has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Farewell {
    Unsaid,
    BeingSaid,
    Said,
}

#[derive(Clone, Debug)]
struct Member {
    stage: Stage,
    fate: Fate,
    optional: bool,
}

/// The state of a host's daemons. Once the host has stopped it is asked nothing more.
#[derive(Clone, Debug)]
pub(crate) struct Machine {
    graph: Graph,
    members: Vec<Member>,
    running: bool,
    stopping: bool,
    farewell: Farewell,
    /// The first required daemon that failed, or any that blocked the start.
    failed: Option<usize>,
}

impl Machine {
    pub(crate) fn new(graph: Graph, optional: impl Fn(usize) -> bool) -> Self {
        let member = |at| Member { stage: Stage::Waiting, fate: Fate::Stay, optional: optional(at) };
        let members = (0..graph.nodes.len()).map(member).collect();
        let farewell = Farewell::Unsaid;
        Self { graph, members, running: false, stopping: false, farewell, failed: None }
    }

    pub(crate) fn graph(&self) -> &Graph {
        &self.graph
    }

    /// Whether a daemon that the host requires has failed.
    pub(crate) fn has_failed(&self) -> bool {
        self.failed.is_some()
    }

    /// The daemon whose failure ends the host, and whether it is optional.
    pub(crate) fn culprit(&self) -> Option<(&str, bool)> {
        self.failed.map(|at| (&*self.graph.nodes[at].name, self.members[at].optional))
    }

    /// Whether the host has once been running.
    pub(crate) fn has_run(&self) -> bool {
        self.running
    }

    /// Whether a life of the daemon is under way.
    pub(crate) fn is_up(&self, at: usize) -> bool {
        self.members[at].stage.is_up()
    }

    pub(crate) fn stage(&self, at: usize) -> Stage {
        self.members[at].stage
    }

    /// Adds a daemon, which starts as soon as it can.
    pub(crate) fn add(&mut self, edges: Edges, optional: bool) -> Vec<Action> {
        self.graph.add(edges);
        self.members.push(Member { stage: Stage::Waiting, fate: Fate::Stay, optional });
        self.advance()
    }

    /// What becomes of the daemons.
    #[cfg(test)]
    pub(super) fn fates(&self) -> Vec<Fate> {
        self.members.iter().map(|member| member.fate).collect()
    }

    /// Whether the daemon's life goes on as far as has been decided, so that its failure is news.
    pub(crate) fn goes_on(&self, at: usize) -> bool {
        !self.stopping && self.members[at].fate == Fate::Stay
    }

    /// Whether another life of the daemon follows the one that ends.
    pub(crate) fn returns(&self, at: usize) -> bool {
        !self.stopping && matches!(self.members[at].fate, Fate::Retry | Fate::Again | Fate::Follow)
    }

    /// What can be done before anything has happened.
    pub(crate) fn begin(&mut self) -> Vec<Action> {
        self.advance()
    }

    /// What can be done now that `input` has happened.
    pub(crate) fn step(&mut self, input: Input) -> Vec<Action> {
        let mut actions = Vec::new();
        match input {
            Input::Started(at) => {
                if self.members[at].stage == Stage::Starting {
                    self.members[at].stage = Stage::Running;
                }
            }
            Input::StartFailed { at, cancelled, verdict } => self.start_failed(at, cancelled, verdict, &mut actions),
            Input::Overdue(at) => {
                self.failed.get_or_insert(at);
                self.fail(at, &mut actions);
                self.begin_stop(&mut actions);
            }
            Input::Stopped(at) => self.ended(at, &mut actions),
            Input::Broke { at, verdict } => self.broke(at, verdict, &mut actions),
            Input::BackedOff(at) => {
                if self.members[at].stage == Stage::BackingOff {
                    self.members[at].stage = Stage::Waiting;
                }
            }
            Input::Rest(at) => self.rest(at),
            Input::Wake(at) => self.wake(at),
            Input::Renew(at) => self.renew(at),
            Input::Shutdown => self.begin_stop(&mut actions),
            Input::FarewellSaid => self.farewell = Farewell::Said,
        }
        actions.extend(self.advance());
        actions
    }

    fn broke(&mut self, at: usize, verdict: Verdict, actions: &mut Vec<Action>) {
        match (verdict, self.members[at].fate) {
            (Verdict::Retry, _) => self.stop_with_those_that_require(at, Fate::Retry),
            // For good is for good, but where it is to rest, or somebody asked for another life.
            (Verdict::GiveUp, Fate::Rest | Fate::Again) => {}
            (Verdict::GiveUp, _) => self.fail(at, actions),
        }
    }

    fn start_failed(&mut self, at: usize, cancelled: bool, verdict: Verdict, actions: &mut Vec<Action>) {
        if !cancelled && self.members[at].fate == Fate::Stay {
            match verdict {
                Verdict::Retry => self.members[at].fate = Fate::Retry,
                Verdict::GiveUp => self.fail(at, actions),
            }
        }
        self.ended(at, actions);
    }

    /// A life has ended: what its daemon does next is its fate.
    fn ended(&mut self, at: usize, actions: &mut Vec<Action>) {
        let member = &mut self.members[at];
        member.stage = match std::mem::replace(&mut member.fate, Fate::Stay) {
            Fate::Doomed => Stage::Failed,
            _ if self.stopping => Stage::Stopped,
            Fate::Retry => {
                actions.push(Action::BackOff(at));
                Stage::BackingOff
            }
            Fate::Again | Fate::Follow => Stage::Waiting,
            Fate::Rest | Fate::Stay => Stage::Stopped,
        };
    }

    /// Stops `at`, which then meets `fate`, and all that require it, which then follow it.
    fn stop_with_those_that_require(&mut self, at: usize, fate: Fate) {
        self.members[at].fate = fate;
        for on in self.graph.those_that_require(at) {
            let member = &mut self.members[on];
            if member.stage.is_up() && member.fate == Fate::Stay {
                member.fate = Fate::Follow;
            }
        }
    }

    fn rest(&mut self, at: usize) {
        for on in self.graph.those_that_require(at).into_iter().chain([at]) {
            let member = &mut self.members[on];
            match (member.stage, member.fate) {
                (Stage::Failed | Stage::Stopped, _) | (_, Fate::Doomed) => {}
                (Stage::Waiting | Stage::BackingOff, _) => member.stage = Stage::Stopped,
                _ => member.fate = Fate::Rest,
            }
        }
    }

    fn wake(&mut self, at: usize) {
        self.wake_what_it_requires(at);
        self.wake_alone(at);
    }

    fn wake_what_it_requires(&mut self, at: usize) {
        self.graph.what_it_requires(at).into_iter().for_each(|on| self.wake_alone(on));
    }

    fn wake_alone(&mut self, at: usize) {
        let member = &mut self.members[at];
        match (member.stage, member.fate) {
            (Stage::Stopped | Stage::Failed | Stage::BackingOff, _) => member.stage = Stage::Waiting,
            // One that has failed and still stops would end as failed, and who requires it would wait for ever.
            (_, Fate::Rest | Fate::Doomed) => member.fate = Fate::Again,
            _ => {}
        }
    }

    fn renew(&mut self, at: usize) {
        if self.members[at].stage.is_up() {
            // What it requires may be about to rest.
            self.wake_what_it_requires(at);
            self.stop_with_those_that_require(at, Fate::Again);
        } else {
            self.wake(at);
        }
    }

    fn begin_stop(&mut self, actions: &mut Vec<Action>) {
        if !self.stopping {
            self.stopping = true;
            actions.push(Action::HostStopping);
        }
    }

    /// Books the failure of `at`, whose life is still to end, and of all that require it.
    fn fail(&mut self, at: usize, actions: &mut Vec<Action>) {
        self.members[at].fate = Fate::Doomed;
        let mut failed = vec![at];
        let mut matters = false;
        while let Some(on) = failed.pop() {
            matters |= !self.members[on].optional;
            let Node { name, dependents, .. } = &self.graph.nodes[on];
            for &dependent in dependents {
                let requires = self.graph.nodes[dependent].requires.contains(&on);
                let member = &mut self.members[dependent];
                if !requires || member.fate == Fate::Doomed || member.stage.is_over() {
                    continue;
                }
                match member.stage.is_up() {
                    true => member.fate = Fate::Doomed,
                    false => member.stage = Stage::Failed,
                }
                actions.push(Action::FailedBy(dependent, name.clone()));
                failed.push(dependent);
            }
        }
        if matters {
            self.failed.get_or_insert(at);
            if self.running {
                self.begin_stop(actions);
            }
        }
    }

    fn advance(&mut self) -> Vec<Action> {
        let mut actions = Vec::new();
        if !self.stopping {
            self.start_what_can(&mut actions);
            if !self.running && self.members.iter().all(|member| member.stage.is_settled()) {
                if self.has_failed() {
                    self.begin_stop(&mut actions);
                } else {
                    self.running = true;
                    actions.push(Action::HostRunning);
                }
            }
        }
        self.stop_what_can(&mut actions);
        if self.stopping && self.farewell == Farewell::Unsaid && self.plane(Plane::Workers).all(Stage::is_over) {
            self.farewell = Farewell::BeingSaid;
            actions.push(Action::SayFarewell);
        }
        let over = self.farewell == Farewell::Said && self.members.iter().all(|member| member.stage.is_over());
        if over {
            actions.push(Action::HostStopped);
        }
        actions
    }

    /// Where the daemons of a plane are.
    fn plane(&self, plane: Plane) -> impl Iterator<Item = Stage> {
        let members = self.members.iter().zip(&self.graph.nodes);
        members.filter(move |(_, node)| node.plane == plane).map(|(member, _)| member.stage)
    }

    fn start_what_can(&mut self, actions: &mut Vec<Action>) {
        let all = 0..self.members.len();
        let (first, then): (Vec<_>, Vec<_>) = all.partition(|&at| self.graph.nodes[at].plane == Plane::Operations);
        for at in first.into_iter().chain(then) {
            if self.members[at].stage != Stage::Waiting {
                continue;
            }
            let node = &self.graph.nodes[at];
            // One that is about to stop is no ground to start on.
            let runs = |on: &usize| self.members[*on].stage == Stage::Running && self.members[*on].fate == Fate::Stay;
            let running = node.requires.iter().all(runs);
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
                if matches!(member.stage, Stage::Waiting | Stage::BackingOff) {
                    member.stage = Stage::Stopped;
                }
            }
        }
        for at in 0..self.members.len() {
            let member = &self.members[at];
            let may = matches!(member.stage, Stage::Starting | Stage::Running);
            let stays_for_others = self.graph.nodes[at].plane == Plane::Operations && self.farewell != Farewell::Said;
            if !may || !((self.stopping && !stays_for_others) || member.fate != Fate::Stay) {
                continue;
            }
            let holds = |on: &usize| {
                // Outside a shutdown, one that merely wants this daemon goes on without it.
                let matters = self.stopping || self.graph.nodes[*on].requires.contains(&at);
                matters && self.members[*on].stage.is_up()
            };
            if !self.graph.nodes[at].dependents.iter().any(holds) {
                self.members[at].stage = Stage::Stopping;
                actions.push(Action::Stop(at));
            }
        }
    }
}
