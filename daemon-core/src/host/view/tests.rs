use std::future::{pending, ready};
use std::time::Duration;

use super::*;
use crate::declaration::{Declaration, Declared};
use crate::definition::Definition;
use crate::event::Overflow;
use crate::histogram::Histogram;
use crate::host::builder::Host;
use crate::schedule::Clock;
use crate::{BoxFuture, DaemonBase, Event, EventHandler, Recognition, Upgrade, Upgraded, Wired, place};

fn task(kind: TaskKind, name: &str) -> TaskStatus {
    TaskStatus {
        name: name.to_owned(),
        kind,
        spawned_at: "src/main.rs:7".to_owned(),
        polls: 1,
        age: Duration::from_secs(2),
        idle: Some(Duration::from_secs(1)),
        polling: true,
        waits_in: None,
    }
}

fn handler(name: &str, queue: Option<&str>, isolated: bool) -> SubscriptionStatus {
    SubscriptionStatus {
        name: name.to_owned(),
        topic: "a:b".to_owned(),
        queue: queue.map(str::to_owned),
        capacity: 1,
        overflow: Overflow::Block,
        concurrency: 1,
        isolated,
        offered: 1,
        handled: 0,
        failed: 0,
        dropped: 0,
        abandoned: 0,
        queued: 0,
        in_flight: 1,
        high_water: 1,
        times: Histogram::default(),
    }
}

#[test]
fn work_is_called_by_its_kind_and_its_name_and_by_one_of_them_where_that_says_all() {
    let of = |kind: TaskKind, name: &str| work(&task(kind, name), &[handler("busy", None, false)]);
    assert_eq!(of(TaskKind::Task, "pump"), "task `pump`");
    assert_eq!(of(TaskKind::Interval, "tick"), "interval `tick`");
    assert_eq!(of(TaskKind::Initialize, "initialize"), "initialize");
    assert_eq!(of(TaskKind::Cleanup, "subscriptions and intervals"), "subscriptions and intervals");
    assert_eq!(of(TaskKind::Destructor, "store"), "destructor", "the daemon is named beside it");
    assert_eq!(of(TaskKind::Load, "destructor of the configuration"), "destructor of the configuration");
}

#[test]
fn event_handlers_are_called_by_those_at_work_on_that_task() {
    let busy = [
        handler("one", None, false),
        handler("other", Some("users"), false),
        handler("alone", None, true),
        handler("created", Some("apart"), true),
        handler("deleted", Some("apart"), true),
    ];
    let of = |name: &str, busy: &[SubscriptionStatus]| work(&task(TaskKind::Handlers, name), busy);
    assert_eq!(of("event handlers", &busy), "event handler `one`, `other`");
    assert_eq!(of("event handlers", &busy[2..]), "event handlers", "none of them is");
    assert_eq!(of("alone", &busy), "event handler `alone`");
    assert_eq!(of("apart", &busy), "event handler `created`, `deleted`");
    let one_name = [handler("apart", None, true), handler("created", Some("apart"), true)];
    assert_eq!(of("apart", &one_name), "event handler `apart`, `created`", "a handler and a queue");
    assert_eq!(of("users", &busy), "event handler `users`", "its handlers are on the common task");
}

#[test]
fn work_that_is_gone_blocks_nothing_and_what_has_begun_waits_behind_nobody() {
    let cut = |gone, polling| Cut::new(&TaskStatus { polling, ..task(TaskKind::Task, "pump") }, gone, &[]).blocking;
    assert_eq!((cut(false, true), cut(false, false), cut(true, true)), (true, false, false));
    let value = |polls| TaskStatus { polls, ..task(TaskKind::Destructor, "store") };
    let before = ["web".to_owned()];
    assert_eq!(Cut::behind(&value(0), &before).behind, before);
    assert!(Cut::behind(&value(1), &before).behind.is_empty());
}

#[test]
fn of_work_of_one_name_that_is_still_there_one_line_is_told_and_of_what_is_gone_each() {
    let cut = |name: &str, gone| Cut::new(&task(TaskKind::Task, name), gone, &[]);
    let mut known = vec![cut("gone", true), cut("there", false)];
    let more = [
        ("gone", false),
        ("there", false),
        ("there", true),
        ("new", false),
        ("new", false),
        ("again", true),
        ("again", true),
    ];
    Cut::add(&mut known, more.into_iter().map(|(name, gone)| cut(name, gone)));
    let told: Vec<_> = known.iter().map(|cut| (&*cut.work, cut.gone)).collect();
    let new = [("task `gone`", false), ("task `new`", false), ("task `again`", true), ("task `again`", true)];
    assert_eq!(told, [&[("task `gone`", true), ("task `there`", false)][..], &new].concat());
}

struct Said;

impl Event for Said {
    const TOPIC: &'static str = "view:said";
}

/// Hears one event.
struct Hears;

impl Declared for Hears {
    const DECLARATION: Declaration = Declaration::new("hears");
}

impl Wired for Hears {
    fn wire(definition: &mut Definition<Self>) {
        definition.on_event(EventHandler::<Self>::typed::<Said>("said", |_, _| {
            place(|event: Arc<Said>| ready((event, Ok(()))))
        }));
    }
}

impl DaemonBase for Hears {}

#[tokio::test]
async fn a_report_tells_of_what_there_is_in_each_state() {
    let host = Host::new("t").daemon(Hears).on_shutdown(pending::<()>);
    let board = host.assemble(Clock::new()).unwrap().board;
    let slot = board.slot(0);
    slot.inner().reason = Some("no luck".to_owned());
    for (state, open, reason) in [
        (State::Starting, 1, Some("no luck")),
        (State::Running, 1, None),
        (State::Stopping, 1, Some("no luck")),
        (State::Backoff, 1, None),
        (State::Failed, 0, Some("no luck")),
        (State::Stopped, 0, None),
    ] {
        slot.enter(state);
        let report = board.shutdown_report(1);
        assert_eq!((report.left.subscriptions, report.daemons[0].reason.as_deref()), (open, reason), "{state}");
    }
    slot.enter(State::Stopping);
    slot.inner().started = Some(Duration::ZERO);
    assert_eq!(board.shutdown_report(1).daemons[0].reason, None, "it has run, and may have failed before that");
    slot.inner().started = None;
    slot.enter(State::Stopped);
    assert!(!board.shutdown_report(1).journal.is_empty() && board.shutdown_report(0).journal.is_empty());
    let status = daemon_status(&slot);
    assert_eq!((status.start_took, status.stop_took), (None, None), "it has not run");

    assert_eq!(board.shutdown_report(0).left.tasks, 0);
    let farewell = board.farewell.clone();
    let says = tokio::spawn(async move {
        let by = tokio::time::Instant::now() + Duration::from_secs(60);
        farewell.say(&tokio::runtime::Handle::current(), by).await;
    });
    while board.still_up().is_empty() {
        tokio::task::yield_now().await;
    }
    assert_eq!(board.shutdown_report(0).left.tasks, 1, "the shutdown handler under way");
    says.abort();
}

/// A protocol that nobody speaks.
struct Mute;

impl Upgrade for Mute {
    fn recognises(&self, _first: &[u8]) -> Recognition {
        Recognition::No
    }
    fn serve(&self, _connection: Upgraded) -> BoxFuture<'_, ()> {
        Box::pin(ready(()))
    }
}

#[tokio::test]
async fn that_nobody_listens_to_a_protocol_is_noted_of_a_host_that_started_alone() {
    let board = Host::new("t").assemble(Clock::new()).unwrap().board;
    assert!(board.start_report(true).notes.is_empty());
    let _entry = board.upgrades.add(Mute);
    assert_eq!((board.start_report(true).notes.len(), board.start_report(false).notes.len()), (1, 0));
    let _served = board.upgrades.served();
    assert!(board.start_report(true).notes.is_empty());
}
