//! What is known of the host at any moment, readable by anyone without waiting for user code.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::claims::Claimed;
use super::farewell::Farewell;
use super::journal::Journal;
use super::leaving::Leaving;
use super::limits::Limits;
use super::planes::Planes;
use super::roll::Roll;
use super::settings::Settings;
use super::slot::Slot;
use super::unit::Unit;
use crate::error::Error;
use crate::event::Bus;
use crate::instance::Scope;
use crate::schedule::Clock;
use crate::status::State;
use crate::sync::{Mutex, MutexGuard};
use crate::upgrade::Upgrades;

/// What happens to a host: told by lives, daemons and operators, heard by the conductor.
pub(crate) enum Happening {
    /// A start ended well.
    Started(usize),
    /// A start ended badly, its own cleaning up included; `cancelled` if only because it was asked to stop.
    StartFailed { at: usize, cancelled: bool },
    /// A stop ended.
    Stopped(usize),
    /// A life did not come to its end.
    Died(usize),
    /// A running daemon cannot go on; `for_good` if it is not to be restarted.
    Broke { at: usize, for_good: bool },
    /// An operator wants one daemon stopped; the number of the wish.
    Stop(usize, u64),
    /// An operator wants one daemon started.
    Start(usize),
    /// An operator wants one daemon stopped and started.
    Restart(usize),
    /// An operator adds a daemon, whose slot is on the board already.
    Add { unit: Arc<dyn Unit>, requires: Vec<usize>, wants: Vec<usize> },
    /// The shutdown is asked for.
    Shutdown,
}

#[derive(Default)]
struct Whole {
    state: State,
    cause: Option<String>,
    start_took: Option<Duration>,
    /// Whether it has been running.
    has_run: bool,
    stopping_since: Option<Instant>,
}

/// What is said about a host, and when.
pub(crate) struct Words {
    pub(crate) name: String,
    /// Whose its files are.
    pub(crate) scope: Scope,
    pub(crate) notes: Vec<String>,
    pub(super) limits: Limits,
    /// How long a poll may take before it counts as blocking its thread.
    pub(crate) blocked_after: Duration,
    /// What is done last.
    pub(super) farewell: Arc<Farewell>,
}

/// The board of one host.
pub(crate) struct Board {
    pub(crate) name: String,
    pub(crate) scope: Scope,
    pub(crate) since: Instant,
    pub(crate) notes: Vec<String>,
    /// Those that were set explicitly.
    pub(super) limits: Limits,
    pub(crate) blocked_after: Duration,
    pub(super) farewell: Arc<Farewell>,
    /// What it has claimed of the machine.
    pub(super) claimed: Claimed,
    /// What its daemons understand on sockets of others.
    pub(super) upgrades: Upgrades,
    pub(crate) bus: Arc<Bus>,
    pub(crate) clock: Arc<Clock>,
    pub(crate) journal: Arc<Journal>,
    pub(crate) settings: Settings,
    roll: RwLock<Roll>,
    happenings: mpsc::UnboundedSender<Happening>,
    /// How often somebody wished to steer a daemon.
    wishes: Mutex<u64>,
    whole: Mutex<Whole>,
    /// Values being dropped.
    pub(super) leaving: Leaving,
    /// Cancelled once the shutdown has begun, for those who wait for that.
    pub(crate) stopping: CancellationToken,
    /// Tells the main thread, which counts from then on, that the shutdown has begun.
    pub(crate) began: Notify,
    /// The faults a test has asked for.
    #[cfg(feature = "testing")]
    pub(crate) faults: Arc<crate::task::Faults>,
}

impl Board {
    pub(crate) fn new(
        words: Words,
        slots: Vec<Slot>,
        settings: Settings,
        bus: Arc<Bus>,
        clock: Arc<Clock>,
        journal: Arc<Journal>,
        happenings: mpsc::UnboundedSender<Happening>,
    ) -> Arc<Self> {
        let Words { name, scope, notes, limits, blocked_after, farewell } = words;
        let roll = RwLock::new(Roll::new(slots));
        let since = journal.since();
        Arc::new(Self {
            name,
            scope,
            since,
            roll,
            notes,
            limits,
            blocked_after,
            farewell,
            claimed: Claimed::default(),
            upgrades: Upgrades::new(),
            bus,
            clock,
            journal,
            settings,
            happenings,
            wishes: Mutex::default(),
            whole: Mutex::default(),
            leaving: Leaving::default(),
            stopping: CancellationToken::new(),
            began: Notify::new(),
            #[cfg(feature = "testing")]
            faults: Arc::default(),
        })
    }

    fn whole(&self) -> MutexGuard<'_, Whole> {
        self.whole.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn roll(&self) -> RwLockReadGuard<'_, Roll> {
        self.roll.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn roll_mut(&self) -> RwLockWriteGuard<'_, Roll> {
        self.roll.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// All slots, in the order their daemons were added.
    pub(crate) fn slots(&self) -> Vec<Arc<Slot>> {
        self.roll().slots().to_vec()
    }

    /// The slot at `at`; a slot once there stays.
    pub(crate) fn slot(&self, at: usize) -> Arc<Slot> {
        self.roll().slots()[at].clone()
    }

    pub(crate) fn find(&self, name: &str) -> Option<(usize, Arc<Slot>)> {
        let roll = self.roll();
        roll.at(name).map(|at| (at, roll.slots()[at].clone()))
    }

    /// Adds a slot and tells the conductor of it, unless its name is taken or the host has ended.
    pub(crate) fn add(&self, slot: Slot, happening: impl FnOnce() -> Happening) -> Result<(), Error> {
        // Told under the lock that orders slots, so that the conductor counts them as the board does.
        let mut roll = self.roll_mut();
        if roll.at(&slot.name).is_some() {
            return Err(Error::NameTaken { name: slot.name.to_string() });
        }
        let refused = self.happenings.send(happening()).map_err(|refused| (refused, slot.name.to_string()));
        if refused.is_ok() {
            roll.add(slot);
        }
        drop(roll); // before what was refused, which is the user's
        refused.map_err(|(_, daemon)| Error::Stopping { daemon })
    }

    pub(crate) fn by_wave(&self) -> Vec<Arc<Slot>> {
        let mut slots = self.slots();
        slots.sort_by_key(|slot| slot.wave);
        slots
    }

    /// Tells the conductor; once it is gone nobody needs to know.
    pub(crate) fn tell(&self, happening: Happening) {
        drop(self.happenings.send(happening));
    }

    /// Tells the conductor of a wish, numbered in the order in which it hears of them.
    pub(crate) fn wish(&self, happening: impl FnOnce(u64) -> Happening) -> u64 {
        let mut wishes = self.wishes.lock().unwrap_or_else(PoisonError::into_inner);
        *wishes += 1;
        self.tell(happening(*wishes));
        *wishes
    }

    pub(crate) fn set_state(&self, state: State) {
        let mut whole = self.whole();
        whole.state = state;
        whole.has_run |= state == State::Running;
        let cause = whole.cause.clone().filter(|_| state == State::Stopping);
        self.journal.book(None, state, cause);
        if whole.start_took.is_none() && !matches!(state, State::Stopped | State::Starting) {
            whole.start_took = Some(self.since.elapsed());
        }
    }

    /// Books the cause of the shutdown; only the first one counts. Returns whether this was it.
    pub(crate) fn set_cause(&self, cause: &str) -> bool {
        let mut whole = self.whole();
        let first = whole.cause.is_none();
        if first {
            whole.cause = Some(cause.to_owned());
            whole.stopping_since = Some(Instant::now());
            drop(whole);
            self.began.notify_one();
        }
        first
    }

    pub(crate) fn shut_down(&self, cause: &str) {
        if self.set_cause(cause) {
            self.tell(Happening::Shutdown);
        }
    }

    /// The daemons that have yet to stop, or else the shutdown handler under way.
    pub(crate) fn still_up(&self) -> Vec<String> {
        let up = |slot: &&Arc<Slot>| !matches!(slot.state(), State::Stopped | State::Failed);
        let daemons = self.slots();
        let handlers = self.farewell.under_way().into_iter().map(|task| format!("{} {}", task.kind, task.name));
        daemons.iter().filter(up).map(|slot| slot.name.to_string()).chain(handlers).collect()
    }

    /// Says where daemons run.
    pub(super) fn run_on(&self, planes: &Planes) {
        self.leaving.run_on(planes);
    }

    /// Drops a value of a daemon where it ran. The future ends when it is gone; until then it is shown as leaving.
    pub(super) fn let_go<F: FnOnce() + Send + 'static>(
        &self,
        slot: &Slot,
        drop: F,
    ) -> impl Future<Output = ()> + use<F> {
        self.leaving.let_go(slot.plane, &slot.name, Box::new(drop))
    }

    /// Looks what of the work that stops had to cut has ended by now. What is told after it agrees.
    pub(crate) fn look_again(&self) {
        self.slots().iter().for_each(|slot| slot.inner().look_again());
    }

    /// Whether any step of any stop was cut, or a value is still being dropped.
    pub(crate) fn was_cut(&self) -> bool {
        let any = self.slots().iter().any(|slot| !slot.inner().overran.is_empty()) || self.farewell.was_cut();
        any || !self.leaving.statuses().is_empty() || !self.settings.under_way().is_empty()
    }

    /// Whether a daemon that the host requires, or a shutdown handler, could not end without a problem.
    pub(crate) fn ended_badly(&self) -> bool {
        let daemon_did = self.slots().iter().any(|slot| !slot.optional && !slot.inner().problems.is_empty());
        daemon_did || self.farewell.ended_badly()
    }

    pub(crate) fn state(&self) -> State {
        self.whole().state
    }

    /// Whether it has been running.
    pub(crate) fn has_run(&self) -> bool {
        self.whole().has_run
    }

    pub(crate) fn start_took(&self) -> Option<Duration> {
        self.whole().start_took
    }

    /// When the shutdown began, if it has.
    pub(crate) fn stopping_since(&self) -> Option<Instant> {
        self.whole().stopping_since
    }

    /// The cause of the shutdown and when it began.
    pub(crate) fn ending(&self) -> (Option<String>, Option<Instant>) {
        let whole = self.whole();
        (whole.cause.clone(), whole.stopping_since)
    }
}

#[cfg(test)]
mod tests;
