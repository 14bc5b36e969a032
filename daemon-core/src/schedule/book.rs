//! Which interval stands in which slot of a timetable, under which name. It holds no lock and wakes nobody.
//!
//! Invariants:
//! 1. A name keeps its slot until the last tick under it has ended, whatever was registered under it meanwhile. So ticks of one
//!    name overlap only if the interval they belong to says so.
//! 2. No user code runs or is dropped in here. What is taken out is handed out.

use std::collections::BTreeMap;
use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

use super::agenda::more;
use super::pace::{Moment, Now, Pace};
use super::period::Period;
use super::schedule;
use super::slot::Slot;
use super::ticker::{Ticker, Times};
use super::timetable::{Due, Look, SlotId, Timetable};
use crate::error::Error;
use crate::status::{IntervalState, IntervalStatus, TaskKind};
use crate::task::Stand;

/// The intervals of one life.
pub(super) struct Book {
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
    /// Where it was registered.
    at: &'static Location<'static>,
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
    ticker: Arc<Ticker>,
    pub(super) slot: SlotId,
    /// The rest before, if one of its ticks is under way.
    pub(super) until_after: Option<u64>,
}

impl Cleared {
    pub(crate) fn name(&self) -> &str {
        &self.ticker.name
    }
}

/// What an operator wants of an interval.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Order {
    Pause,
    Resume,
    Run,
    Period(Period),
}

impl Book {
    pub(super) fn new() -> Self {
        Self {
            table: Timetable::default(),
            rows: Vec::new(),
            names: BTreeMap::new(),
            ticking: false,
            wakes: Moment::MAX,
            inline: None,
            rests: 0,
        }
    }

    fn row(&self, id: SlotId) -> Option<&Row> {
        self.rows.get(id as usize)?.as_ref()
    }

    fn ticker(&self, id: SlotId) -> Option<&Arc<Ticker>> {
        self.row(id)?.ticker.as_ref()
    }

    /// All intervals, by name.
    pub(super) fn tickers(&self) -> impl Iterator<Item = (SlotId, &Arc<Ticker>)> {
        self.names.values().filter_map(|id| Some((*id, self.ticker(*id)?)))
    }

    /// Whether something is due before the driver wakes by itself.
    pub(super) fn is_early(&mut self) -> bool {
        self.table.next().is_some_and(|next| next < self.wakes)
    }

    /// Adds an interval, in the place of one of the same name, which is handed out.
    pub(super) fn register(&mut self, ticker: Arc<Ticker>, slot: Slot, now: Now) -> Option<Arc<Ticker>> {
        let (immediately, at) = (ticker.schedule.immediately, ticker.at);
        let (id, replaced) = match self.names.get(&ticker.name) {
            Some(&id) => {
                self.table.replace(id, slot);
                let row = self.rows[id as usize].as_mut();
                let replaced = row.and_then(|row| {
                    row.at = at;
                    row.ticker.replace(ticker)
                });
                (id, replaced)
            }
            None => {
                let id = self.table.insert(slot);
                self.names.insert(ticker.name.clone(), id);
                if id as usize == self.rows.len() {
                    self.rows.reserve_exact(more(self.rows.len(), self.rows.capacity()));
                    self.rows.push(None);
                }
                let name = ticker.name.clone();
                self.rows[id as usize] =
                    Some(Row { name, at, ticker: Some(ticker), rested: self.rests, awaited: false });
                (id, None)
            }
        };
        if self.ticking {
            self.table.start(id, now, immediately);
        }
        replaced
    }

    /// Lets all intervals tick, those still to come included.
    pub(super) fn begin(&mut self, now: Now) {
        self.ticking = true;
        let all: Vec<_> = self.tickers().map(|(id, ticker)| (id, ticker.schedule.immediately)).collect();
        for (id, immediately) in all {
            self.table.start(id, now, immediately);
        }
    }

    /// Ends the interval of that name, if there is one.
    pub(super) fn clear(&mut self, name: &str) -> Option<Cleared> {
        let id = *self.names.get(name)?;
        let row = self.rows[id as usize].as_mut()?;
        let ticker = row.ticker.take()?;
        let gone = self.table.clear(id);
        row.awaited |= !gone;
        let until_after = (!gone).then_some(row.rested);
        if gone {
            self.forget(id);
        }
        Some(Cleared { ticker, slot: id, until_after })
    }

    fn forget(&mut self, id: SlotId) {
        if let Some(row) = self.rows[id as usize].take() {
            self.names.remove(&row.name);
        }
    }

    /// Whether an interval has come to rest, with all ticks under way then, after the rest number `before`.
    pub(super) fn has_rested(&self, id: SlotId, before: u64) -> bool {
        self.row(id).is_none_or(|row| row.rested != before)
    }

    /// A tick has ended; returns whether somebody waits for that.
    pub(super) fn ended(&mut self, id: SlotId, now: Now) -> bool {
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

    /// The clock was moved.
    pub(super) fn rebase(&mut self, now: Now) {
        self.table.rebase(now);
    }

    /// What the driver does next.
    pub(super) fn step(&mut self, now: Now, jumped: bool) -> Step {
        self.inline = None;
        while let Some(due) = self.table.due(now, jumped) {
            let (slot, skipped) = match due {
                Due::Begin { slot, skipped, .. } | Due::Skipped { slot, skipped } => (slot, skipped),
            };
            // A slot without a ticker has been cleared, and nothing of it is due.
            let Some(ticker) = self.ticker(slot) else { continue };
            if skipped > 0 {
                ticker.skip(skipped);
            }
            if let Due::Begin { late, .. } = due {
                let ticker = ticker.clone();
                self.inline = Some(slot);
                return Step::Tick { slot, ticker, late };
            }
        }
        let next = self.table.next();
        self.wakes = next.unwrap_or(Moment::MAX);
        Step::Wait(next)
    }

    /// Does what an operator wants; `None` if there is no such interval.
    pub(super) fn order(&mut self, name: &str, order: Order, now: Now) -> Option<Result<(), Error>> {
        let id = *self.names.get(name)?;
        let ticker = self.ticker(id)?.clone();
        match order {
            Order::Pause => ticker.skip(self.table.pause(id, now)),
            Order::Resume => self.table.resume(id, now),
            Order::Run => self.table.run(id),
            Order::Period(period) => {
                match schedule::pace(period, name, ticker.schedule.timeout, ticker.schedule.overlap) {
                    Ok(pace) if self.ticking => ticker.skip(self.table.change(id, pace, now)),
                    Ok(pace) => self.table.set(id, pace),
                    Err(error) => return Some(Err(error)),
                }
            }
        }
        Some(Ok(()))
    }

    /// The tick that the driver polls itself.
    pub(super) fn inline(&self) -> Option<Stand> {
        let row = self.row(self.inline?)?;
        Some(Stand { kind: TaskKind::Interval, name: row.name.to_string(), at: row.at })
    }

    /// All intervals as they are now.
    pub(super) fn statuses(&self, now: Now) -> Vec<IntervalStatus> {
        self.tickers().map(|(id, ticker)| status(ticker, self.table.look(id), now)).collect()
    }
}

fn status(ticker: &Ticker, look: Look, now: Now) -> IntervalStatus {
    let ledger = ticker.ledger();
    let Times { lateness, took } = ledger.times.as_deref().cloned().unwrap_or_default();
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
        lateness,
        times: took,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::Schedule;

    const NOW: Now = Now { moment: 0, wall: 0 };

    fn register(book: &mut Book, name: &str) {
        let schedule = Schedule::every(Duration::from_secs(1));
        let slot = schedule.slot(name).unwrap();
        let ticker = Ticker::new(name, schedule, Arc::new(|| Box::pin(async { Ok(()) })));
        assert!(book.register(Arc::new(ticker), slot, NOW).is_none());
    }

    #[test]
    fn intervals_that_come_and_go_keep_no_room() {
        let mut book = Book::new();
        for number in 0..1_000 {
            let name = format!("{number}");
            register(&mut book, &name);
            book.clear(&name).unwrap();
        }
        assert_eq!((book.rows.len(), book.names.len()), (1, 0));
    }

    #[test]
    fn many_intervals_have_room_for_an_eighth_more_at_most() {
        let mut book = Book::new();
        (0..5_000).for_each(|number| register(&mut book, &number.to_string()));
        assert!(book.rows.capacity() <= 5_000 * 9 / 8, "{}", book.rows.capacity());
    }
}
