//! Conducts the start, the restarts and the stop: turns what has happened into what is to be done next, and does it.
//!
//! The decisions are those of [`phase`](super::phase) and [`supervisor`](super::supervisor); this is their edge. It runs
//! on the main thread, so it calls no user code, wakes no user task and logs nothing: lives do that, on the workers.

mod acts;
mod release;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::board::{Board, Happening};
use super::graph::{Edges, Graph};
use super::lives::{Deadline, StopOrder, stop_ceiling};
use super::overdue::Overdue;
use super::phase::{Action, Input, Machine, Stage, Verdict};
use super::planes::Planes;
use super::report::StartReport;
use super::supervisor::{Decision, Ending, History};
use super::unit::Unit;
use crate::declaration::Plane;
use crate::event::Bus;
use crate::status::State;
use crate::task::chance;

/// A host that has been assembled and found sound.
pub(crate) struct Conductor {
    pub(crate) board: Arc<Board>,
    pub(crate) bus: Arc<Bus>,
    pub(crate) graph: Graph,
    pub(crate) units: Vec<Arc<dyn Unit>>,
    pub(crate) happenings: mpsc::UnboundedReceiver<Happening>,
    pub(crate) stop_budget: Duration,
    pub(crate) start_timeout: Duration,
    /// How long the whole start may take, if that is limited.
    pub(crate) start_budget: Option<Duration>,
    /// How long a running host goes on once its shutdown is asked for.
    pub(crate) unready_delay: Duration,
}

/// What the conductor keeps of one daemon.
struct Player {
    unit: Arc<dyn Unit>,
    order: watch::Sender<StopOrder>,
    history: History,
    /// When its latest life began, and by when it must have started.
    began: Instant,
    deadline: Option<Deadline>,
    /// How long it waits before its next life.
    after: Duration,
    lives: u64,
    /// What the board is known to show, while no life under way shows anything.
    shown: Option<State>,
    /// Abandons what was kept for a life that does not follow, since no life is to follow.
    closing: Option<JoinHandle<()>>,
}

impl Player {
    fn new(unit: Arc<dyn Unit>) -> Self {
        let (order, history) = (watch::Sender::new(None), History::default());
        Self {
            unit,
            order,
            history,
            began: Instant::now(),
            deadline: None,
            after: Duration::ZERO,
            lives: 0,
            shown: None,
            closing: None,
        }
    }
}

/// What follows once all that is to be done now is done.
#[derive(Clone, Copy)]
enum Then {
    /// What happens is waited for.
    Wait,
    SayFarewell,
    End,
}

/// A host under way.
struct Conducting {
    board: Arc<Board>,
    bus: Arc<Bus>,
    machine: Machine,
    players: Vec<Player>,
    happenings: mpsc::UnboundedReceiver<Happening>,
    stop_budget: Duration,
    start_timeout: Duration,
    /// When the whole start must have ended, and how long it could take; `None` once it has, or without a limit.
    start_by: Option<(Instant, Duration)>,
    planes: Planes,
    settled: Option<oneshot::Sender<StartReport>>,
    /// Who waits for a restart, and until when.
    backing_off: Vec<(Instant, usize)>,
    overdue: Overdue,
    unready_delay: Duration,
    /// When a shutdown begins that has been asked for.
    unready_until: Option<Instant>,
    /// When the operations plane is told to stop, whatever else is still up.
    last_call: Option<Instant>,
    count: u64,
}

impl Conductor {
    /// Whether a daemon of it runs on the operations plane.
    pub(crate) fn has_operations(&self) -> bool {
        self.units.iter().any(|unit| unit.declaration().plane == Plane::Operations)
    }

    /// Runs the host to its end. `settled` hears once every daemon has started or failed to.
    ///
    /// Returns whether a daemon that the host requires failed.
    pub(crate) async fn conduct(self, planes: Planes, settled: oneshot::Sender<StartReport>) -> bool {
        self.board.settings.run_on(planes.workers());
        self.board.run_on(&planes);
        let units = self.units;
        let machine = Machine::new(self.graph, |at| units[at].declaration().optional);
        let conducting = Conducting {
            board: self.board,
            bus: self.bus,
            machine,
            players: units.into_iter().map(Player::new).collect(),
            happenings: self.happenings,
            stop_budget: self.stop_budget,
            start_timeout: self.start_timeout,
            start_by: self.start_budget.map(|budget| (Instant::now() + budget, budget)),
            planes,
            settled: Some(settled),
            backing_off: Vec::new(),
            overdue: Overdue::default(),
            unready_delay: self.unready_delay,
            unready_until: None,
            last_call: None,
            count: 0,
        };
        conducting.run().await
    }
}

impl Conducting {
    async fn run(mut self) -> bool {
        self.board.set_state(State::Starting);
        let mut actions = self.machine.begin();
        loop {
            let mut then = Then::Wait;
            for action in actions {
                then = self.act(&action).unwrap_or(then);
            }
            self.show();
            actions = match then {
                Then::Wait => self.next().await,
                Then::SayFarewell => self.say_farewell().await,
                Then::End => break,
            };
        }
        // Late, if at all: it has been said unless there was no time for it.
        self.board.farewell.say(self.planes.workers(), self.until()).await;
        self.release().await;
        self.board.set_state(State::Stopped);
        self.machine.has_failed()
    }

    /// Says what the program does last; the operations plane stops after that, in the time that is kept for it.
    async fn say_farewell(&mut self) -> Vec<Action> {
        let by = self.last_call.unwrap_or_else(|| self.until());
        self.board.farewell.say(self.planes.workers(), by).await;
        self.machine.step(Input::FarewellSaid)
    }

    /// When the whole stop must have ended.
    fn until(&self) -> Instant {
        self.board.stopping_since().unwrap_or_else(Instant::now) + self.stop_budget
    }

    /// Waits for the next thing to happen, and returns what is to be done about it.
    async fn next(&mut self) -> Vec<Action> {
        let next_restart = self.backing_off.iter().min().copied();
        // In a shutdown a start that has ended may wait for its turn to stop; the stop has a clock of its own.
        let stopping = self.board.stopping_since().is_some();
        let starts = |at: usize, life: u64| {
            !stopping && self.machine.stage(at) == Stage::Starting && self.players[at].lives == life
        };
        let next_overdue = self.overdue.next(starts);
        tokio::select! {
            biased;
            Some(happening) = self.happenings.recv() => self.judge(happening),
            () = reached(self.unready_until) => {
                self.unready_until = None;
                self.machine.step(Input::Shutdown)
            }
            () = reached(self.last_call) => {
                self.last_call = None;
                self.machine.step(Input::FarewellSaid)
            }
            (_, at) = due(next_overdue) => self.overdue(at),
            restart = due(next_restart) => {
                self.backing_off.retain(|other| *other != restart);
                self.machine.step(Input::BackedOff(restart.1))
            }
        }
    }

    fn judge(&mut self, happening: Happening) -> Vec<Action> {
        let input = match happening {
            Happening::Started(at) => Input::Started(at),
            Happening::StartFailed { at, cancelled } => {
                // The first start is never retried. What ends anyway is not charged, such as one that was cancelled.
                let again = self.machine.has_run() && self.machine.goes_on(at);
                let verdict = if again { self.verdict(at) } else { Verdict::GiveUp };
                Input::StartFailed { at, cancelled, verdict }
            }
            Happening::Stopped(at) => Input::Stopped(at),
            // Counts as failed, so that nothing waits for it.
            Happening::Died(at) => {
                let (slot, died) = (self.board.slot(at), "its lifecycle task died".to_owned());
                let mut inner = slot.inner();
                if !self.machine.goes_on(at) {
                    inner.problems.push(died.clone()); // it was to end, and does, if badly
                }
                inner.reason = Some(died);
                Input::StartFailed { at, cancelled: false, verdict: Verdict::GiveUp }
            }
            Happening::Broke { at, for_good } => {
                let verdict = match for_good {
                    true => Verdict::GiveUp,
                    false if self.machine.goes_on(at) => self.verdict(at),
                    false => return Vec::new(), // it ends already, such as for an earlier failure, which is charged once
                };
                Input::Broke { at, verdict }
            }
            Happening::Stop(at, wish) => {
                let taken = self.machine.graph().those_that_require(at).into_iter().chain([at]);
                let resting: Vec<_> = taken.map(|on| self.board.slot(on)).collect();
                resting.iter().for_each(|slot| slot.inner().rested = wish);
                self.aside(move || resting.iter().for_each(|slot| slot.tell()));
                Input::Rest(at)
            }
            // No life begins once a shutdown is asked for, so that this would be a stop and nothing else.
            Happening::Start(_) | Happening::Restart(_) if self.board.stopping_since().is_some() => return Vec::new(),
            Happening::Start(at) => Input::Wake(at),
            Happening::Restart(at) => Input::Renew(at),
            Happening::Add { unit, requires, wants } => {
                let name = unit.name().clone();
                let (optional, plane) = (unit.declaration().optional, unit.declaration().plane);
                self.players.push(Player::new(unit));
                return self.machine.add(Edges { name, requires, wants, plane }, optional);
            }
            Happening::Shutdown if self.board.state() == State::Running && !self.unready_delay.is_zero() => {
                let asked = self.board.stopping_since().unwrap_or_else(Instant::now); // which may be heard of late
                self.unready_until = Some(asked + self.unready_delay);
                return Vec::new();
            }
            Happening::Shutdown => Input::Shutdown,
        };
        self.machine.step(input)
    }

    /// Asks the supervisor whether a daemon that failed is started again.
    fn verdict(&mut self, at: usize) -> Verdict {
        let player = &mut self.players[at];
        let policy = player.unit.declaration().restart;
        match player.history.decide(&policy, Ending::Failed, player.began, Instant::now(), chance()) {
            Decision::Restart { after } => {
                player.after = after;
                Verdict::Retry
            }
            Decision::Leave => Verdict::GiveUp,
            Decision::GiveUp { exhausted } => {
                if exhausted {
                    let slot = self.board.slot(at);
                    let mut inner = slot.inner();
                    let limit = policy.limit;
                    let reason = inner.reason.take().unwrap_or_default();
                    inner.reason = Some(format!("{reason}; {} restarts in {:?} are used up", limit.count, limit.per));
                }
                Verdict::GiveUp
            }
        }
    }

    /// A start that nobody ended in time fails, and the host with it: no worker is free to do anything. If one that starts
    /// blocks them, it is that one. One that has ended by itself, or at its deadline, has yet to clean up.
    fn overdue(&mut self, late: usize) -> Vec<Action> {
        let fails = self.board.slot(late).state() == State::Stopping;
        if fails && self.overdue.clean_up(stop_ceiling(&*self.players[late].unit)) {
            return Vec::new();
        }
        let blocking: Vec<_> =
            self.board.polled(Some(self.plane(late))).into_iter().map(|polled| polled.work).collect();
        let blocks = |at: &usize| {
            let name = &self.machine.graph().nodes[*at].name;
            self.machine.stage(*at) == Stage::Starting && blocking.iter().any(|work| *work.daemon == **name)
        };
        let at = (0..self.players.len()).find(blocks).unwrap_or(late);
        let failure = self.board.slot(at).inner().reason.take().filter(|_| fails && at == late);
        // Its own time need not be up, if it keeps another from ending in time.
        let deadline = self.players[at].deadline.filter(|deadline| deadline.at <= Instant::now());
        let missed = failure.or_else(|| deadline.map(|deadline| deadline.missed().to_string()));
        let by: Vec<_> = blocking.iter().map(|work| format!("{} of `{}`", work.work, work.daemon)).collect();
        let by = if by.is_empty() { String::new() } else { format!(", but in {}", by.join(" and ")) };
        let reason = match missed {
            Some(missed) => format!("{missed}, and no thread is free to end it{by}"),
            None => format!("no thread is free to end the start of `{}`{by}", self.machine.graph().nodes[late].name),
        };
        self.board.slot(at).inner().reason = Some(reason);
        self.machine.step(Input::Overdue(at))
    }
}

/// Waits until then, if ever. Cancel safe.
async fn reached(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// Waits for the time of what is due, if anything is. Cancel safe.
async fn due(next: Option<(Instant, usize)>) -> (Instant, usize) {
    match next {
        Some(next) => {
            tokio::time::sleep_until(next.0).await;
            next
        }
        None => std::future::pending().await,
    }
}
