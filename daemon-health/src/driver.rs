//! How calls are driven: one task polls all that are under way, on the runtime of those whose checks they are. An edge: here the clock is read,
//! tasks are spawned, and what users wrote is called.
//!
//! Invariants:
//! 1. No lock is held while user code runs.
//! 2. One task polls, the *hand*. One that stays in the same poll for longer than [`LOOK`] while others wait is relieved: another one
//!    takes over, and what blocked it costs one thread and nobody else more than that time.
//! 3. That time is up is found out on the runtime of who asks, so that an answer comes even if every thread of the other is blocked.
//!    Who waits has a timer of its own as well, and depends on no task.
//! 4. While nothing is under way there is no task.

use crate::{
    HealthCheck, HealthStatus,
    bell::Bell,
    board::{After, Awaited, Board, Gone, Place, Polled, Step, Work},
    catch::attempt,
    entry::Change,
    history::{HealthTransition, History},
    moment::Moment,
    seat::Seat,
};
use std::{
    future::{Future, pending, poll_fn},
    ops::ControlFlow,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};
use tokio::{
    runtime::Handle,
    sync::Notify,
    task::coop::has_budget_remaining,
    time::{Instant, sleep_until},
};

/// How long a poll may take before others are no longer kept waiting for it.
const LOOK: Duration = Duration::from_millis(20);

/// How long checks are polled before other tasks of the runtime have their turn.
const TURN: Duration = Duration::from_micros(50);

/// After how many polls it is looked whether that time is over.
const POLLS: usize = 64;

/// How many polls a turn has at most, also where the clock stands still.
const MOST: usize = 16 * POLLS;

/// The checks of a checker, and who drives them.
pub(crate) struct Driver {
    begun: Instant,
    board: Mutex<Board>,
    bell: Bell,
    pub(crate) history: History,
    runtime: OnceLock<Handle>,
    /// Told when something is to be asked in the background sooner than was said.
    pub(crate) sooner: Notify,
}

impl Default for Driver {
    fn default() -> Self {
        Self {
            begun: Instant::now(),
            board: Mutex::default(),
            bell: Bell::default(),
            history: History::default(),
            runtime: OnceLock::new(),
            sooner: Notify::new(),
        }
    }
}

impl Driver {
    pub(crate) fn now(&self) -> Moment {
        Moment::at(self.begun, Instant::now())
    }

    /// Waits for a point in time; of none there is no end.
    pub(crate) async fn reached(&self, at: Option<Moment>) {
        match at {
            Some(at) => sleep_until(at.on_the_clock(self.begun)).await,
            None => pending().await,
        }
    }

    /// Calls the checks on `runtime` from now on. Only the first such call counts.
    pub(crate) fn run_on(&self, runtime: Handle) {
        self.runtime.get_or_init(|| runtime);
    }

    // No user code runs under the lock, so what is behind a poisoned one is as whole as ever.
    pub(crate) fn board(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes something, and does what is to be done after it.
    pub(crate) fn with<T>(&self, change: impl FnOnce(&mut Board, &mut After) -> T) -> T {
        let mut after = After::default();
        let done = change(&mut self.board(), &mut after);
        self.finish(&mut after);
        done
    }

    /// As [`with`](Self::with), and has what is under way then driven.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime with its clock enabled.
    pub(crate) fn begin<T>(self: &Arc<Self>, change: impl FnOnce(&mut Board, &mut After) -> T) -> T {
        let here = Handle::current();
        let (done, hand, is_to_be_watched) = self.with(|board, after| {
            let done = change(board, after);
            let hand = board.needs_hand();
            let is_to_be_watched = !board.is_idle() && !std::mem::replace(&mut board.is_watched, true);
            (done, hand, is_to_be_watched)
        });
        if let Some(number) = hand {
            self.runtime.get().unwrap_or(&here).spawn(Hand::new(self, number));
        }
        if is_to_be_watched {
            here.spawn(Watch::new(self).run(self.runtime.get().unwrap_or(&here).clone()));
        }
        done
    }

    /// Waits for the answers of calls, or until their time is up.
    pub(crate) async fn answers(&self, mut calls: Vec<Awaited>) {
        while let Some(until) = self.awaited(&mut calls, None) {
            tokio::select! {
                biased;
                () = self.answer(&mut calls) => {}
                () = self.reached(Some(until)) => self.give_up(),
            }
        }
    }

    /// Forgets the calls at the end that have their answers, and returns when the last one is given up that has none; `waker` is told of
    /// its answer. The last is polled last, so that it is rarely waited for any of the others.
    fn awaited(&self, calls: &mut Vec<Awaited>, waker: Option<&Waker>) -> Option<Moment> {
        let mut board = self.board();
        while let Some(last) = calls.last() {
            if !board.is_answered(last, waker) {
                return board.until(last);
            }
            calls.pop();
        }
        None
    }

    /// Waits for the answer of the last of some calls that has none, and of all before it that have one by then.
    async fn answer(&self, calls: &mut Vec<Awaited>) {
        let all = calls.len();
        let mut told: Option<Waker> = None;
        poll_fn(|cx| {
            let is_new = told.as_ref().is_none_or(|waker| !waker.will_wake(cx.waker()));
            let last = self.awaited(calls, is_new.then_some(cx.waker()));
            if last.is_none() || calls.len() < all {
                return Poll::Ready(());
            }
            if is_new {
                told = Some(cx.waker().clone());
            }
            Poll::Pending
        })
        .await
    }

    /// Makes a place for a check to be asked. Both halves are made at once, so that they lie together.
    fn seat(self: &Arc<Self>, check: Arc<dyn HealthCheck>, place: Place) -> Seat {
        Seat::new(check, Waker::from(Arc::new(Wakes { driver: self.clone(), place })))
    }

    /// Gives up the calls whose time is up.
    fn give_up(&self) {
        let now = self.now();
        self.with(|board, after| board.give_up(now, after));
    }

    /// Books the answers that are there.
    pub(crate) fn book(&self, after: &mut After) {
        let now = self.now();
        self.board().book(now, after);
        self.finish(after);
    }

    /// Does what is to be done where no lock is held.
    fn finish(&self, after: &mut After) {
        if after.is_empty() {
            return;
        }
        let After { changes, wake, drop, is_sooner, is_rung } = std::mem::take(after);
        if is_rung {
            self.bell.ring();
        }
        if is_sooner {
            self.sooner.notify_one();
        }
        for (number, change) in changes {
            self.tell(number, change);
        }
        for waker in wake {
            waker.wake();
        }
        for gone in drop {
            let_go(gone);
        }
    }

    /// Books that what a check's answers come to is something else, and tells the check if it has come to count as unhealthy.
    fn tell(&self, number: u64, change: Change) {
        let Change { check, name, from, to, message } = change;
        self.history.book(number, HealthTransition::new(&name, from, to, message.as_deref().map(str::to_owned)));
        if to == HealthStatus::Unhealthy {
            let why = message.as_deref().unwrap_or("it is unhealthy");
            if let Err(panic) = attempt(|| check.became_unhealthy(why)) {
                tracing::error!(check = &*name, "what is done when it became unhealthy {panic}");
            }
        }
    }
}

/// Drops what users wrote.
fn let_go(gone: Gone) {
    if let Err(panic) = attempt(move || drop(gone)) {
        tracing::error!("what is dropped with a health check {panic}");
    }
}

/// Puts one check in line when its future can go on. The driver has it for as long as it has the check, and it the driver.
struct Wakes {
    driver: Arc<Driver>,
    place: Place,
}

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.driver.bell.ring_for(self.place);
    }
}

/// Polls what is in line, until nothing is under way or another hand has taken over.
struct Hand {
    driver: Arc<Driver>,
    number: u64,
    /// Room for those that can go on.
    woken: Vec<Place>,
    is_done: bool,
}

impl Hand {
    fn new(driver: &Arc<Driver>, number: u64) -> Self {
        Self { driver: driver.clone(), number, woken: Vec::new(), is_done: false }
    }

    /// Polls checks until its turn is over, and gives back what it polled last; or until there is nothing more to poll.
    fn turn(&mut self, waker: &Waker, after: &mut After) -> ControlFlow<Poll<()>, Option<Polled>> {
        let (begun, mut polled) = (self.driver.now(), None);
        for polls in 1.. {
            let step = self.driver.board().step(self.number, polled.take(), after);
            match step {
                Step::Poll(Work { place, number, seat }) => {
                    let seat = seat.unwrap_or_else(|check| self.driver.seat(check, place));
                    let (seat, answer) = seat.poll();
                    polled = Some(Polled { place, number, seat, answer });
                }
                Step::Do => self.driver.finish(after),
                Step::Book => self.driver.book(after),
                Step::Sleep if self.driver.bell.sleep(waker, &mut self.woken) => {
                    return ControlFlow::Break(Poll::Pending);
                }
                Step::Sleep => self.driver.board().woken(&mut self.woken),
                Step::End => return ControlFlow::Break(Poll::Ready(())),
            }
            let is_over = || polls >= MOST || !has_budget_remaining() || self.driver.now().since(begun) >= TURN;
            if polls % POLLS == 0 && is_over() {
                break;
            }
        }
        ControlFlow::Continue(polled)
    }
}

impl Future for Hand {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut after = After::default();
        match self.turn(cx.waker(), &mut after) {
            ControlFlow::Break(end) => {
                self.is_done = end.is_ready();
                end
            }
            ControlFlow::Continue(polled) => {
                let now = self.driver.now();
                self.driver.board().pause(self.number, polled, now, &mut after);
                self.driver.finish(&mut after);
                cx.waker().wake_by_ref();
                Poll::Pending
            }
        }
    }
}

impl Drop for Hand {
    fn drop(&mut self) {
        if !self.is_done {
            let now = self.driver.now();
            self.driver.with(|board, after| board.abandon(self.number, now, after));
        }
    }
}

/// Gives up calls in time and relieves a hand that is blocked, for as long as anything is under way.
struct Watch {
    driver: Arc<Driver>,
    is_done: bool,
}

impl Watch {
    fn new(driver: &Arc<Driver>) -> Self {
        Self { driver: driver.clone(), is_done: false }
    }

    async fn run(mut self, hands: Handle) {
        let (mut seen, mut woken) = (None, Vec::new());
        while let Some(next) = self.next() {
            self.driver.reached(Some(next)).await;
            self.driver.give_up();
            let relief = {
                let mut board = self.driver.board();
                if board.has_empty_line() {
                    self.driver.bell.take(&mut woken);
                    board.woken(&mut woken);
                }
                board.relief(&mut seen)
            };
            if let Some(number) = relief {
                hands.spawn(Hand::new(&self.driver, number));
            }
        }
    }

    /// When to look; `None`: there is nothing to look for.
    fn next(&mut self) -> Option<Moment> {
        let mut board = self.driver.board();
        if board.is_idle() {
            (board.is_watched, self.is_done) = (false, true);
            return None;
        }
        let look = self.driver.now().after(LOOK);
        Some(board.next_deadline().map_or(look, |next| next.min(look)))
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if !self.is_done {
            self.driver.board().is_watched = false;
        }
    }
}
