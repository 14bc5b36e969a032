//! The driver of intervals and those who steer it, and ticks that go on in tasks of their own. No time passes: ticks are run by hand.

use std::time::UNIX_EPOCH;

use tokio::runtime::{Builder, Runtime};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::BoxFuture;
use crate::error::Result;
use crate::schedule::{Clock, Order, Owner, Period, Schedule, Ticker, Timers, drive};
use crate::task::Tasks;

/// A life with intervals.
struct Life {
    timers: Timers,
    tasks: Arc<Tasks>,
    intake: CancellationToken,
    /// How many ticks have begun, and how many have ended.
    begun: Level,
    ended: Level,
    /// What some ticks wait for.
    door: Level,
}

impl Owner for Life {
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

    fn booked(&self, _: &Ticker, _: Option<&Failure>, _: u32) {}
}

/// As [`explore`], with a runtime whose clock stands still, and which runs nothing until it is told to.
fn explore_untimed(scenario: impl Fn(&Runtime) + Send + Sync + 'static) {
    let runtime = Arc::new(Builder::new_current_thread().enable_time().start_paused(true).build().unwrap());
    let _entered = runtime.enter(); // for all threads of a model, which are one of the system
    explore({
        let runtime = runtime.clone();
        move || scenario(&runtime)
    });
}

impl Life {
    fn new(runtime: &Runtime) -> Arc<Self> {
        let tasks = Tasks::new(runtime.handle().clone(), crate::task::Owner::nobody());
        let timers = Timers::new(Clock::steered(UNIX_EPOCH), Arc::default());
        let (begun, ended, door) = Default::default();
        Arc::new(Self { timers, tasks, intake: CancellationToken::new(), begun, ended, door })
    }

    /// Registers an interval that ticks only by hand, once for each time that it is told to.
    fn register(self: &Arc<Self>, waits: bool) {
        let life = Arc::downgrade(self);
        let tick = Arc::new(move || -> BoxFuture<'static, Result<()>> {
            let life = life.upgrade();
            Box::pin(async move {
                let life = life.ok_or("the life is over")?;
                life.begun.raise(1);
                if waits {
                    life.door.reaches(1).await;
                }
                life.ended.raise(1);
                Ok(())
            })
        });
        self.timers.register(&Arc::new(Ticker::new("tick", Schedule::every(Period::Off), tick))).unwrap();
    }

    fn run(&self) {
        self.timers.order("tick", Order::Run).unwrap().unwrap();
    }

    fn drive(self: &Arc<Self>) -> JoinHandle<()> {
        let life = self.clone();
        thread::spawn(move || block_on(drive(life)))
    }

    fn end(&self, driver: JoinHandle<()>) {
        self.intake.cancel();
        driver.join().unwrap();
    }
}

/// An interval is run, and run again, while the driver works or goes to sleep: it ticks each time.
///
/// Caught: a bell that is not looked at again once the waker has been left.
#[test]
fn an_interval_that_is_run_ticks_whatever_the_driver_does() {
    explore_untimed(|runtime| {
        let life = Life::new(runtime);
        life.register(false);
        let driver = life.drive();
        for times in 1..=2 {
            life.run();
            block_on(life.ended.reaches(times));
        }
        life.end(driver);
    });
}

/// An interval is registered while the driver goes to sleep for want of any, and another thread runs it.
///
/// Caught: who steers rings only if the driver waits for some moment.
#[test]
fn an_interval_that_comes_late_ticks() {
    explore_untimed(|runtime| {
        let life = Life::new(runtime);
        let driver = life.drive();
        let steering = life.clone();
        let other = thread::spawn(move || {
            steering.register(false);
            steering.run();
        });
        block_on(life.ended.reaches(1));
        other.join().unwrap();
        life.end(driver);
    });
}

/// A tick goes on in a task of its own and ends there, while the interval is asked to run once more: that tick comes.
///
/// Caught: a tick that ends elsewhere without ringing for what waits for its end.
#[test]
fn what_waits_for_a_tick_that_was_handed_on_begins_at_its_end() {
    explore_untimed(|runtime| {
        let life = Life::new(runtime);
        life.register(true);
        life.run();
        let driver = life.drive();
        block_on(life.begun.reaches(1));
        life.run();
        life.door.raise(1);
        while !life.ended.is_at(1) {
            work::drive(runtime);
            thread::yield_now();
        }
        block_on(life.ended.reaches(2));
        life.end(driver);
        work::drive(runtime);
        assert_eq!(life.timers.statuses().iter().map(|status| (status.ticks, status.running)).next(), Some((2, 0)));
    });
}

/// The intake ends beside a tick that the driver runs: that is noted as ended, whichever comes first, and who waits for it goes on.
///
/// Caught: a driver that ends with its intake before it has noted the end of the tick.
#[test]
fn the_last_tick_is_over_when_its_driver_is() {
    explore_untimed(|runtime| {
        let life = Life::new(runtime);
        life.register(false);
        life.run();
        let driver = life.drive();
        block_on(life.begun.reaches(1));
        life.end(driver);
        let cleared = life.timers.clear("tick").unwrap();
        block_on(life.timers.rest(&cleared));
        assert!(life.ended.is_at(1));
    });
}

/// An interval is cleared while its tick runs in the driver: who clears it goes on once that tick has ended.
///
/// Caught: an interval that does not note that the end of its tick is awaited.
#[test]
fn who_clears_an_interval_waits_for_its_tick() {
    explore_untimed(|runtime| {
        let life = Life::new(runtime);
        life.register(false);
        life.run();
        let driver = life.drive();
        block_on(life.begun.reaches(1));
        let cleared = life.timers.clear("tick").unwrap();
        block_on(life.timers.rest(&cleared));
        assert!(life.ended.is_at(1), "the tick under way had ended");
        life.end(driver);
    });
}
