//! One tick: called and polled once in place, and given a task of its own only if it is not done then.
//!
//! Most ticks never wait. They cost no task, and the next one is begun right after. One that waits goes on in a task of
//! its own, under its interval's name, so that it delays no other.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use super::pace::{Moment, Now};
use super::ticker::{Outcome, Streak, Ticker};
use super::timers::Timers;
use super::timetable::SlotId;
use crate::BoxFuture;
use crate::error::Result;
use crate::event::{Node, Waiter, set_current};
use crate::status::TaskKind;
use crate::task::{FOREVER, Failure, Label, Tasks, caught, drop_quietly, not_waiting, panicked};

/// Whoever intervals belong to.
pub(crate) trait Owner: Send + Sync + 'static {
    fn timers(&self) -> &Timers;
    fn tasks(&self) -> &Arc<Tasks>;
    /// Cancelled when no tick may begin any more.
    fn intake(&self) -> &CancellationToken;
    /// Makes the call of one tick, or what a test asked for in its place.
    fn call(&self, ticker: &Ticker) -> BoxFuture<'static, Result<()>>;
    /// Hears of a tick that failed, or succeeded after one that did.
    fn booked(&self, ticker: &Ticker, failure: Option<&Failure>, in_a_row: u32);
}

/// Names a tick of an interval as what this thread polls, until dropped.
struct Inside(Option<Waiter>);

impl Inside {
    fn enter(node: Node) -> Self {
        Self(set_current(Some(Waiter { node, place: 0 })))
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        set_current(self.0);
    }
}

pin_project_lite::pin_project! {
    /// A future of a tick, which can tell whether it is the one that is polled.
    struct Within<F> {
        #[pin]
        future: F,
        node: Node,
    }
}

impl<F: Future> Future for Within<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let _inside = Inside::enter(*this.node);
        this.future.poll(cx)
    }
}

/// A tick.
pub(super) struct Tick {
    pub(super) slot: SlotId,
    pub(super) ticker: Arc<Ticker>,
    pub(super) begun: Moment,
    /// How late it is; unknown if it had to wait or was asked for.
    pub(super) late: Option<u64>,
}

/// A tick that is polled for longer, in nanoseconds, holds up the others; it is the grain of tokio's timers.
const HEAVY: u64 = 1_000_000;

/// What the first poll of a tick brought.
enum First {
    Over(Outcome),
    Waits(BoxFuture<'static, Result<()>>),
}

impl Tick {
    /// Begins it. Gives it back if it is over already, with how it ended; otherwise a task of its own books its end.
    pub(super) fn begin<O: Owner>(self, owner: &Arc<O>) -> Option<(Self, Outcome)> {
        if self.ticker.is_heavy() {
            let (ticker, by) = (self.ticker.clone(), owner.clone());
            self.spawn(owner, async move {
                let mut skipped = false;
                let call = caught(|| async {
                    skipped = ticker.is_to_skip();
                    if skipped { Ok(()) } else { by.call(&ticker).await }
                });
                let result = within(ticker.schedule.timeout, call).await;
                if skipped { Outcome::Skipped } else { Outcome::Ran(result) }
            });
            return None;
        }
        match self.poll_once(owner) {
            First::Over(outcome) => Some((self, outcome)),
            First::Waits(call) => {
                let timeout = self.ticker.schedule.timeout;
                self.spawn(owner, async move { Outcome::Ran(within(timeout, caught(|| call)).await) });
                None
            }
        }
    }

    /// Makes the call and polls it once. Nobody needs to be woken: if it is not over, its task polls it again at once.
    fn poll_once<O: Owner>(&self, owner: &Arc<O>) -> First {
        let _inside = Inside::enter(owner.timers().node(self.slot));
        let ticker = &*self.ticker;
        let made = catch_unwind(AssertUnwindSafe(|| (!ticker.is_to_skip()).then(|| owner.call(ticker))));
        let mut call = match made {
            Ok(Some(call)) => call,
            Ok(None) => return First::Over(Outcome::Skipped),
            Err(payload) => return First::Over(Outcome::Ran(Err(panicked(payload)))),
        };
        let polled = catch_unwind(AssertUnwindSafe(|| call.as_mut().poll(&mut Context::from_waker(Waker::noop()))));
        let result = match polled {
            Ok(Poll::Pending) => {
                not_waiting(); // the driver is not, whatever the call said
                return First::Waits(call);
            }
            Ok(Poll::Ready(result)) => result.map_err(Failure::Error),
            Err(payload) => Err(panicked(payload)),
        };
        drop_quietly(call);
        First::Over(Outcome::Ran(result))
    }

    /// Lets `work` go on in a task of its own.
    fn spawn<O: Owner>(self, owner: &Arc<O>, work: impl Future<Output = Outcome> + Send + 'static) {
        let now = owner.timers().clock().now();
        if !self.ticker.is_heavy() && now.moment - self.begun > HEAVY {
            self.ticker.set_heavy();
        }
        self.ticker.begun(self.begun, self.late);
        let ticker = self.ticker.clone();
        let label = Label { kind: TaskKind::Interval, name: &ticker.name, at: ticker.at };
        let node = owner.timers().node(self.slot);
        let running = Running { owner: owner.clone(), tick: self, outcome: Outcome::Aborted };
        let future = async move {
            let mut running = running;
            running.outcome = work.await;
        };
        // Refused, it is dropped, and booked as any that is dropped on its way.
        drop(owner.tasks().spawn(label, Within { future, node }));
    }

    /// Books how it ended, in the driver itself.
    pub(super) fn book<O: Owner>(&self, owner: &O, outcome: &Outcome, now: Now) {
        let took = now.moment.saturating_sub(self.begun);
        if took > HEAVY {
            self.ticker.set_heavy();
        }
        self.tell(owner, outcome, self.ticker.whole(self.begun, self.late, outcome, Duration::from_nanos(took)));
    }

    /// Tells the owner what it wants to know of a tick that has been booked.
    fn tell<O: Owner>(&self, owner: &O, outcome: &Outcome, streak: Streak) {
        let ticker = &*self.ticker;
        let failure = match outcome {
            Outcome::Ran(Err(failure)) => Some(failure),
            _ => None,
        };
        // beyond the greatest number they stay at that
        if failure.is_some() || streak.before != streak.now {
            owner.booked(ticker, failure, streak.now);
        }
    }
}

/// The outcome of `call`, which is given up when the time is over.
async fn within(timeout: Option<Duration>, call: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    match timeout {
        Some(limit) => {
            timeout_at(Instant::now() + limit.min(FOREVER), call).await.unwrap_or(Err(Failure::Timeout(limit)))
        }
        None => call.await,
    }
}

/// A tick that has a task of its own. Its end is booked, whatever it is.
struct Running<O: Owner> {
    owner: Arc<O>,
    tick: Tick,
    outcome: Outcome,
}

impl<O: Owner> Drop for Running<O> {
    fn drop(&mut self) {
        let timers = self.owner.timers();
        let now = timers.clock().now();
        let took = Duration::from_nanos(now.moment.saturating_sub(self.tick.begun));
        self.tick.tell(&*self.owner, &self.outcome, self.tick.ticker.ended(&self.outcome, took));
        timers.ended(self.tick.slot, now);
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::UNIX_EPOCH;

    use super::super::book::{Order, Step};
    use super::*;
    use crate::schedule::{Clock, Period, Schedule};

    /// Hears of ticks.
    pub(in super::super) struct Hears {
        pub(in super::super) timers: Timers,
        pub(in super::super) tasks: Arc<Tasks>,
        pub(in super::super) intake: CancellationToken,
        told: Mutex<Vec<(bool, u32)>>,
    }

    impl Hears {
        pub(in super::super) fn new(clock: Arc<Clock>) -> Arc<Self> {
            Arc::new(Self {
                timers: Timers::new(clock, Arc::default()),
                tasks: Tasks::new(tokio::runtime::Handle::current(), crate::task::Owner::nobody()),
                intake: CancellationToken::new(),
                told: Mutex::default(),
            })
        }

        /// Registers an interval that ticks only by hand.
        pub(in super::super) fn by_hand<F>(
            &self,
            name: &str,
            tick: impl Fn() -> F + Send + Sync + 'static,
        ) -> Arc<Ticker>
        where
            F: Future<Output = Result<()>> + Send + 'static,
        {
            self.registered(name, Schedule::every(Period::Off), tick)
        }

        pub(in super::super) fn registered<F>(
            &self,
            name: &str,
            schedule: Schedule,
            tick: impl Fn() -> F + Send + Sync + 'static,
        ) -> Arc<Ticker>
        where
            F: Future<Output = Result<()>> + Send + 'static,
        {
            let ticker = Arc::new(Ticker::new(name, schedule, Arc::new(move || Box::pin(tick()))));
            self.timers.register(&ticker).unwrap();
            ticker
        }

        /// Runs a tick, as the driver does, and waits for its end if it has a task of its own.
        async fn tick(self: &Arc<Self>, name: &str) {
            let now = self.timers.clock().now();
            self.timers.begin(now);
            self.timers.order(name, Order::Run).unwrap().unwrap();
            let Step::Tick { slot, ticker, late } = self.timers.step(None, now, false) else { panic!("it is due") };
            if let Some((tick, outcome)) = (Tick { slot, ticker, begun: now.moment, late }).begin(self) {
                tick.book(&**self, &outcome, self.timers.clock().now());
                self.timers.ended(slot, now);
            }
            self.tasks.idle(&|_| true).await;
        }
    }

    impl Owner for Hears {
        fn timers(&self) -> &Timers {
            &self.timers
        }

        fn tasks(&self) -> &Arc<Tasks> {
            &self.tasks
        }

        fn intake(&self) -> &CancellationToken {
            &self.intake
        }

        fn call(&self, ticker: &Ticker) -> BoxFuture<'static, Result<()>> {
            (ticker.tick)()
        }

        fn booked(&self, _ticker: &Ticker, failure: Option<&Failure>, in_a_row: u32) {
            self.told.lock().unwrap().push((failure.is_some(), in_a_row));
        }
    }

    /// One that comes every millisecond has failed so often after fifty days.
    #[tokio::test]
    async fn every_tick_that_fails_is_told_of_however_many_have_failed_before() {
        let hears = Hears::new(Clock::new());
        let fails = Arc::new(|| -> BoxFuture<'static, Result<()>> { Box::pin(async { Err("no luck".into()) }) });
        let ticker = Arc::new(Ticker::new("tick", Schedule::every(Period::Off), fails));
        let tick = Tick { slot: 0, ticker, begun: 0, late: None };
        let failed = Outcome::Ran(Err(Failure::Timeout(Duration::ZERO)));
        for (outcome, before, now) in [
            (&failed, 0, 1),
            (&failed, u32::MAX, u32::MAX),
            (&Outcome::Ran(Ok(())), u32::MAX, 0),
            (&Outcome::Ran(Ok(())), 0, 0),
            (&Outcome::Aborted, 1, 1),
        ] {
            tick.tell(&*hears, outcome, Streak { before, now });
        }
        assert_eq!(*hears.told.lock().unwrap(), [(true, 1), (true, u32::MAX), (false, 0)]);
    }

    /// Whether they have tasks of their own or not.
    #[tokio::test(start_paused = true)]
    async fn ticks_that_fail_in_a_row_are_counted_until_one_does_not() {
        for waits in [false, true] {
            let hears = Hears::new(Clock::steered(UNIX_EPOCH));
            let calls = Arc::new(AtomicU64::new(0));
            hears.by_hand("tick", move || {
                let call = calls.fetch_add(1, Ordering::Relaxed);
                async move {
                    if waits {
                        tokio::task::yield_now().await;
                    }
                    if call < 3 { Err("no luck".into()) } else { Ok(()) }
                }
            });
            for _ in 0..5 {
                hears.tick("tick").await;
            }
            assert_eq!(*hears.told.lock().unwrap(), [(true, 1), (true, 2), (true, 3), (false, 0)], "waits: {waits}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn one_with_a_task_of_its_own_that_is_skipped_has_not_run() {
        let hears = Hears::new(Clock::steered(UNIX_EPOCH));
        let schedule = Schedule::every(Period::Off).skip_if(|| true);
        let (calls, called) = std::sync::mpsc::channel();
        let ticker = hears.registered("tick", schedule, move || std::future::ready(calls.send(()).map_err(Into::into)));
        ticker.set_heavy();
        hears.tick("tick").await;
        let status = hears.timers.statuses().remove(0);
        assert!((status.ticks, status.skipped) == (0, 1) && called.try_recv().is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_waits_has_not_held_up_the_others() {
        let hears = Hears::new(Clock::steered(UNIX_EPOCH));
        let ticker = hears.by_hand("tick", || async {
            tokio::task::yield_now().await;
            Ok(())
        });
        hears.tick("tick").await;
        assert!(ticker.ledger().ticks == 1 && !ticker.is_heavy());
    }

    /// Is over at once, and panics when it is dropped.
    struct Explodes;

    impl Future for Explodes {
        type Output = Result<()>;

        fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    impl Drop for Explodes {
        fn drop(&mut self) {
            panic!("in the destructor of a tick");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_explodes_when_it_is_over_has_run() {
        let hears = Hears::new(Clock::steered(UNIX_EPOCH));
        hears.by_hand("tick", || Explodes);
        hears.tick("tick").await;
        let status = hears.timers.statuses().remove(0);
        assert_eq!((status.ticks, status.failed), (1, 0));
    }
}
