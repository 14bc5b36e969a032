use std::future::pending;
use std::sync::{Mutex, PoisonError};

use tokio::runtime::Handle;
use tokio::sync::{Semaphore, oneshot};
use tokio::time::sleep;

use super::start::last;
use super::*;
use crate::context::Phase;
use crate::declaration::{Declaration, Declared, Dependency};
use crate::definition::{Deferred, Definition, Interval, OnReady, RowCall, Task};
use crate::error::Result;
use crate::host::builder::Host;
use crate::host::conductor::Conductor;
use crate::host::embed::launch;
use crate::schedule::{Clock, Schedule};
use crate::task::Label;
use crate::{Context, DaemonBase, Wired};

const HOUR: Duration = Duration::from_secs(3_600);

/// Has one of everything that begins once it is ready, and says what has begun.
#[derive(Default)]
struct Rows(Mutex<Vec<&'static str>>);

impl Rows {
    fn begins(&self, what: &'static str) -> Result<()> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(what);
        Ok(())
    }

    fn begun(&self) -> Vec<&'static str> {
        let mut begun = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        begun.sort_unstable();
        begun
    }
}

impl Declared for Rows {
    const DECLARATION: Declaration = Declaration::new("rows");
}

impl Wired for Rows {
    fn wire(definition: &mut Definition<Self>) {
        let task: RowCall<Self> = |rows, _| {
            Box::pin(async {
                rows.begins("task")?;
                pending().await
            })
        };
        let often = Schedule::every(100 * HOUR).immediately();
        definition
            .task(Task::new("task", task))
            .every(Interval::new("interval", often, |rows, _| Box::pin(async { rows.begins("interval") })))
            .deferred(Deferred::new("deferred", Duration::ZERO, |rows, _| Box::pin(async { rows.begins("deferred") })))
            .on_ready(OnReady::new("ready", Dependency::on::<Self>(), |rows, _| {
                Box::pin(async { rows.begins("on_ready") })
            }));
    }
}

impl DaemonBase for Rows {
    async fn initialize_deferred(&self, _cx: &Context) -> Result<()> {
        self.begins("initialize_deferred")
    }
}

/// Lets what is spawned come to where it waits.
async fn settle() {
    sleep(Duration::from_millis(1)).await;
}

/// A life that nobody lives yet.
fn unlived(conductor: &Conductor) -> Lifecycle {
    let Conductor { board, bus, units, .. } = conductor;
    Lifecycle {
        at: 0,
        board: board.clone(),
        slot: board.slot(0),
        unit: units[0].clone(),
        bus: bus.clone(),
        number: 1,
        limits: StartLimits { timeout: HOUR, whole: None },
        stop: watch::channel(None).1,
        runtime: Handle::current(),
        closing: None,
        ended: true, // there is nothing to let go of
    }
}

/// What is registered at the end of a start may be polled by another worker before the daemon counts as running: a task that failed
/// then would fail a daemon that nobody knows to run, and never be told of.
#[tokio::test(start_paused = true)]
async fn nothing_that_was_registered_begins_before_its_daemon_is_ready() {
    let conductor = Host::new("t").daemon(Rows::default()).assemble(Clock::new()).unwrap();
    let lifecycle = unlived(&conductor);
    let life = lifecycle.birth();
    let lived = lifecycle.unit.value().await.unwrap();
    let rows = Arc::downcast::<Rows>(lived.any()).unwrap();
    lived.begin(&life).unwrap();
    lifecycle.slot.inner().number = life.number;
    lifecycle.slot.enter(State::Running);
    sleep(HOUR).await;
    assert!(rows.begun().is_empty(), "{:?}", rows.begun());
    cancel(&life.ready);
    sleep(HOUR).await;
    assert_eq!(rows.begun(), ["deferred", "initialize_deferred", "interval", "on_ready", "task"]);
    life.tasks.close();
}

/// Is cleaned up once it may be.
struct Waits(Arc<Semaphore>);

impl Declared for Waits {
    const DECLARATION: Declaration = Declaration::new("waits");
}

impl Wired for Waits {
    fn wire(_definition: &mut Definition<Self>) {}
}

impl DaemonBase for Waits {
    async fn cleanup(&self, _cx: &Context) -> Result<()> {
        self.0.acquire().await?.forget();
        Ok(())
    }
}

/// Whoever asks looks first whether the daemon runs, and may be held up between that and the asking for as long as its stop takes.
#[tokio::test(start_paused = true)]
async fn who_found_it_running_begins_nothing_of_it_once_it_stops() {
    let may = Arc::new(Semaphore::new(0));
    let conductor = Host::new("t").daemon(Waits(may.clone())).assemble(Clock::new()).unwrap();
    let slot = conductor.board.slot(0);
    let host = launch(conductor, pending()).await.unwrap();
    let life = slot.running().unwrap().life;
    let asked = [TaskKind::Command, TaskKind::Check, TaskKind::Reload];
    let begins = |kind| life.spawn(Label::new(kind, "asked"), async {}).is_ok();
    assert!(asked.into_iter().all(begins), "it runs");

    let drained = may.clone();
    let under_way = async move { drained.acquire().await.unwrap().forget() };
    life.spawn(Label::new(TaskKind::Command, "under way"), under_way).unwrap();
    host.handle().request_shutdown();
    slot.states().wait_for(|now| now.state == State::Stopping).await.unwrap();
    assert!(!asked.into_iter().any(begins), "it drains what is under way");
    may.add_permits(1);
    while life.phase() != Phase::Cleaning {
        tokio::task::yield_now().await;
    }
    assert!(!asked.into_iter().any(begins), "it is cleaned up");
    assert!(begins(TaskKind::Task), "what its cleanup spawns is its own");
    may.add_permits(1);
    assert!(host.wait().await.unwrap().is_clean());
}

/// What abandons the events that were kept for a life that did not follow may come late. It must not meet those of one that follows
/// after all, and close the daemon's queues under it.
#[tokio::test(start_paused = true)]
async fn a_life_begins_once_what_was_kept_before_is_abandoned() {
    let conductor = Host::new("t").daemon(Waits(Arc::new(Semaphore::new(1)))).assemble(Clock::new()).unwrap();
    let (may, slot) = (Arc::new(Semaphore::new(0)), conductor.board.slot(0));
    let (abandons, kept) = (may.clone(), slot.clone());
    let closing = tokio::spawn(async move {
        drop(abandons.acquire().await.unwrap());
        kept.intake.close();
    });
    let (order, stop) = watch::channel(None);
    let mut lifecycle = unlived(&conductor);
    (lifecycle.closing, lifecycle.stop) = (Some(closing), stop);
    let lives = tokio::spawn(lifecycle.run());
    settle().await;
    assert_eq!(slot.state(), State::Starting);
    may.add_permits(1);
    settle().await;
    assert_eq!(slot.state(), State::Running);
    order.send_replace(Some(Order { share: HOUR, returns: false, restarts: false }));
    lives.await.unwrap();
}

/// How a step of a start ends whose work sends the order to stop, or begins a shutdown, before it ends like this.
async fn overtaken(by: fn(&Board, &watch::Sender<StopOrder>), ended: fn() -> Result<()>) -> Result<(), NotStarted> {
    let conductor = Host::new("t").daemon(Rows::default()).assemble(Clock::new()).unwrap();
    let (order, stop) = watch::channel(None);
    let mut lifecycle = unlived(&conductor);
    lifecycle.stop = stop;
    let (life, board) = (lifecycle.birth(), conductor.board.clone());
    let deadline = lifecycle.limits.deadline(Instant::now());
    let orders = order.clone(); // which stays there
    let work = async move {
        by(&board, &orders);
        ended()
    };
    lifecycle.step(&life, TaskKind::Make, deadline, Box::pin(work)).await
}

fn order(_: &Board, order: &watch::Sender<StopOrder>) {
    order.send_replace(Some(Order { share: HOUR, returns: false, restarts: false }));
}

#[tokio::test(start_paused = true)]
async fn a_step_that_ends_with_the_order_to_stop_leads_no_further_and_one_that_fails_then_has_failed() {
    let begins: [fn(&Board, &watch::Sender<StopOrder>); 2] = [order, |board, _| board.shut_down("the test")];
    for by in begins {
        assert!(matches!(overtaken(by, || Ok(())).await, Err(NotStarted::Cancelled)));
        let failed = overtaken(by, || Err("refused".into())).await;
        assert!(matches!(failed, Err(NotStarted::Failed(Failure::Error(_)))));
    }
    assert!(overtaken(|_, _| (), || Ok(())).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn once_the_order_to_stop_has_come_no_step_of_a_start_begins() {
    let conductor = Host::new("t").daemon(Rows::default()).assemble(Clock::new()).unwrap();
    let stop = watch::channel(Some(Order { share: HOUR, returns: false, restarts: false })).1;
    let mut lifecycle = unlived(&conductor);
    lifecycle.stop = stop;
    let (life, deadline) = (lifecycle.birth(), lifecycle.limits.deadline(Instant::now()));
    let ended = lifecycle.step(&life, TaskKind::Make, deadline, Box::pin(pending())).await;
    assert!(matches!(ended, Err(NotStarted::Cancelled)));
    assert!(life.tasks.statuses().is_empty(), "not even for a moment");
}

/// A value that is sent once nobody looks any more would be dropped by who waited, and its destructor, which may block or panic, with
/// it.
#[tokio::test]
async fn what_is_made_once_its_start_was_given_up_is_not_taken() {
    let (sender, mut made) = oneshot::channel();
    assert_eq!(last(&mut made), None);
    assert_eq!(sender.send("late"), Err("late"));
    let (sender, mut made) = oneshot::channel();
    sender.send("in time").unwrap();
    assert_eq!(last(&mut made), Some("in time"));
}

/// A life whose own task ends before it does, such as with its runtime, leaves nothing under way.
#[tokio::test(start_paused = true)]
async fn a_life_that_is_dropped_has_ended() {
    let mut conductor = Host::new("t").daemon(Rows::default()).assemble(Clock::new()).unwrap();
    let (slot, (_order, stop)) = (conductor.board.slot(0), watch::channel(None));
    let mut lifecycle = unlived(&conductor);
    (lifecycle.stop, lifecycle.ended) = (stop, false);
    let lives = tokio::spawn(lifecycle.run());
    settle().await;
    let life = slot.running().unwrap().life;
    lives.abort();
    settle().await;
    assert_eq!((slot.state(), life.tasks.statuses().len()), (State::Stopped, 0));
    let inner = slot.inner();
    assert!(inner.life.is_none() && inner.lived.is_none() && inner.reason.is_some());
    // It is not for the conductor to end a host whose runtime is gone.
    let mut told = std::iter::from_fn(|| conductor.happenings.try_recv().ok());
    assert!(!told.any(|happening| matches!(happening, Happening::Died(_))));
}

/// Without its conductor nobody would ever order it to stop.
#[tokio::test(start_paused = true)]
async fn a_life_whose_conductor_is_gone_stops_at_once() {
    let conductor = Host::new("t").daemon(Waits(Arc::new(Semaphore::new(0)))).assemble(Clock::new()).unwrap();
    let (slot, (order, stop)) = (conductor.board.slot(0), watch::channel(None));
    let mut lifecycle = unlived(&conductor);
    lifecycle.stop = stop;
    let lives = tokio::spawn(lifecycle.run());
    settle().await;
    assert_eq!(slot.state(), State::Running);
    let since = Instant::now();
    drop(order);
    lives.await.unwrap();
    assert!(since.elapsed() < Duration::from_secs(1), "its cleanup hangs");
    assert_eq!(slot.state(), State::Stopped);
    assert!(slot.inner().overran.cuts().iter().any(|cut| cut.work == "cleanup"));
}

#[tokio::test(start_paused = true)]
async fn a_stop_under_way_keeps_its_time_if_the_conductor_is_gone() {
    let may = Arc::new(Semaphore::new(0));
    let conductor = Host::new("t").daemon(Waits(may.clone())).assemble(Clock::new()).unwrap();
    let (slot, (order, stop)) = (conductor.board.slot(0), watch::channel(None));
    let mut lifecycle = unlived(&conductor);
    lifecycle.stop = stop;
    let lives = tokio::spawn(lifecycle.run());
    settle().await;
    order.send_replace(Some(Order { share: HOUR, returns: false, restarts: false }));
    settle().await;
    drop(order);
    sleep(HOUR / 100).await;
    may.add_permits(1);
    lives.await.unwrap();
    assert!(slot.inner().overran.is_empty(), "its cleanup had time");
}

/// Its own task may come so far while the runtime is being shut down.
#[tokio::test]
async fn a_life_whose_work_has_no_runtime_any_more_ends_what_was_registered() {
    let conductor = Host::new("t").daemon(Rows::default()).assemble(Clock::new()).unwrap();
    let other = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let (slot, (order, stop)) = (conductor.board.slot(0), watch::channel(None));
    let mut lifecycle = unlived(&conductor);
    (lifecycle.stop, lifecycle.runtime) = (stop, other.handle().clone());
    let lives = tokio::spawn(lifecycle.run());
    slot.states().wait_for(|now| now.state == State::Running).await.unwrap();
    let (ends, ended) = std::sync::mpsc::channel();
    let life = slot.running().unwrap().life;
    let cx = Context { life };
    cx.register_subscription(move || ends.send(()).unwrap()).unwrap();
    let (held, ticks) = std::sync::mpsc::channel::<()>();
    let tick = move || {
        let _held = &held;
        async {}
    };
    cx.register_interval("ticks", std::time::Duration::from_secs(3_600), tick).unwrap();
    tokio::task::spawn_blocking(|| drop(other)).await.unwrap();
    drop(order);
    lives.await.unwrap();
    assert_eq!((slot.state(), ended.try_recv()), (State::Stopped, Ok(())));
    let gone = Err(std::sync::mpsc::TryRecvError::Disconnected);
    assert_eq!(ticks.try_recv(), gone, "an interval is kept by whoever keeps {cx:?}");
}
