use std::future::pending;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;

use tokio::runtime::{Builder, Runtime};

use super::*;
use crate::declaration::{Declaration, Declared};
use crate::definition::Definition;
use crate::host::builder::Host;
use crate::host::conductor::Conductor;
use crate::host::factory::Source;
use crate::host::quiet::Quiet;
use crate::host::unit::UnitOf;
use crate::{DaemonBase, Wired};

const S: Duration = Duration::from_secs(1);

fn assembled() -> Conductor {
    Host::new("t").daemon(Quiet).assemble(Clock::new()).unwrap()
}

fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

/// A daemon that is to be added, and its slot.
fn newcomer<D: DaemonBase>(board: &Board, name: &str, value: D) -> (Arc<dyn Unit>, Slot) {
    let value = std::sync::Mutex::new(Some(Arc::new(value)));
    let unit: Arc<dyn Unit> = Arc::new(UnitOf::new(name, Source::Value(value)));
    let intake = unit.subscribe(&board.bus).unwrap();
    let slot = Slot::new(&*unit, 1, Vec::new(), Vec::new(), intake, board.journal.clone());
    (unit, slot)
}

fn add(unit: Arc<dyn Unit>) -> Happening {
    Happening::Add { unit, requires: Vec::new(), wants: Vec::new() }
}

/// Looks, as it is dropped, whether the board can be read.
struct Looks(Arc<Board>, Arc<AtomicBool>);

impl Declared for Looks {
    const DECLARATION: Declaration = Declaration::new("looks");
}

impl Wired for Looks {
    fn wire(_definition: &mut Definition<Self>) {}
}

impl DaemonBase for Looks {}

impl Drop for Looks {
    fn drop(&mut self) {
        self.1.store(self.0.roll.try_read().is_ok(), Ordering::Relaxed);
    }
}

#[test]
fn who_is_added_under_a_name_that_was_taken_meanwhile_is_refused() {
    let Conductor { board, mut happenings, .. } = assembled();
    let (unit, slot) = newcomer(&board, "quiet", Quiet);
    let refused = board.add(slot, || add(unit)).unwrap_err();
    assert!(matches!(refused, Error::NameTaken { .. }), "{refused}");
    assert!(happenings.try_recv().is_err() && board.slots().len() == 1);
}

#[test]
fn who_is_added_once_nobody_hears_of_it_leaves_nothing_and_is_dropped_when_the_board_can_be_read() {
    let Conductor { board, happenings, .. } = assembled();
    drop(happenings);
    let could_look = Arc::new(AtomicBool::new(false));
    let (unit, slot) = newcomer(&board, "looks", Looks(board.clone(), could_look.clone()));
    let refused = board.add(slot, || add(unit)).unwrap_err();
    assert!(matches!(refused, Error::Stopping { .. }), "{refused}");
    assert!(board.slots().len() == 1 && board.find("looks").is_none());
    assert!(could_look.load(Ordering::Relaxed), "its destructor may ask the host");
}

#[test]
fn a_value_that_is_still_being_dropped_counts_as_cut() {
    let (board, runtime) = (assembled().board, runtime());
    board.run_on(&Planes::shared(runtime.handle().clone()));
    let (let_go, stays) = mpsc::channel::<()>();
    let gone = board.let_go(&board.slot(0), move || assert!(stays.recv().is_err(), "it is let go by a hang-up"));
    assert!(board.was_cut());
    drop(let_go);
    runtime.block_on(async {
        gone.await;
        board.leaving.all_gone().await;
    });
    assert!(!board.was_cut());
}

#[tokio::test(start_paused = true)]
async fn how_long_the_start_took_is_known_once_it_is_over_and_changes_no_more() {
    let board = assembled().board;
    board.set_state(State::Starting);
    tokio::time::advance(S).await;
    assert_eq!(board.start_took(), None);
    for state in [State::Running, State::Stopping, State::Stopped] {
        board.set_state(state);
        tokio::time::advance(S).await;
        assert_eq!((board.start_took(), board.has_run()), (Some(S), true));
    }
}

#[test]
fn who_is_still_up_is_named_and_the_shutdown_handler_under_way() {
    let host = Host::new("t").daemon(Quiet).on_shutdown(pending::<()>);
    let (board, runtime) = (host.assemble(Clock::new()).unwrap().board, runtime());
    assert!(board.still_up().is_empty());
    for (state, is_up) in [
        (State::Starting, true),
        (State::Running, true),
        (State::Stopping, true),
        (State::Backoff, true),
        (State::Failed, false),
        (State::Stopped, false),
    ] {
        board.slot(0).enter(state);
        assert_eq!(board.still_up(), if is_up { vec!["quiet"] } else { vec![] }, "{state}");
    }
    let (farewell, handle) = (board.farewell.clone(), runtime.handle().clone());
    let said = runtime.spawn(async move { farewell.say(&handle, Instant::now() + 60 * S).await });
    while board.still_up().is_empty() {
        std::thread::yield_now();
    }
    assert_eq!(board.still_up().len(), 1);
    assert!(board.still_up()[0].starts_with("shutdown handler "), "{:?}", board.still_up());
    said.abort();
}

#[test]
fn the_journal_has_the_causes_of_a_shutdown_and_of_what_failed_and_no_others() {
    let board = assembled().board;
    let cause = || board.journal.transitions().pop().unwrap().cause;
    assert!(board.set_cause("asked for") && !board.set_cause("something else"));
    for (state, booked) in [(State::Running, None), (State::Stopping, Some("asked for")), (State::Stopped, None)] {
        board.set_state(state);
        assert_eq!(cause().as_deref(), booked, "{state}");
    }
    let slot = board.slot(0);
    slot.inner().reason = Some("no luck".to_owned());
    for (state, booked) in [
        (State::Starting, None),
        (State::Running, None),
        (State::Backoff, Some("no luck")),
        (State::Failed, Some("no luck")),
        (State::Stopped, None),
    ] {
        slot.enter(state);
        assert_eq!(cause().as_deref(), booked, "{state}");
    }
}
