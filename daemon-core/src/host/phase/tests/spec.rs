//! What the machine is to do, said once more and in another way: slowly, as rules over sets, with what is wished of a daemon instead of
//! stages and fates. Every walk compares the two at each step.

use std::collections::BTreeSet;
use std::fmt::Debug;

use super::{Action, Input, Machine, Stage, Verdict};
use crate::declaration::Plane;
use crate::host::graph::{Edges, Graph};

type Set = BTreeSet<usize>;

/// A life under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Life {
    runs: bool,
    told_to_stop: bool,
}

/// What is to be of a daemon.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Wish {
    /// It is to live.
    Up,
    /// Its life ends and another follows; somebody asked for that, or not.
    Anew {
        asked: bool,
    },
    /// Another life follows after a delay.
    Later,
    Down,
    Failed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Farewell {
    Ahead,
    Begun,
    Said,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Named {
    requires: Set,
    wants: Set,
    serves_operators: bool,
    optional: bool,
}

/// The rules, and how things are by them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Spec {
    named: Vec<Named>,
    life: Vec<Option<Life>>,
    wish: Vec<Wish>,
    has_run: bool,
    stopping: bool,
    farewell: Farewell,
    culprit: Option<usize>,
}

/// What is to be done in one step.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Todo {
    back_off: Set,
    fail: Set,
    start: Set,
    stop: Set,
    begins_to_stop: bool,
    runs: bool,
    farewell: bool,
    ends: bool,
}

impl Spec {
    pub(super) fn new(graph: &Graph, optional: impl Fn(usize) -> bool) -> Self {
        let mut spec = Self {
            named: Vec::new(),
            life: Vec::new(),
            wish: Vec::new(),
            has_run: false,
            stopping: false,
            farewell: Farewell::Ahead,
            culprit: None,
        };
        for (at, node) in graph.nodes.iter().enumerate() {
            spec.put(&node.requires, &node.wants, node.plane, optional(at));
        }
        spec
    }

    fn put(&mut self, requires: &[usize], wants: &[usize], plane: Plane, optional: bool) {
        let set = |of: &[usize]| of.iter().copied().collect();
        let serves_operators = plane == Plane::Operations;
        self.named.push(Named { requires: set(requires), wants: set(wants), serves_operators, optional });
        self.life.push(None);
        self.wish.push(Wish::Up);
    }

    /// What is to be done before anything has happened.
    pub(super) fn begin(&mut self) -> Todo {
        self.follow(Todo::default())
    }

    /// What is to be done when a daemon is added.
    pub(super) fn add(&mut self, edges: &Edges, optional: bool) -> Todo {
        self.put(&edges.requires, &edges.wants, edges.plane, optional);
        self.begin()
    }

    /// What is to be done about `input`.
    pub(super) fn step(&mut self, input: Input) -> Todo {
        let todo = self.hear(input);
        self.follow(todo)
    }

    fn all(&self) -> impl Iterator<Item = usize> + use<> {
        0..self.named.len()
    }

    fn that(&self, is: impl Fn(usize) -> bool) -> Set {
        self.all().filter(|&at| is(at)).collect()
    }

    /// Whether `by` requires `on`, over any number of steps.
    fn requires(&self, by: usize, on: usize) -> bool {
        self.named[by].requires.iter().any(|&next| next == on || self.requires(next, on))
    }

    fn is_over(&self, at: usize) -> bool {
        self.life[at].is_none() && matches!(self.wish[at], Wish::Down | Wish::Failed)
    }

    fn hear(&mut self, input: Input) -> Todo {
        match input {
            Input::Started(at) => self.life[at] = self.life[at].map(|life| Life { runs: true, ..life }),
            Input::Stopped(at) => return self.ends(at, Todo::default()),
            Input::StartFailed { at, cancelled, verdict } => {
                let is_news = !cancelled && self.wish[at] == Wish::Up;
                let mut todo = Todo::default();
                match verdict {
                    Verdict::Retry if is_news => self.wish[at] = Wish::Later,
                    Verdict::GiveUp if is_news => todo = self.fails(at),
                    _ => {}
                }
                return self.ends(at, todo);
            }
            Input::Broke { at, verdict: Verdict::Retry } if self.wish[at] == Wish::Up => self.renew(at, Wish::Later),
            Input::Broke { at, verdict: Verdict::GiveUp }
                if matches!(self.wish[at], Wish::Up | Wish::Later | Wish::Anew { asked: false }) =>
            {
                return self.fails(at);
            }
            Input::Broke { .. } => {}
            Input::Overdue(at) => {
                self.culprit.get_or_insert(at);
                let todo = self.fails(at);
                return Todo {
                    begins_to_stop: !std::mem::replace(&mut self.stopping, true) || todo.begins_to_stop,
                    ..todo
                };
            }
            Input::BackedOff(at) if self.life[at].is_none() && self.wish[at] == Wish::Later => self.wish[at] = Wish::Up,
            Input::BackedOff(_) => {}
            Input::Rest(at) => {
                for of in self.that(|of| of == at || self.requires(of, at)) {
                    if self.wish[of] != Wish::Failed {
                        self.wish[of] = Wish::Down;
                    }
                }
            }
            Input::Wake(at) => self.wake(&self.that(|of| of == at || self.requires(at, of))),
            Input::Renew(at) => {
                self.wake(&self.that(|of| self.requires(at, of)));
                match self.life[at] {
                    Some(_) => self.renew(at, Wish::Anew { asked: true }),
                    None => self.wake(&Set::from([at])),
                }
            }
            Input::Shutdown => {
                return Todo { begins_to_stop: !std::mem::replace(&mut self.stopping, true), ..Todo::default() };
            }
            Input::FarewellSaid => self.farewell = Farewell::Said,
        }
        Todo::default()
    }

    /// All of these are to live, and whose life is to end gets another.
    fn wake(&mut self, these: &Set) {
        for &at in these {
            self.wish[at] = match (self.life[at], self.wish[at]) {
                (None, _) => Wish::Up,
                (Some(_), Wish::Down | Wish::Failed) => Wish::Anew { asked: true },
                (Some(_), wish) => wish,
            };
        }
    }

    /// A life is to end before another one; that of those that require it, too, which nobody asked for.
    fn renew(&mut self, at: usize, wish: Wish) {
        self.wish[at] = wish;
        for by in self.that(|by| self.requires(by, at) && self.life[by].is_some() && self.wish[by] == Wish::Up) {
            self.wish[by] = Wish::Anew { asked: false };
        }
    }

    /// A life has ended.
    fn ends(&mut self, at: usize, mut todo: Todo) -> Todo {
        self.life[at] = None;
        self.wish[at] = match self.wish[at] {
            Wish::Failed => Wish::Failed,
            _ if self.stopping => Wish::Down,
            Wish::Later => {
                todo.back_off.insert(at);
                Wish::Later
            }
            Wish::Anew { .. } => Wish::Up,
            Wish::Up | Wish::Down => Wish::Down,
        };
        todo
    }

    /// A daemon fails for good, and with it whoever has yet to live or lives and requires it, or another that fails with it.
    fn fails(&mut self, at: usize) -> Todo {
        let mut all = Set::from([at]);
        loop {
            let goes_too = |by: &usize| {
                let has_failed = self.wish[*by] == Wish::Failed || self.is_over(*by);
                !all.contains(by) && !has_failed && !self.named[*by].requires.is_disjoint(&all)
            };
            match self.all().find(goes_too) {
                Some(by) => all.insert(by),
                None => break,
            };
        }
        all.iter().for_each(|&of| self.wish[of] = Wish::Failed);
        let matters = all.iter().any(|&of| !self.named[of].optional);
        if matters {
            self.culprit.get_or_insert(at);
        }
        let begins_to_stop = matters && self.has_run && !self.stopping;
        self.stopping |= begins_to_stop;
        all.remove(&at);
        Todo { fail: all, begins_to_stop, ..Todo::default() }
    }

    /// What follows from how things are.
    fn follow(&mut self, mut todo: Todo) -> Todo {
        if !self.stopping {
            let stays = |on: &usize| self.wish[*on] == Wish::Up && self.life[*on].is_some_and(|life| life.runs);
            let settled = |on: &usize| self.life[*on].map_or(self.is_over(*on), |life| life.runs && !life.told_to_stop);
            todo.start = self.that(|at| {
                let Named { requires, wants, .. } = &self.named[at];
                let waits = self.life[at].is_none() && self.wish[at] == Wish::Up;
                waits && requires.iter().all(stays) && wants.iter().all(settled)
            });
            let all_settled = todo.start.is_empty() && self.all().all(|at| settled(&at));
            if all_settled && !self.has_run {
                todo.runs = self.culprit.is_none();
                todo.begins_to_stop |= self.culprit.is_some();
            }
        }
        self.has_run |= todo.runs;
        self.stopping |= todo.begins_to_stop;
        todo.start.iter().for_each(|&at| self.life[at] = Some(Life { runs: false, told_to_stop: false }));
        if self.stopping {
            for at in self.that(|at| self.life[at].is_none() && self.wish[at] != Wish::Failed) {
                self.wish[at] = Wish::Down;
            }
        }
        todo.stop = self.that(|at| self.is_to_stop(at));
        todo.stop.iter().for_each(|&at| self.life[at] = self.life[at].map(|life| Life { told_to_stop: true, ..life }));
        let others_are_over = self.all().all(|at| self.named[at].serves_operators || self.is_over(at));
        todo.farewell = self.stopping && self.farewell == Farewell::Ahead && others_are_over;
        if todo.farewell {
            self.farewell = Farewell::Begun;
        }
        todo.ends = self.farewell == Farewell::Said && self.all().all(|at| self.is_over(at));
        todo
    }

    fn is_to_stop(&self, at: usize) -> bool {
        let Some(Life { told_to_stop: false, .. }) = self.life[at] else { return false };
        let stops_with_host = self.stopping && (!self.named[at].serves_operators || self.farewell == Farewell::Said);
        let is_needed = self.all().any(|by| {
            let Named { requires, wants, .. } = &self.named[by];
            self.life[by].is_some() && (requires.contains(&at) || (self.stopping && wants.contains(&at)))
        });
        (stops_with_host || self.wish[at] != Wish::Up) && !is_needed
    }

    fn stage(&self, at: usize) -> Stage {
        match (self.life[at], self.wish[at]) {
            (Some(Life { told_to_stop: true, .. }), _) => Stage::Stopping,
            (Some(Life { runs: true, .. }), _) => Stage::Running,
            (Some(_), _) => Stage::Starting,
            (None, Wish::Up | Wish::Anew { .. }) => Stage::Waiting,
            (None, Wish::Later) => Stage::BackingOff,
            (None, Wish::Down) => Stage::Stopped,
            (None, Wish::Failed) => Stage::Failed,
        }
    }

    /// Compares how things are to the machine.
    pub(super) fn compare(&self, machine: &Machine, trace: &dyn Debug) {
        for at in self.all() {
            assert_eq!(machine.stage(at), self.stage(at), "{at}: {trace:?}");
            let (wish, lives_on) = (self.wish[at], !self.stopping && self.life[at].is_some());
            let returns = lives_on && matches!(wish, Wish::Anew { .. } | Wish::Later);
            assert_eq!(machine.returns(at), returns, "{at}: {trace:?}");
            if self.life[at].is_some() {
                assert_eq!(machine.goes_on(at), lives_on && wish == Wish::Up, "{at}: {trace:?}");
            }
        }
        let culprit = machine.culprit().map(|(name, optional)| (name.to_owned(), optional));
        assert_eq!(culprit, self.culprit.map(|at| (at.to_string(), self.named[at].optional)), "{trace:?}");
        assert_eq!((machine.has_failed(), machine.has_run()), (culprit.is_some(), self.has_run), "{trace:?}");
    }

    /// What was done, each once and in an order that makes sense.
    pub(super) fn summary(&self, did: &[Action], trace: &dyn Debug) -> Todo {
        let mut todo = Todo::default();
        let mut last = 0;
        for action in did {
            let (turn, once) = match action {
                Action::BackOff(at) => (0, todo.back_off.insert(*at)),
                Action::FailedBy(at, on) => {
                    let by_requirement = self.named[*at].requires.iter().any(|on_| **on == *on_.to_string());
                    assert!(by_requirement, "{at} does not require {on}: {trace:?}");
                    (0, todo.fail.insert(*at))
                }
                Action::HostStopping => (1, !std::mem::replace(&mut todo.begins_to_stop, true)),
                // Those that answer operators first.
                Action::Start(at) => (if self.named[*at].serves_operators { 1 } else { 2 }, todo.start.insert(*at)),
                Action::HostRunning => (3, !std::mem::replace(&mut todo.runs, true)),
                Action::Stop(at) => (3, todo.stop.insert(*at)),
                Action::SayFarewell => (4, !std::mem::replace(&mut todo.farewell, true)),
                Action::HostStopped => (4, !std::mem::replace(&mut todo.ends, true)),
            };
            assert!(once && last <= turn, "{trace:?}");
            last = turn;
        }
        todo
    }
}
