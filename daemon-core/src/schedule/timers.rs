//! The intervals of one life, shared by the driver, by ticks that end, and by everyone who registers or steers them.
//!
//! Invariants:
//! 1. The lock is never held while user code runs or is dropped. Inside it only the graph of waits is locked.
//! 2. The driver is told whenever something is due earlier than it waits for.

use std::sync::{Arc, PoisonError};

use tokio::sync::Notify;

use super::bell::Bell;
use super::book::{Book, Cleared, Order, Step};
use super::clock::Clock;
use super::pace::Now;
use super::ticker::Ticker;
use super::timetable::SlotId;
use crate::error::Error;
use crate::event::{Node, WaitGraph, Waiter, next_number};
use crate::status::IntervalStatus;
use crate::sync::{Mutex, MutexGuard};
use crate::task::Stand;

/// The intervals of one life.
pub(crate) struct Timers {
    clock: Arc<Clock>,
    /// What its nodes in the graph of waits have in common.
    number: u64,
    graph: Arc<WaitGraph>,
    book: Mutex<Book>,
    /// Wakes the driver.
    bell: Arc<Bell>,
    /// Tells those who wait that the last tick of an interval has ended.
    rested: Notify,
}

impl Timers {
    pub(crate) fn new(clock: Arc<Clock>, graph: Arc<WaitGraph>) -> Self {
        let (number, book) = (next_number(), Mutex::new(Book::new()));
        Self { clock, number, graph, book, bell: Arc::default(), rested: Notify::new() }
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn clock(&self) -> &Arc<Clock> {
        &self.clock
    }

    pub(super) fn bell(&self) -> &Arc<Bell> {
        &self.bell
    }

    /// Lets go of what was changed, and tells the driver if something is due before it wakes by itself.
    fn hurry(&self, mut book: MutexGuard<'_, Book>) {
        let early = book.is_early();
        drop(book);
        if early {
            self.bell.ring();
        }
    }

    /// Adds an interval, in the place of one of the same name, which is handed out.
    ///
    /// # Errors
    /// Its schedule is not one.
    pub(crate) fn register(&self, ticker: &Arc<Ticker>) -> Result<Option<Arc<Ticker>>, Error> {
        let slot = ticker.schedule.slot(&ticker.name)?;
        let now = self.clock.now();
        let mut book = self.book();
        let replaced = book.register(ticker.clone(), slot, now);
        self.hurry(book);
        Ok(replaced)
    }

    /// Lets all intervals tick, those still to come included.
    pub(super) fn begin(&self, now: Now) {
        self.book().begin(now);
    }

    /// Ends the interval of that name, if there is one.
    pub(crate) fn clear(&self, name: &str) -> Option<Cleared> {
        self.book().clear(name)
    }

    /// Ends all intervals.
    pub(crate) fn clear_all(&self) -> Vec<Cleared> {
        let mut book = self.book();
        let names: Vec<_> = book.tickers().map(|(_, ticker)| ticker.name.clone()).collect();
        names.iter().filter_map(|name| book.clear(name)).collect()
    }

    /// Waits until the ticks that were under way when an interval was cleared have ended; not at all, if one of them waits for
    /// whoever asks.
    ///
    /// Cancel safe.
    pub(crate) async fn rest(&self, cleared: &Cleared) {
        let Some(before) = cleared.until_after else { return };
        let Some(_edge) = self.wait(cleared.slot, before) else { return };
        loop {
            let rested = self.rested.notified(); // it hears of whatever is told from here on
            if self.book().has_rested(cleared.slot, before) {
                return;
            }
            rested.await;
        }
    }

    /// Begins to wait for an interval to come to rest; `None` if it has, or if that would never come: whoever asks is one of its
    /// ticks, or is waited for by one.
    fn wait(&self, slot: SlotId, before: u64) -> Option<Edge<'_>> {
        let from = self.graph.caller();
        let book = self.book();
        let waits = !book.has_rested(slot, before) && from.is_none_or(|from| self.graph.wait(from, self.node(slot)));
        waits.then(|| Edge { timers: self, from, slot, before })
    }

    /// What the ticks of an interval are in the graph of waits.
    pub(super) fn node(&self, slot: SlotId) -> Node {
        Node { mailbox: self.number, queue: slot }
    }

    /// Books that a tick has ended; returns whether somebody waited for that.
    fn book_end(&self, book: &mut Book, slot: SlotId, now: Now) -> bool {
        let awaited = book.ended(slot, now);
        if awaited {
            self.graph.end_all(self.node(slot));
        }
        awaited
    }

    /// A tick has ended.
    pub(super) fn ended(&self, slot: SlotId, now: Now) {
        let mut book = self.book();
        let awaited = self.book_end(&mut book, slot, now);
        self.hurry(book);
        if awaited {
            self.rested.notify_waiters();
        }
    }

    /// The clock was moved.
    pub(super) fn rebase(&self, now: Now) {
        self.book().rebase(now);
    }

    /// What the driver does next, after the tick that it `ended`.
    pub(super) fn step(&self, ended: Option<SlotId>, now: Now, jumped: bool) -> Step {
        let mut book = self.book();
        let awaited = ended.is_some_and(|slot| self.book_end(&mut book, slot, now));
        let step = book.step(now, jumped);
        drop(book);
        if awaited {
            self.rested.notify_waiters();
        }
        step
    }

    /// Does what an operator wants; `None` if there is no such interval.
    pub(crate) fn order(&self, name: &str, order: Order) -> Option<Result<(), Error>> {
        let now = self.clock.now();
        let mut book = self.book();
        let done = book.order(name, order, now);
        self.hurry(book);
        done
    }

    /// The tick that the driver polls itself; if it blocks, so does the driver.
    pub(crate) fn inline(&self) -> Option<Stand> {
        self.book().inline()
    }

    /// The names of all intervals.
    pub(crate) fn names(&self) -> Vec<String> {
        self.book().tickers().map(|(_, ticker)| ticker.name.to_string()).collect()
    }

    /// All intervals as they are now, by name.
    pub(crate) fn statuses(&self) -> Vec<IntervalStatus> {
        let now = self.clock.now();
        self.book().statuses(now)
    }
}

/// A wait for an interval, in the graph until that has come to rest or the wait is dropped, if a handler or a tick waits.
struct Edge<'t> {
    timers: &'t Timers,
    from: Option<Waiter>,
    slot: SlotId,
    before: u64,
}

impl Drop for Edge<'_> {
    fn drop(&mut self) {
        let Self { timers, from: Some(from), slot, before } = *self else { return };
        let book = timers.book();
        // Of one that has come to rest all edges are gone already, and one that is like this one is of a later wait.
        if !book.has_rested(slot, before) {
            timers.graph.end(from, timers.node(slot));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::{Pin, pin};
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::task::{Context, Wake, Waker};
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;
    use crate::event::set_current;
    use crate::schedule::{Bound, Overlap, Period, Schedule};

    fn done() -> Bound {
        Arc::new(|| Box::pin(async { Ok(()) }))
    }

    /// An interval of which a tick is under way, cleared.
    fn cleared_in_a_tick(timers: &Timers) -> Cleared {
        timers.register(&ticker(Period::Off)).unwrap();
        timers.order("tick", Order::Run).unwrap().unwrap();
        assert!(matches!(timers.step(None, timers.clock.now(), false), Step::Tick { .. }));
        timers.clear("tick").unwrap()
    }

    /// A wait of a handler for it, under way.
    fn waits<'t>(timers: &'t Timers, cleared: &'t Cleared, waiter: Waiter) -> Pin<Box<impl Future<Output = ()> + 't>> {
        let mut rest = Box::pin(timers.rest(cleared));
        let outer = set_current(Some(waiter));
        assert!(rest.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        set_current(outer);
        rest
    }

    fn steered() -> Timers {
        let timers = Timers::new(Clock::steered(UNIX_EPOCH), Arc::default());
        timers.begin(timers.clock.now());
        timers
    }

    #[track_caller]
    fn ticker(schedule: impl Into<Schedule>) -> Arc<Ticker> {
        Arc::new(Ticker::new("tick", schedule.into(), done()))
    }

    #[tokio::test(start_paused = true)]
    async fn the_driver_is_told_only_of_what_comes_before_it_wakes_by_itself() {
        let timers = steered();
        let register = |name: &str, seconds| {
            let every = Schedule::every(Duration::from_secs(seconds));
            timers.register(&Arc::new(Ticker::new(name, every, done()))).unwrap();
            timers.bell.heard()
        };
        assert!(register("first", 10));
        assert!(matches!(timers.step(None, timers.clock.now(), false), Step::Wait(Some(10_000_000_000))));
        assert!(!register("later", 20));
        assert!(register("sooner", 5));
    }

    #[tokio::test(start_paused = true)]
    async fn the_tick_that_the_driver_is_in_is_that_of_who_was_registered_last_and_of_nobody_after_it() {
        let timers = steered();
        timers.register(&ticker(Period::Off)).unwrap();
        let last = ticker(Period::Off);
        timers.register(&last).unwrap();
        assert!(timers.inline().is_none());
        timers.order("tick", Order::Run).unwrap().unwrap();
        let Step::Tick { slot, .. } = timers.step(None, timers.clock.now(), false) else { panic!("it is due") };
        let inside = timers.inline().unwrap();
        assert_eq!((&*inside.name, inside.at), ("tick", last.at));
        assert!(matches!(timers.step(Some(slot), timers.clock.now(), false), Step::Wait(None)));
        assert!(timers.inline().is_none(), "it has ended");
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_for_an_interval_waits_for_every_tick_that_is_under_way() {
        let timers = steered();
        timers.register(&ticker(Schedule::every(Period::Off).overlap(Overlap::Concurrent(2)))).unwrap();
        for _ in 0..2 {
            timers.order("tick", Order::Run).unwrap().unwrap();
            assert!(matches!(timers.step(None, timers.clock.now(), false), Step::Tick { .. }));
        }
        let cleared = timers.clear("tick").unwrap();
        let rests = || pin!(timers.rest(&cleared)).poll(&mut Context::from_waker(Waker::noop())).is_ready();
        for _ in 0..2 {
            assert!(!rests());
            timers.ended(cleared.slot, timers.clock.now());
        }
        assert!(rests());
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_that_is_over_takes_no_later_one_that_is_like_it_out_of_the_graph() {
        let timers = steered();
        let waiter = Waiter { node: Node { mailbox: next_number(), queue: 0 }, place: 0 };
        let would_be_stuck = |on: &Cleared| {
            let tick = Waiter { node: timers.node(on.slot), place: 0 };
            let stuck = !timers.graph.wait(tick, waiter.node);
            if !stuck {
                timers.graph.end(tick, waiter.node);
            }
            stuck
        };
        let first = cleared_in_a_tick(&timers);
        let over = waits(&timers, &first, waiter);
        timers.ended(first.slot, timers.clock.now());
        let second = cleared_in_a_tick(&timers);
        assert_eq!(second.slot, first.slot);
        let later = waits(&timers, &second, waiter);
        drop(over);
        assert!(would_be_stuck(&second), "the later wait is still known");
        drop(later);
        assert!(!would_be_stuck(&second), "given up");
        timers.ended(second.slot, timers.clock.now());
        let outer = set_current(Some(waiter));
        assert!(pin!(timers.rest(&second)).poll(&mut Context::from_waker(Waker::noop())).is_ready());
        set_current(outer);
        assert!(!would_be_stuck(&second), "it had come to rest before");
    }

    /// Looks at the intervals when it is woken.
    struct Looks(Arc<Timers>, AtomicU64);

    impl Wake for Looks {
        fn wake(self: Arc<Self>) {
            assert!(self.0.names().len() < 2);
            self.1.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_woken_may_look_at_the_intervals_and_hears_of_the_end_of_a_tick() {
        let timers = Arc::new(steered());
        let looks = Arc::new(Looks(timers.clone(), AtomicU64::new(0)));
        let waker = Waker::from(looks.clone());
        let mut cx = Context::from_waker(&waker);
        let woken = || looks.1.swap(0, Ordering::Relaxed);
        assert!(timers.bell.poll(&cx).is_pending());
        for in_the_driver in [false, true] {
            let cleared = cleared_in_a_tick(&timers);
            assert_eq!(woken(), u64::from(!in_the_driver), "the bell rings until it is heard");
            let mut rest = pin!(timers.rest(&cleared));
            assert!(rest.as_mut().poll(&mut cx).is_pending());
            if in_the_driver {
                timers.step(Some(cleared.slot), timers.clock.now(), false);
            } else {
                timers.ended(cleared.slot, timers.clock.now());
            }
            assert!(woken() == 1 && rest.as_mut().poll(&mut cx).is_ready(), "in the driver: {in_the_driver}");
        }
    }
}
