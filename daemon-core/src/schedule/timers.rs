//! The intervals of one life by name: registered, replaced, cleared, steered and looked at, from any thread.
//!
//! Invariants:
//! 1. The lock is never held while user code runs or is dropped. What is taken out is handed out.
//! 2. A name keeps its slot until the last tick under it has ended, whatever was registered under it meanwhile. So ticks of one
//!    name overlap only if the interval they belong to says so.
//! 3. The driver is told whenever something is due earlier than it waits for.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use super::clock::{Clock, Watch};
use super::period::Period;
use super::schedule;
use super::slot::{Moment, Now, Pace};
use super::ticker::Ticker;
use super::timetable::{Due, Look, SlotId, Timetable};
use crate::error::Error;
use crate::status::{IntervalState, IntervalStatus};

/// The intervals of one life.
pub(crate) struct Timers {
    clock: Arc<Clock>,
    inner: Mutex<Inner>,
    /// Tells the driver that something has changed.
    changed: Notify,
    /// Tells those who wait that the last tick of an interval has ended.
    idle: Notify,
}

#[derive(Default)]
struct Inner {
    table: Timetable,
    /// Of each slot what stands in it.
    rows: Vec<Option<Row>>,
    names: BTreeMap<Arc<str>, SlotId>,
    /// Whether they tick yet.
    ticking: bool,
    /// When the driver wakes by itself.
    wakes: Moment,
    /// The tick that the driver itself polls.
    inline: Option<SlotId>,
    /// Counts the times that an interval came to rest, over all intervals.
    rests: u64,
}

struct Row {
    name: Arc<str>,
    /// `None` once it is cleared.
    ticker: Option<Arc<Ticker>>,
    /// When it last came to rest.
    rested: u64,
    /// Whether somebody waits for it to come to rest.
    awaited: bool,
}

/// What the driver does next.
pub(super) enum Step {
    /// Begin a tick.
    Tick { slot: SlotId, ticker: Arc<Ticker>, late: Option<u64> },
    /// Wait until then, or until something changes.
    Wait(Option<Moment>),
}

/// An interval taken out, held so that what it holds of the user's is dropped where a panic in that does no harm.
pub(crate) struct Cleared {
    _ticker: Arc<Ticker>,
    slot: SlotId,
    /// Its rest before, if one of its ticks is under way.
    until: Option<u64>,
}

/// What an operator wants of an interval.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Order {
    Pause,
    Resume,
    Run,
    Period(Period),
}

impl Timers {
    pub(crate) fn new(clock: Arc<Clock>) -> Self {
        let inner = Inner { wakes: Moment::MAX, ..Inner::default() };
        Self { clock, inner: Mutex::new(inner), changed: Notify::new(), idle: Notify::new() }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn clock(&self) -> &Arc<Clock> {
        &self.clock
    }

    pub(super) fn watch(&self) -> Watch {
        self.clock.watch()
    }

    /// Tells the driver if what is next comes before it wakes by itself.
    fn hurry(&self, inner: &mut Inner) {
        if inner.table.next().is_some_and(|next| next < inner.wakes) {
            self.changed.notify_one();
        }
    }

    /// Adds an interval, in the place of one of the same name, which is handed out.
    ///
    /// # Errors
    /// Its schedule is not one.
    pub(crate) fn register(&self, ticker: Ticker) -> Result<Option<Arc<Ticker>>, Error> {
        let slot = ticker.schedule.slot(&ticker.name)?;
        let now = self.clock.now();
        let mut inner = self.inner();
        let Inner { table, rows, names, ticking, rests, .. } = &mut *inner;
        let immediately = ticker.schedule.immediately;
        let ticker = Arc::new(ticker);
        let (id, replaced) = match names.get(&ticker.name) {
            Some(&id) => {
                table.replace(id, slot);
                let row = rows[id as usize].as_mut();
                (id, row.and_then(|row| row.ticker.replace(ticker)))
            }
            None => {
                let id = table.insert(slot);
                *rests += 1;
                let row = Row { name: ticker.name.clone(), ticker: Some(ticker), rested: *rests, awaited: false };
                names.insert(row.name.clone(), id);
                rows.resize_with(rows.len().max(id as usize + 1), || None);
                rows[id as usize] = Some(row);
                (id, None)
            }
        };
        if *ticking {
            table.start(id, now, immediately);
        }
        self.hurry(&mut inner);
        Ok(replaced)
    }

    /// Lets all intervals tick, those still to come included.
    pub(super) fn begin(&self, now: Now) {
        let mut inner = self.inner();
        inner.ticking = true;
        let Inner { table, rows, names, .. } = &mut *inner;
        for id in names.values() {
            let ticker = rows[*id as usize].as_ref().and_then(|row| row.ticker.as_ref());
            if let Some(ticker) = ticker {
                table.start(*id, now, ticker.schedule.immediately);
            }
        }
    }

    /// Ends the interval of that name, if there is one.
    pub(crate) fn clear(&self, name: &str) -> Option<Cleared> {
        let mut inner = self.inner();
        let id = *inner.names.get(name)?;
        inner.clear(id)
    }

    /// Ends all intervals.
    pub(crate) fn clear_all(&self) -> Vec<Cleared> {
        let mut inner = self.inner();
        let all: Vec<_> = inner.names.values().copied().collect();
        all.into_iter().filter_map(|id| inner.clear(id)).collect()
    }

    /// Waits until the ticks that were under way when an interval was cleared have ended.
    ///
    /// Cancel safe.
    pub(crate) async fn rest(&self, cleared: &Cleared) {
        let Some(before) = cleared.until else { return };
        loop {
            let rested = self.idle.notified();
            tokio::pin!(rested);
            rested.as_mut().enable();
            let row_rested = |row: &Row| row.rested != before;
            if self.inner().rows[cleared.slot as usize].as_ref().is_none_or(row_rested) {
                return;
            }
            rested.await;
        }
    }

    /// Whether this thread polls a tick of that interval.
    pub(crate) fn is_inside(&self, cleared: &Cleared) -> bool {
        super::tick::inside() == Some(self.key(cleared.slot))
    }

    /// What tells the ticks of an interval from all others of this process.
    pub(super) fn key(&self, slot: SlotId) -> (usize, SlotId) {
        (std::ptr::from_ref(self) as usize, slot)
    }

    /// A tick has ended.
    pub(super) fn ended(&self, slot: SlotId, now: Now) {
        let mut inner = self.inner();
        let rested = inner.ended(slot, now);
        self.hurry(&mut inner);
        drop(inner);
        if rested {
            self.idle.notify_waiters();
        }
    }

    /// The clock was moved.
    pub(super) fn rebase(&self, now: Now) {
        self.inner().table.rebase(now);
    }

    /// What the driver does next, after the tick that it `ended`.
    pub(super) fn step(&self, ended: Option<SlotId>, now: Now, jumped: bool) -> Step {
        let mut inner = self.inner();
        let rested = ended.is_some_and(|slot| inner.ended(slot, now));
        let step = inner.step(now, jumped);
        drop(inner);
        if rested {
            self.idle.notify_waiters();
        }
        step
    }

    /// Waits until something changes. One waits at a time.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Does what an operator wants; `None` if there is no such interval.
    pub(crate) fn order(&self, name: &str, order: Order) -> Option<Result<(), Error>> {
        let now = self.clock.now();
        let mut inner = self.inner();
        let id = *inner.names.get(name)?;
        let ticker = inner.rows[id as usize].as_ref()?.ticker.clone()?;
        let table = &mut inner.table;
        match order {
            Order::Pause => ticker.skip(table.pause(id)),
            Order::Resume => table.resume(id, now),
            Order::Run => table.run(id),
            Order::Period(period) => {
                let schedule = &ticker.schedule;
                match schedule::pace(period, name, schedule.timeout, schedule.overlap) {
                    Ok(pace) if inner.ticking => inner.table.change(id, pace, now),
                    Ok(pace) => inner.table.set(id, pace),
                    Err(error) => return Some(Err(error)),
                }
            }
        }
        self.hurry(&mut inner);
        Some(Ok(()))
    }

    /// The interval whose tick the driver polls itself; if that blocks, so does the driver.
    pub(crate) fn inline(&self) -> Option<String> {
        let inner = self.inner();
        let row = inner.rows[inner.inline? as usize].as_ref()?;
        Some(row.name.to_string())
    }

    /// The names of all intervals.
    pub(crate) fn names(&self) -> Vec<String> {
        self.inner().tickers().map(|(_, ticker)| ticker.name.to_string()).collect()
    }

    /// All intervals as they are now, by name.
    pub(crate) fn statuses(&self) -> Vec<IntervalStatus> {
        let now = self.clock.now();
        let inner = self.inner();
        inner.tickers().map(|(id, ticker)| status(ticker, inner.table.look(id), now)).collect()
    }
}

impl Inner {
    fn tickers(&self) -> impl Iterator<Item = (SlotId, &Arc<Ticker>)> {
        let ticker = |id: &SlotId| Some((*id, self.rows[*id as usize].as_ref()?.ticker.as_ref()?));
        self.names.values().filter_map(ticker)
    }

    fn clear(&mut self, id: SlotId) -> Option<Cleared> {
        let row = self.rows[id as usize].as_mut()?;
        let ticker = row.ticker.take()?;
        let gone = self.table.clear(id);
        row.awaited |= !gone;
        let until = (!gone).then_some(row.rested);
        if gone {
            self.forget(id);
        }
        Some(Cleared { _ticker: ticker, slot: id, until })
    }

    fn forget(&mut self, id: SlotId) {
        if let Some(row) = self.rows[id as usize].take() {
            self.names.remove(&row.name);
        }
    }

    /// A tick has ended; returns whether somebody waits for that.
    fn ended(&mut self, id: SlotId, now: Now) -> bool {
        let ended = self.table.ended(id, now);
        let Some(row) = &mut self.rows[id as usize] else { return false };
        if let Some(ticker) = row.ticker.as_ref().filter(|_| ended.skipped > 0) {
            ticker.skip(ended.skipped);
        }
        let tell = ended.idle && std::mem::take(&mut row.awaited);
        if ended.idle {
            self.rests += 1;
            row.rested = self.rests;
        }
        if ended.gone {
            self.forget(id);
        }
        tell
    }

    fn step(&mut self, now: Now, jumped: bool) -> Step {
        self.inline = None;
        while let Some(due) = self.table.due(now, jumped) {
            let (slot, skipped) = match due {
                Due::Begin { slot, skipped, .. } | Due::Skipped { slot, skipped } => (slot, skipped),
            };
            // A slot without a ticker has been cleared, and nothing of it is due.
            let Some(ticker) = self.rows[slot as usize].as_ref().and_then(|row| row.ticker.as_ref()) else { continue };
            if skipped > 0 {
                ticker.skip(skipped);
            }
            if let Due::Begin { late, .. } = due {
                self.inline = Some(slot);
                return Step::Tick { slot, ticker: ticker.clone(), late };
            }
        }
        let next = self.table.next();
        self.wakes = next.unwrap_or(Moment::MAX);
        Step::Wait(next)
    }
}

fn status(ticker: &Ticker, look: Look, now: Now) -> IntervalStatus {
    let ledger = ticker.ledger();
    let (schedule, period) = match &look.pace {
        Pace::Off => ("off".to_owned(), None),
        Pace::Every(nanos) => {
            let period = Duration::from_nanos(*nanos);
            (Period::Every(period).to_string(), Some(period))
        }
        Pace::Calendar(calendar) => (calendar.text().to_owned(), None),
    };
    IntervalStatus {
        name: ticker.name.to_string(),
        schedule,
        period,
        state: match (look.paused, &look.pace) {
            (true, _) => IntervalState::Paused,
            (false, Pace::Off) => IntervalState::Off,
            (false, _) => IntervalState::Active,
        },
        ticks: ledger.ticks,
        failed: ledger.failed,
        skipped: ledger.skipped,
        running: look.running.into(),
        last_run: ledger.last_begun.map(|at| Duration::from_nanos(now.moment.saturating_sub(at))),
        next_run: look.planned.map(|at| Duration::from_nanos(at.saturating_sub(now.moment))),
        last_duration: ledger.last_duration,
        last_error: ledger.last_error.clone(),
        lateness: ledger.lateness.as_deref().cloned().unwrap_or_default(),
    }
}
