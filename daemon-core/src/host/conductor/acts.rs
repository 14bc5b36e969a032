//! Does what the machine says is to be done: starts and stops lives, shows states, tells of the start.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::{Conducting, Then};
use crate::BoxFuture;
use crate::declaration::Plane;
use crate::host::budget::share;
use crate::host::lives::{Lifecycle, Order, StartLimits, stop_ceiling};
use crate::host::phase::{Action, Stage};
use crate::status::State;
use crate::task::{FOREVER, aside};
use crate::unwind::quietly;

impl Conducting {
    /// Does what is to be done now; returns what is to follow, if that is not to wait for what happens.
    pub(super) fn act(&mut self, action: &Action) -> Option<Then> {
        match action {
            Action::Start(at) => self.start(*at),
            Action::Stop(at) => {
                let share = self.share(*at);
                let returns = self.machine.returns(*at);
                self.players[*at].order.send_replace(Some(Order { share, returns, restarts: returns }));
            }
            Action::BackOff(at) => {
                self.backing_off.retain(|(_, other)| other != at); // a delay that was cut short by hand
                let until = Instant::now() + self.players[*at].after;
                // Whoever does not run when the start has to be over fails then, and not later.
                let until = self.start_by.map_or(until, |(by, _)| until.min(by));
                self.backing_off.push((until, *at));
            }
            Action::FailedBy(at, on) => {
                self.board.slot(*at).inner().reason = Some(format!("requires `{on}`, which failed"));
            }
            Action::HostRunning => {
                self.start_by = None;
                self.board.set_state(State::Running);
                self.show();
                self.tell_settled(true);
            }
            Action::HostStopping => {
                let failed = self.machine.culprit().map(|(name, optional)| {
                    let which = if optional { "daemon" } else { "required daemon" };
                    format!("{which} `{name}` failed")
                });
                self.board.set_cause(&failed.unwrap_or_else(|| "asked for".to_owned()));
                self.show();
                self.tell_settled(false);
                self.board.set_state(State::Stopping);
                let stopping = self.board.stopping.clone();
                self.aside(move || stopping.cancel());
                self.hurry();
                self.last_call = self.last_call();
            }
            Action::SayFarewell => return Some(Then::SayFarewell),
            Action::HostStopped => return Some(Then::End),
        }
        None
    }

    /// Shows on the board the states of those that have no life under way to show it.
    pub(super) fn show(&mut self) {
        let mut changed = Vec::new();
        let (workers, goes_on) = (self.planes.workers(), self.board.stopping_since().is_none());
        for (at, player) in self.players.iter_mut().enumerate() {
            let is_over = matches!(self.machine.stage(at), Stage::Failed | Stage::Stopped);
            // A life that failed to start does not know that none follows, and one that never began abandons nothing. What a
            // host that stops still keeps it abandons at its end.
            if is_over && goes_on && player.closing.is_none() {
                let slot = self.board.slot(at);
                player.closing = Some(aside(workers, async move { slot.intake.close() }));
            }
            let state = match self.machine.stage(at) {
                Stage::Waiting | Stage::Stopped => State::Stopped,
                Stage::BackingOff => State::Backoff,
                Stage::Failed => State::Failed,
                Stage::Starting | Stage::Running | Stage::Stopping => continue,
            };
            if player.shown.replace(state) == Some(state) {
                continue;
            }
            let slot = self.board.slot(at);
            if slot.state() != state {
                slot.book(state);
                changed.push(slot);
            }
        }
        if !changed.is_empty() {
            self.aside(move || changed.iter().for_each(|slot| slot.tell()));
        }
    }

    /// Does on the workers what may run user code, such as the wakers of those who wait.
    pub(super) fn aside(&self, work: impl FnOnce() + Send + 'static) {
        drop(aside(self.planes.workers(), async move { work() }));
    }

    fn tell_settled(&mut self, started: bool) {
        if let Some(settled) = self.settled.take() {
            let report = self.board.start_report(started);
            // Nobody may want it; and who does may wait by a waker of the user's.
            quietly(|| drop(settled.send(report)));
        }
    }

    fn start(&mut self, at: usize) {
        let slot = self.board.slot(at);
        let latest = self.machine.graph().nodes[at].dependencies().filter_map(|on| {
            let on = self.board.slot(on);
            let started = on.inner().started?;
            Some((on.name.to_string(), started))
        });
        slot.inner().waited = latest.max_by_key(|(_, at)| *at);
        self.count += 1;
        let player = &mut self.players[at];
        if player.lives > 0 {
            slot.restarts.fetch_add(1, Ordering::Relaxed);
        }
        player.lives += 1;
        player.shown = None;
        player.began = Instant::now();
        player.order = watch::Sender::new(None);
        let declaration = player.unit.declaration();
        let limits = StartLimits {
            timeout: declaration.start_timeout.unwrap_or(self.start_timeout).min(FOREVER),
            whole: self.start_by,
        };
        // An optional daemon is waited for as long as its host's start may take.
        player.deadline = Some(limits.deadline(player.began));
        let whole = limits.whole.map(|(at, _)| at);
        let must = if declaration.optional { whole } else { player.deadline.map(|deadline| deadline.at) };
        if let Some(by) = must {
            self.overdue.expect(by, at, player.lives);
        }
        let runtime = self.planes.of(declaration.plane);
        let lifecycle = Lifecycle {
            at,
            slot,
            board: self.board.clone(),
            bus: self.bus.clone(),
            number: self.count,
            limits,
            stop: player.order.subscribe(),
            runtime: runtime.clone(),
            unit: player.unit.clone(),
            closing: player.closing.take(),
            ended: false,
        };
        let life: BoxFuture<'static, ()> = Box::pin(lifecycle.run());
        drop(runtime.spawn(life)); // it tells of its end, a panic included
    }

    /// What a daemon gets of the time that is left.
    fn share(&self, at: usize) -> Duration {
        let ceiling = |at: usize| stop_ceiling(&*self.players[at].unit);
        let Some(since) = self.board.stopping_since() else { return ceiling(at) };
        let remaining = (since + self.stop_budget).saturating_duration_since(Instant::now());
        let plane = self.plane(at);
        let mut chain = self.chain(at) + self.board.farewell.ceiling();
        if plane == Plane::Workers {
            chain += self.ceiling_of_operations();
        }
        share(ceiling(at), remaining, chain)
    }

    /// When the time begins that a stop keeps for the operations plane, if it has any.
    fn last_call(&self) -> Option<Instant> {
        let last = self.ceiling_of_operations();
        let workers = (0..self.players.len()).filter(|at| self.plane(*at) == Plane::Workers);
        let chain = workers.map(|at| self.chain(at)).max().unwrap_or_default() + self.board.farewell.ceiling() + last;
        let kept = share(last, self.stop_budget, chain);
        if last.is_zero() { None } else { self.until().checked_sub(kept) }
    }

    pub(super) fn plane(&self, at: usize) -> Plane {
        self.machine.graph().nodes[at].plane
    }

    /// The sum of the ceilings along the longest chain of one plane that is still up and begins with `at`.
    fn chain(&self, at: usize) -> Duration {
        let plane = self.plane(at);
        let counts = |on: usize| self.machine.is_up(on) && self.plane(on) == plane;
        let weight = |on: usize| if counts(on) { stop_ceiling(&*self.players[on].unit) } else { Duration::ZERO };
        self.machine.graph().longest_chains(&[at], weight).into_iter().sum()
    }

    /// What is to be kept of a stop's time for the operations plane, which stops last.
    fn ceiling_of_operations(&self) -> Duration {
        let last = (0..self.players.len()).filter(|at| self.plane(*at) == Plane::Operations);
        last.map(|at| self.chain(at)).max().unwrap_or_default()
    }

    /// Gives those that stop already, in a restart, no more time than the shutdown has for them.
    fn hurry(&self) {
        for at in (0..self.players.len()).filter(|at| self.machine.stage(*at) == Stage::Stopping) {
            let share = self.share(at);
            let shorten = |order: Order| Order { share, ..order };
            self.players[at].order.send_modify(|order| *order = order.map(shorten));
        }
    }
}
