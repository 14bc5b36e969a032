//! Models of what threads see of a host: the states of its daemons, and the beginning of its shutdown. See [`crate::models`].

use loom::future::block_on;
use loom::thread;

use super::board::{Board, Happening};
use super::builder::Host;
use super::conductor::Conductor;
use super::quiet::Quiet;
use crate::context::Readiness;
use crate::models::explore;
use crate::schedule::Clock;
use crate::status::State;

fn assembled() -> Conductor {
    Host::new("model").daemon(Quiet).assemble(Clock::new()).unwrap()
}

/// Lives through the states of a life.
fn live(board: &Board, life: u64) {
    let slot = board.slot(0);
    slot.inner().number = life;
    slot.enter(State::Starting);
    slot.enter(State::Running);
}

/// Whoever waits for a daemon sees that it runs, whether it begins to wait before or after.
///
/// Caught: a state told before it is booked.
#[test]
fn readiness_is_seen_however_late() {
    explore(|| {
        let board = assembled().board;
        let living = board.clone();
        let other = thread::spawn(move || live(&living, 1));
        let seen = block_on(board.slot(0).states().wait_for(|now| now.is_news(Readiness::default()))).map(|now| *now);
        assert_eq!(seen.ok().map(|seen| (seen.life, seen.state)), Some((1, State::Running)));
        other.join().unwrap();
    });
}

/// States are booked on one thread and told on two, as when the main thread has others tell: what is told never goes back,
/// and in the end is what is booked.
///
/// Caught: a state told whether or not a later one has been, and likewise a wish that it rest.
#[test]
fn what_is_told_never_goes_back() {
    explore(|| {
        let board = assembled().board;
        let (living, telling) = (board.clone(), board.clone());
        let life = thread::spawn(move || {
            live(&living, 1);
            living.slot(0).inner().rested = 1;
            living.slot(0).tell();
        });
        let aside = thread::spawn(move || telling.slot(0).tell());
        let (states, rests) = (board.slot(0).states(), board.slot(0).rests());
        let seen = [(); 2].map(|()| (states.borrow().changes, *rests.borrow()));
        assert!(seen.is_sorted(), "{seen:?}");
        life.join().unwrap();
        aside.join().unwrap();
        assert_eq!((*states.borrow(), *rests.borrow()), (board.slot(0).readiness(), 1));
    });
}

/// Two ask for the shutdown at once: whoever comes back finds it begun, it begins once, and the first cause stays.
///
/// Caught: the cause looked for under one lock and booked under another, and the time of the shutdown booked after its cause.
#[test]
fn who_asks_for_the_shutdown_finds_it_begun() {
    explore(|| {
        let Conductor { board, mut happenings, .. } = assembled();
        let asking = board.clone();
        let ask = |board: &Board, cause| {
            board.shut_down(cause);
            assert!(board.stopping_since().is_some());
            board.ending().0.unwrap()
        };
        let other = thread::spawn(move || ask(&asking, "the other"));
        let cause = ask(&board, "this one");
        assert_eq!(other.join().unwrap(), cause);
        assert!(matches!(happenings.try_recv(), Ok(Happening::Shutdown)));
        assert!(happenings.try_recv().is_err());
    });
}

/// One daemon begins to run once the other has begun to stop, so that there is no moment at which both do: whoever asks is told so.
///
/// Caught: a host said to be ready because each of its daemons was seen to run, one after the other.
#[test]
fn a_host_is_ready_only_if_all_ran_at_one_moment() {
    explore(|| {
        let host = Host::new("model").daemon(Quiet).daemon_as("other", Quiet);
        let board = host.assemble(Clock::new()).unwrap().board;
        board.set_state(State::Running);
        board.slot(0).enter(State::Running);
        let living = board.clone();
        let other = thread::spawn(move || {
            living.slot(0).enter(State::Stopping);
            living.slot(1).enter(State::Running);
        });
        assert!(!board.is_ready().ready, "{:?}", board.is_ready());
        other.join().unwrap();
    });
}
