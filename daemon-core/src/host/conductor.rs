//! Conducts the start and the stop: turns what has happened into what is to be done next, and does it.
//!
//! The decisions are those of [`phase`](super::phase); this is their edge. It runs on the main thread, so it calls no
//! user code, wakes no user task and logs nothing: lives do that, on the workers.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::board::Board;
use super::budget::share;
use super::graph::Graph;
use super::lives::{Lifecycle, StopOrder, stop_ceiling};
use super::phase::{Action, Input, Machine};
use super::report::StartReport;
use super::unit::Unit;
use crate::event::Bus;
use crate::status::State;

/// A host that has been assembled and found sound.
pub(crate) struct Conductor {
    pub(crate) board: Arc<Board>,
    pub(crate) bus: Arc<Bus>,
    pub(crate) graph: Arc<Graph>,
    pub(crate) units: Vec<Arc<dyn Unit>>,
    pub(crate) inputs: mpsc::UnboundedReceiver<Input>,
    pub(crate) stop_budget: Duration,
    pub(crate) start_timeout: Duration,
}

/// What the conductor keeps of the lives under way.
struct Lives {
    orders: Vec<watch::Sender<StopOrder>>,
    tasks: JoinSet<()>,
    at: HashMap<tokio::task::Id, usize>,
    count: u64,
}

impl Conductor {
    /// Runs the host to its end. `settled` hears once every daemon has started or failed to.
    ///
    /// Returns whether a daemon that the host requires failed.
    pub(crate) async fn conduct(mut self, runtime: Handle, settled: oneshot::Sender<StartReport>) -> bool {
        let optional = |at: usize| self.units[at].declaration().optional;
        let mut machine = Machine::new(self.graph.clone(), optional);
        let mut lives = Lives {
            orders: self.units.iter().map(|_| watch::Sender::new(None)).collect(),
            tasks: JoinSet::new(),
            at: HashMap::new(),
            count: 0,
        };
        let mut settled = Some(settled);
        self.board.set_state(State::Starting);
        let mut actions = machine.begin();
        loop {
            let mut over = false;
            for action in actions {
                over |= self.act(&action, &machine, &mut lives, &runtime, &mut settled);
            }
            if over {
                break;
            }
            let input = self.next_input(&mut lives, &machine).await;
            actions = machine.step(&input);
        }
        self.release(&runtime).await;
        self.board.set_state(State::Stopped);
        machine.has_failed()
    }

    /// Does what is to be done; returns whether that was the last of it.
    fn act(
        &self,
        action: &Action,
        machine: &Machine,
        lives: &mut Lives,
        runtime: &Handle,
        settled: &mut Option<oneshot::Sender<StartReport>>,
    ) -> bool {
        match action {
            Action::Start(at) => self.start(*at, lives, runtime),
            Action::Stop(at) => {
                let share = self.share(*at, machine);
                lives.orders[*at].send_replace(Some(share));
            }
            Action::FailedBy(at, on) => {
                let mut inner = self.board.slots[*at].inner();
                inner.reason.get_or_insert_with(|| format!("requires `{on}`, which failed"));
                if inner.life.is_none() && inner.state == State::Stopped {
                    inner.state = State::Failed;
                }
            }
            Action::HostRunning => {
                self.board.set_state(State::Running);
                self.tell_settled(settled, true);
            }
            Action::HostStopping => {
                self.board.set_cause(if machine.has_failed() { "a required daemon failed" } else { "asked for" });
                self.tell_settled(settled, false);
                self.board.set_state(State::Stopping);
            }
            Action::HostStopped => return true,
        }
        false
    }

    fn tell_settled(&self, settled: &mut Option<oneshot::Sender<StartReport>>, started: bool) {
        if let Some(settled) = settled.take() {
            drop(settled.send(self.board.start_report(started))); // nobody may want it
        }
    }

    fn start(&self, at: usize, lives: &mut Lives, runtime: &Handle) {
        let unit = self.units[at].clone();
        let latest = self.graph.nodes[at].dependencies().filter_map(|on| {
            let slot = &self.board.slots[on];
            Some((slot.name.to_string(), slot.inner().started?))
        });
        self.board.slots[at].inner().waited = latest.max_by_key(|(_, at)| *at);
        lives.count += 1;
        let lifecycle = Lifecycle {
            at,
            board: self.board.clone(),
            bus: self.bus.clone(),
            number: lives.count,
            start_timeout: unit.declaration().start_timeout.unwrap_or(self.start_timeout),
            stop: lives.orders[at].subscribe(),
            runtime: runtime.clone(),
            unit,
        };
        let task = lives.tasks.spawn_on(lifecycle.run(), runtime);
        lives.at.insert(task.id(), at);
    }

    /// What a daemon gets of the time that is left.
    fn share(&self, at: usize, machine: &Machine) -> Duration {
        let ceiling = stop_ceiling(&*self.units[at]);
        let Some(since) = *self.board.stopping.borrow() else { return ceiling };
        let remaining = (since + self.stop_budget).saturating_duration_since(Instant::now());
        let weight = |on: usize| if machine.is_up(on) { stop_ceiling(&*self.units[on]) } else { Duration::ZERO };
        share(ceiling, remaining, self.graph.longest_chain(at, &weight))
    }

    /// The next thing that happens. A life whose own task dies counts as failed or stopped, so that nothing waits for it.
    async fn next_input(&mut self, lives: &mut Lives, machine: &Machine) -> Input {
        loop {
            tokio::select! {
                biased;
                Some(input) = self.inputs.recv() => return input,
                Some(ended) = lives.tasks.join_next_with_id() => {
                    let (id, died) = match &ended {
                        Ok((id, ())) => (*id, false),
                        Err(error) => (error.id(), true),
                    };
                    let Some(at) = lives.at.remove(&id) else { continue };
                    if died && machine.is_up(at) {
                        let mut inner = self.board.slots[at].inner();
                        inner.reason.get_or_insert_with(|| "its lifecycle task died".to_owned());
                        inner.state = State::Failed;
                        return Input::StartFailed { at, cancelled: false };
                    }
                }
                else => return Input::Shutdown,
            }
        }
    }

    /// Lets go of the values that live through restarts, on the workers: their destructors are user code.
    async fn release(&mut self, runtime: &Handle) {
        let units = std::mem::take(&mut self.units);
        let released = runtime.spawn(async move { units.iter().for_each(|unit| unit.release()) });
        let since = (*self.board.stopping.borrow()).unwrap_or_else(Instant::now);
        drop(tokio::time::timeout_at(since + self.stop_budget, released).await); // late: the process ends without it
    }
}
