//! Walks the machine through worlds that answer its orders in every order there is.

mod spec;

use std::collections::{BTreeSet, HashSet, VecDeque};

use proptest::prelude::*;

use self::spec::{Spec, Todo};
use super::*;
use crate::declaration::Plane;
use crate::host::graph::{Edges, Graph};

/// What a life does, as the machine cannot see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Life {
    None,
    /// Starting; it was told to stop or not.
    Starting(bool),
    Running(bool),
}

impl Life {
    fn is_told_to_stop(self) -> bool {
        matches!(self, Self::Starting(true) | Self::Running(true))
    }
}

/// A machine, the lives it orders about, and what has been seen of it.
#[derive(Clone)]
struct World {
    machine: Machine,
    spec: Spec,
    lives: Vec<Life>,
    backing_off: BTreeSet<usize>,
    running: bool,
    stopping: bool,
    /// Whether the farewell is said, once that was begun.
    farewell: Option<bool>,
    stopped: bool,
    said: Vec<String>,
}

impl World {
    fn new(graph: Graph, optional: impl Fn(usize) -> bool) -> Self {
        let lives = vec![Life::None; graph.nodes.len()];
        let spec = Spec::new(&graph, &optional);
        let machine = Machine::new(graph, optional);
        let mut world = Self {
            machine,
            spec,
            lives,
            backing_off: BTreeSet::new(),
            running: false,
            stopping: false,
            farewell: None,
            stopped: false,
            said: Vec::new(),
        };
        let (actions, todo) = (world.machine.begin(), world.spec.begin());
        world.obey(&actions, &todo);
        world
    }

    /// Everything that could happen next of its own accord.
    fn pending(&self) -> Vec<Input> {
        let mut inputs = Vec::new();
        for (at, life) in self.lives.iter().enumerate() {
            match *life {
                Life::None => {}
                Life::Starting(told) => {
                    inputs.push(Input::Started(at));
                    inputs.push(Input::StartFailed { at, cancelled: told, verdict: Verdict::GiveUp });
                    if told {
                        inputs.push(Input::StartFailed { at, cancelled: false, verdict: Verdict::GiveUp });
                    }
                    if self.machine.has_run() && self.machine.goes_on(at) {
                        inputs.push(Input::StartFailed { at, cancelled: false, verdict: Verdict::Retry });
                    }
                }
                Life::Running(true) => inputs.push(Input::Stopped(at)),
                Life::Running(false) => {}
            }
        }
        inputs.extend(self.backing_off.iter().map(|&at| Input::BackedOff(at)));
        inputs.extend((self.farewell == Some(false)).then_some(Input::FarewellSaid));
        inputs
    }

    /// What somebody, or a fault, could add to that.
    fn meddling(&self) -> Vec<Input> {
        let mut inputs = vec![Input::Shutdown];
        inputs.extend(self.stopping.then_some(Input::FarewellSaid));
        for (at, life) in self.lives.iter().enumerate() {
            inputs.push(Input::Rest(at));
            if !self.stopping {
                inputs.extend([Input::Wake(at), Input::Renew(at)]);
            }
            if *life == Life::Starting(false) && !self.stopping {
                inputs.push(Input::Overdue(at));
            }
            if *life != Life::None {
                // Also of one of which it is yet to be told that it runs; and a life whose own task died counts as this, however far it was.
                inputs.push(Input::Broke { at, verdict: Verdict::GiveUp });
                inputs.push(Input::StartFailed { at, cancelled: false, verdict: Verdict::GiveUp });
                if self.machine.goes_on(at) {
                    inputs.push(Input::Broke { at, verdict: Verdict::Retry });
                }
            }
        }
        inputs
    }

    fn happen(&mut self, input: Input) {
        self.said.push(format!("{input:?}"));
        match input {
            Input::Started(at) => self.lives[at] = Life::Running(self.lives[at].is_told_to_stop()),
            Input::StartFailed { at, .. } | Input::Stopped(at) => self.lives[at] = Life::None,
            Input::BackedOff(at) => {
                self.backing_off.remove(&at);
            }
            Input::FarewellSaid => self.farewell = Some(true),
            _ => {}
        }
        let (actions, todo) = (self.machine.step(input), self.spec.step(input));
        self.obey(&actions, &todo);
        self.check();
    }

    /// Somebody adds a daemon at run time, which names some of those there (two bits for each say how), and starts it.
    fn add(&mut self, names: usize) {
        let at = self.lives.len();
        let of = |which| (0..at).filter(|on| names >> (2 * on) & 3 == which).collect();
        let edges = Edges { name: at.to_string().into(), requires: of(1), wants: of(2), plane: Plane::Workers };
        self.said.push(format!("add {edges:?}"));
        self.lives.push(Life::None);
        let optional = names & 1 == 0;
        let todo = self.spec.add(&edges, optional);
        let actions = self.machine.add(edges, optional);
        self.obey(&actions, &todo);
        if !self.stopping {
            self.happen(Input::Wake(at));
        }
    }

    fn obey(&mut self, actions: &[Action], todo: &Todo) {
        for action in actions {
            self.said.push(format!("  -> {action:?}"));
            assert!(!self.stopped, "nothing follows the end: {self:?}");
            match *action {
                Action::Start(at) => self.start(at),
                Action::Stop(at) => self.stop(at),
                // A delay that was cut short by hand counts no more.
                Action::BackOff(at) => drop(self.backing_off.replace(at)),
                Action::FailedBy(..) => {}
                Action::HostRunning => assert!(!std::mem::replace(&mut self.running, true), "twice: {self:?}"),
                Action::HostStopping => assert!(!std::mem::replace(&mut self.stopping, true), "twice: {self:?}"),
                Action::SayFarewell => {
                    assert_eq!(self.farewell.replace(false), None, "twice: {self:?}");
                    assert!(self.workers_are_over(), "the farewell comes after the workers' daemons: {self:?}");
                }
                Action::HostStopped => {
                    assert_eq!(self.farewell, Some(true), "{self:?}");
                    self.stopped = true;
                }
            }
        }
        assert_eq!(self.spec.summary(actions, self), *todo, "{self:?}");
        self.spec.compare(&self.machine, self);
    }

    fn start(&mut self, at: usize) {
        assert_eq!(self.lives[at], Life::None, "one life at a time: {self:?}");
        assert!(!self.stopping, "nothing starts in a shutdown: {self:?}");
        let node = &self.machine.graph().nodes[at];
        for &on in &node.requires {
            assert_eq!(self.lives[on], Life::Running(false), "{at} starts on {on}, which does not run: {self:?}");
        }
        for &on in &node.wants {
            assert!(!matches!(self.lives[on], Life::Starting(_)), "{at} did not wait for {on}: {self:?}");
        }
        self.lives[at] = Life::Starting(false);
    }

    fn stop(&mut self, at: usize) {
        self.lives[at] = match self.lives[at] {
            Life::Starting(false) => Life::Starting(true),
            Life::Running(false) => Life::Running(true),
            other => panic!("{at} is {other:?} and told to stop: {self:?}"),
        };
        for &on in &self.machine.graph().nodes[at].dependents {
            let requires = self.machine.graph().nodes[on].requires.contains(&at);
            if requires || self.stopping {
                assert_eq!(self.lives[on], Life::None, "{at} stops before {on}: {self:?}");
            }
        }
        if self.stopping && self.is_of_operations(at) && self.machine.fates()[at] == Fate::Stay {
            assert_eq!(self.farewell, Some(true), "{at} stops before the farewell: {self:?}");
        }
    }

    fn is_of_operations(&self, at: usize) -> bool {
        self.machine.graph().nodes[at].plane == Plane::Operations
    }

    fn workers_are_over(&self) -> bool {
        (0..self.lives.len()).all(|at| self.is_of_operations(at) || self.lives[at] == Life::None)
    }

    fn check(&self) {
        for (at, life) in self.lives.iter().enumerate() {
            assert_eq!(self.machine.is_up(at), *life != Life::None, "{at}: {self:?}");
        }
        if self.machine.has_failed() && self.running {
            assert!(self.stopping, "a required daemon failed and the host runs on: {self:?}");
        }
        if self.stopped {
            assert!(self.lives.iter().all(|life| *life == Life::None), "{self:?}");
        }
        // Nobody waits for something that will never come.
        if self.pending().is_empty() && !self.stopped {
            assert!(!self.stopping, "the shutdown does not end: {self:?}");
            for at in 0..self.lives.len() {
                let node = &self.machine.graph().nodes[at];
                let ready = node.requires.iter().all(|&on| self.lives[on] == Life::Running(false));
                assert!(self.machine.stage(at) != Stage::Waiting || !ready, "{at} is forgotten: {self:?}");
            }
        }
    }

    /// Lets everything come to its end, whatever is pending first chosen by `pick`.
    fn end(mut self, pick: impl Fn(usize) -> usize) -> Self {
        if !self.stopping {
            self.happen(Input::Shutdown);
        }
        for _ in 0..100 {
            let pending = self.pending();
            if pending.is_empty() || self.stopped {
                break;
            }
            let input = pending[pick(pending.len())];
            self.happen(input);
        }
        assert!(self.stopped, "{self:?}");
        self
    }
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?}\n{}", self.machine, self.said.join("\n"))
    }
}

/// A graph of `size` daemons, the first few of the operations plane; for each pair, `kind` says whether the later one names the earlier
/// one and how.
fn planes(size: usize, operations: usize, kind: impl Fn(usize, usize) -> usize) -> Graph {
    let of = |at: usize, which| (0..at).filter(|&on| kind(at, on) == which).collect();
    let plane = |at| if at < operations { Plane::Operations } else { Plane::Workers };
    let edges =
        |at: usize| Edges { name: at.to_string().into(), requires: of(at, 1), wants: of(at, 2), plane: plane(at) };
    Graph::new((0..size).map(edges).collect()).expect("acyclic by construction")
}

/// As [`planes`], all on the workers.
fn graph(size: usize, kind: impl Fn(usize, usize) -> usize) -> Graph {
    planes(size, 0, kind)
}

/// Every graph of three daemons: for each of the three pairs nothing, `requires` or `wants`.
fn graphs_of_three() -> impl Iterator<Item = Graph> {
    graphs_with(0)
}

/// As [`graphs_of_three`], the first few daemons of the operations plane.
fn graphs_with(operations: usize) -> impl Iterator<Item = Graph> {
    (0..27).map(move |code: usize| planes(3, operations, |at, on| code / 3_usize.pow((at + on - 1) as u32) % 3))
}

fn every_walk(world: &World, depth: usize, walked: &mut u64) {
    *walked += 1;
    if world.stopped {
        return;
    }
    if depth == 0 {
        world.clone().end(|_| 0);
        world.clone().end(|pending| pending - 1);
        return;
    }
    for input in world.pending().into_iter().chain(world.meddling()) {
        let mut next = world.clone();
        next.happen(input);
        every_walk(&next, depth - 1, walked);
    }
}

#[test]
fn every_walk_of_three_steps_from_the_start_and_from_running_keeps_the_rules() {
    let mut walked = 0;
    for graph in (0..2).flat_map(graphs_with) {
        let world = World::new(graph, |at| at == 1);
        every_walk(&world, 3, &mut walked);
        let mut running = world;
        while let Some(&input) = running.pending().first() {
            running.happen(input);
        }
        assert!(running.running);
        every_walk(&running, 3, &mut walked);
    }
    assert!(walked > 50_000, "{walked}");
}

/// Follows everything that can happen from here on, over any number of steps; says in how many states that may be.
fn every_state(from: World) -> usize {
    let key =
        |world: &World| (world.spec.clone(), world.machine.fates(), world.backing_off.clone(), world.lives.clone());
    let mut seen = HashSet::from([key(&from)]);
    let mut open = VecDeque::from([from]);
    while let Some(world) = open.pop_front() {
        for input in world.pending().into_iter().chain(world.meddling()) {
            let mut next = world.clone();
            next.happen(input);
            if seen.insert(key(&next)) && !next.stopped {
                open.push_back(next);
            }
        }
    }
    seen.len()
}

/// More daemons in fewer steps are in the other walks.
#[test]
fn in_every_state_that_two_daemons_can_be_in_what_is_done_is_what_the_rules_say() {
    for kind in 0..3 {
        for operations in 0..2 {
            let pair = planes(2, operations, |_, _| kind);
            let states = every_state(World::new(pair, |at| at == 1 - operations));
            assert!(states > 3_000, "{states}");
        }
    }
}

#[test]
fn a_required_daemon_that_fails_is_never_forgotten() {
    for graph in graphs_of_three() {
        for fails in 0..3 {
            let mut world = World::new(graph.clone(), |_| false);
            while let Some(&input) = world.pending().first() {
                world.happen(input);
            }
            world.happen(Input::Broke { at: fails, verdict: Verdict::GiveUp });
            let world = world.end(|_| 0);
            assert!(world.machine.has_failed());
            assert_eq!(world.machine.stage(fails), Stage::Failed);
        }
    }
}

#[test]
fn a_start_that_nobody_ends_ends_the_host_and_is_to_blame() {
    for optional in [false, true] {
        let mut world = World::new(graph(2, |_, _| 2), |_| optional);
        world.happen(Input::Overdue(0));
        assert!(world.stopping && world.machine.culprit() == Some(("0", optional)), "{world:?}");
        let world = world.end(|_| 0);
        assert_eq!((world.machine.stage(0), world.machine.stage(1)), (Stage::Failed, Stage::Stopped));
    }
}

#[test]
fn who_is_started_while_what_it_requires_fails_starts_after_it() {
    let mut world = World::new(graph(2, |_, _| 1), |_| true);
    for input in [Input::Started(0), Input::Started(1), Input::Broke { at: 0, verdict: Verdict::GiveUp }] {
        world.happen(input);
    }
    world.happen(Input::Stopped(1));
    assert_eq!((world.machine.stage(0), world.machine.stage(1)), (Stage::Stopping, Stage::Failed));
    world.happen(Input::Wake(1));
    world.happen(Input::Stopped(0));
    assert_eq!(world.lives[0], Life::Starting(false), "{world:?}");
    world.happen(Input::Started(0));
    assert_eq!(world.lives[1], Life::Starting(false), "{world:?}");
}

#[test]
fn a_restart_takes_along_exactly_those_that_require() {
    for graph in graphs_of_three() {
        for broken in 0..3 {
            let mut world = World::new(graph.clone(), |_| false);
            while let Some(&input) = world.pending().first() {
                world.happen(input);
            }
            world.said.clear();
            world.happen(Input::Broke { at: broken, verdict: Verdict::Retry });
            while let Some(&input) = world.pending().first() {
                world.happen(input);
            }
            let started = |at: usize| world.said.iter().filter(|said| **said == format!("  -> Start({at})")).count();
            let follow = graph.those_that_require(broken);
            for at in 0..3 {
                let taken = at == broken || follow.contains(&at);
                assert_eq!(started(at), usize::from(taken), "{at}: {world:?}");
                assert_eq!(world.machine.stage(at), Stage::Running);
            }
        }
    }
}

#[test]
fn of_those_that_can_start_those_of_the_operations_plane_are_first() {
    let edges = |(at, plane): (usize, Plane)| Edges {
        name: at.to_string().into(),
        requires: Vec::new(),
        wants: Vec::new(),
        plane,
    };
    let kinds = [Plane::Workers, Plane::Operations, Plane::Workers, Plane::Operations];
    let graph = Graph::new(kinds.into_iter().enumerate().map(edges).collect()).expect("without edges");
    let started: Vec<_> = Machine::new(graph, |_| false)
        .begin()
        .into_iter()
        .filter_map(|action| if let Action::Start(at) = action { Some(at) } else { None })
        .collect();
    assert_eq!(started, [1, 3, 0, 2]);
}

proptest! {
    #[test]
    fn long_random_walks_over_random_graphs_keep_the_rules(
        size in 1_usize..8,
        edges in proptest::collection::vec(0_usize..5, 64),
        operations in 0_usize..3,
        optional in any::<u8>(),
        steps in proptest::collection::vec((0_u8..9, any::<prop::sample::Index>()), 0..120),
    ) {
        let graph = planes(size, operations, |at, on| edges[at * 8 + on]);
        let mut world = World::new(graph, |at| optional >> at & 1 == 1);
        for (kind, which) in steps {
            if world.stopped {
                break;
            }
            if kind == 8 {
                if world.lives.len() < 10 {
                    world.add(which.index(1 << 20));
                }
                continue;
            }
            let pending = world.pending();
            let inputs = if kind > 1 && !pending.is_empty() { pending } else { world.meddling() };
            // A shutdown now and then only, so that there is something to walk through.
            let input = inputs[which.index(inputs.len())];
            if input != Input::Shutdown || kind == 0 {
                world.happen(input);
            }
        }
        if !world.stopped {
            world.end(|pending| pending / 2);
        }
    }
}
