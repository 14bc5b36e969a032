//! Publishing and waiting until the event is handled.

use super::{Nth, Probe, Rig, Row, Zero, assert_adds_up, cut, fault, gated, idle, log, one, plain, zero};
use daemon_core::{Attach, Bus, EventRow, Fate, Filter, Overflow, PublishError, QueueOptions, place};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;

type Answer = Result<usize, PublishError>;

fn publish<const TOPIC: usize>(rig: &Rig, number: u64) -> JoinHandle<Answer> {
    let publisher = rig.publisher.clone();
    tokio::spawn(async move { publisher.publish_and_wait(Nth::<TOPIC>(number), &[]).await })
}

/// The subscriptions that did not handle it, sorted, and how many did.
fn unhandled(answer: Answer) -> (Vec<(String, Fate)>, usize) {
    let error = answer.unwrap_err();
    assert!(error.is_unhandled(), "{error}");
    let PublishError::Unhandled { handled, unhandled } = error else { panic!("{error}") };
    let mut told: Vec<_> = unhandled.into_iter().map(|by| (by.subscription, by.fate)).collect();
    told.sort_by(|a, b| a.0.cmp(&b.0));
    (told, handled)
}

fn only(subscription: &str, fate: Fate) -> Vec<(String, Fate)> {
    vec![(subscription.to_owned(), fate)]
}

#[tokio::test]
async fn it_ends_when_the_last_handler_has() {
    let (rig, running) = Rig::new([plain::<0>(), gated::<0>()]).started().await;
    let mut tap = rig.bus.tap("me", "**").unwrap();
    let waits = publish::<0>(&rig, 1);
    idle().await;
    assert_eq!((rig.probe.seen_by("plain"), waits.is_finished()), (vec![1], false));
    rig.probe.gates[0].add_permits(1);
    assert_eq!(waits.await.unwrap(), Ok(2));
    assert_eq!(rig.counts("gated"), [1, 1, 0, 0, 0, 0, 0], "counted before it is told");
    assert_eq!(rig.publisher.publish_and_wait(one(1), &[]).await, Ok(0), "nobody listens to that");
    assert!(rig.publisher.publish_to_and_wait("test:zero", one(1), &[]).await.unwrap_err().is_misuse());
    assert!(tap.try_recv().is_some() && tap.try_recv().is_some() && tap.try_recv().is_none());
    rig.drained(running).await;
}

/// Who cannot run before its publisher does may run all the same, or have stopped: only what it still keeps is not waited for.
#[tokio::test]
async fn one_that_is_held_up_but_runs_is_waited_for() {
    let held_up = ["rig".to_owned()];
    let (rig, running) = Rig::new([plain::<0>()]).started().await;
    assert_eq!(rig.publisher.publish_and_wait(zero(1), &held_up).await, Ok(1));
    rig.drained(running).await;
    let stopped = rig.publisher.publish_and_wait(zero(2), &held_up).await;
    assert_eq!(unhandled(stopped), (only("rig.plain", Fate::Abandoned), 0));
    rig.wiring.buffer();
    let starts = rig.publisher.publish_and_wait(zero(3), &held_up).await;
    assert_eq!(unhandled(starts), (only("rig.plain", Fate::WouldDeadlock), 0));
}

#[tokio::test]
async fn events_keep_their_order_whoever_waits_for_them() {
    let (rig, running) = Rig::new([gated::<0>()]).started().await;
    let mut waits = Vec::new();
    for number in 0..10 {
        if number % 3 == 0 {
            waits.push(publish::<0>(&rig, number));
            idle().await;
        } else {
            rig.publisher.publish(zero(number)).await.unwrap();
        }
    }
    rig.probe.gates[0].add_permits(10);
    for wait in waits {
        assert_eq!(wait.await.unwrap(), Ok(1));
    }
    rig.drained(running).await;
    assert_eq!(rig.probe.seen_by("gated"), (0..10).collect::<Vec<_>>());
    assert_eq!(rig.counts("gated"), [10, 10, 0, 0, 0, 0, 0]);
}

fn failing(name: &'static str) -> Row {
    let attach: Attach<Probe, (), Zero> = |_, ()| {
        place(move |event: Arc<Zero>| async move {
            tokio::task::yield_now().await;
            (event, Err(fault("no luck")))
        })
    };
    EventRow::typed::<Zero>(name, attach)
}

fn panicking(name: &'static str) -> Row {
    let attach: Attach<Probe, (), Zero> = |_, ()| {
        place(move |event: Arc<Zero>| async move {
            if event.0 == 1 {
                panic!("no way");
            }
            (event, Ok(()))
        })
    };
    EventRow::typed::<Zero>(name, attach)
}

#[tokio::test]
async fn each_subscription_that_did_not_handle_it_is_named_with_what_became_of_it() {
    let bus = Bus::new();
    let strict = Filter::of(|_: &Zero| -> bool { panic!("no idea") });
    let rows = [failing("fails"), panicking("panics"), plain::<0>(), failing("strict").when(strict)];
    let (rig, running) = Rig::on(&bus, "rig", rows).started().await;
    let stopped = Rig::on(&bus, "stopped", [plain::<0>()]);
    stopped.wiring.close();
    let (told, handled) = unhandled(rig.publisher.publish_and_wait(zero(1), &[]).await);
    let failed = |reason: &str| Fate::Failed(reason.to_owned());
    assert_eq!(
        told,
        [
            ("rig.fails".to_owned(), failed("no luck")),
            ("rig.panics".to_owned(), failed("panicked: no way")),
            ("rig.strict".to_owned(), failed("its filter or key panicked")),
            ("stopped.plain".to_owned(), Fate::Abandoned),
        ]
    );
    assert_eq!(handled, 1);
    let again = rig.publisher.publish_and_wait(zero(2), &[]).await.unwrap_err();
    let parts = ["not handled by ", "`rig.fails` (failed: no luck)", "`stopped.plain` (abandoned)"];
    assert!(parts.iter().all(|part| again.to_string().contains(part)), "{again}");
    rig.drained(running).await;
    rig.wiring.status().iter().for_each(assert_adds_up);
    assert_eq!(stopped.counts("plain"), [2, 0, 0, 0, 2, 0, 0]);
}

#[tokio::test]
async fn what_makes_room_for_another_is_told_as_dropped() {
    for (overflow, lost) in [(Overflow::DropOldest, 1), (Overflow::DropNewest, 2), (Overflow::Latest, 1)] {
        let (rig, running) = Rig::new([gated::<0>().capacity(1).overflow(overflow)]).started().await;
        let mut waits = vec![publish::<0>(&rig, 0)];
        idle().await;
        for number in 1..=2 {
            waits.push(publish::<0>(&rig, number));
            idle().await;
        }
        assert!(waits[lost].is_finished(), "{overflow}");
        let told = unhandled((&mut waits[lost]).await.unwrap());
        assert_eq!(told, (only("rig.gated", Fate::Dropped), 0), "{overflow}");
        rig.probe.gates[0].add_permits(2);
        waits.remove(lost);
        for wait in waits {
            assert_eq!(wait.await.unwrap(), Ok(1), "{overflow}");
        }
        rig.drained(running).await;
        assert_eq!(rig.counts("gated"), [3, 2, 0, 1, 0, 0, 0], "{overflow}");
    }
}

#[tokio::test]
async fn a_full_queue_is_waited_for_too() {
    let (rig, running) = Rig::new([gated::<0>().capacity(1)]).started().await;
    let waits: Vec<_> = (0..4).map(|number| publish::<0>(&rig, number)).collect();
    idle().await;
    assert!(waits.iter().all(|wait| !wait.is_finished()));
    rig.probe.gates[0].add_permits(4);
    for wait in waits {
        assert_eq!(wait.await.unwrap(), Ok(1));
    }
    rig.drained(running).await;
    assert_eq!(rig.counts("gated"), [4, 4, 0, 0, 0, 0, 0]);
}

#[tokio::test]
async fn what_is_pulled_is_handled_once_it_is_received() {
    let bus = Bus::new();
    let publisher = bus.publisher("tester");
    let mut zeros = bus.subscribe::<Zero>("me", "test:zero", QueueOptions::default()).unwrap();
    let mut all = bus.subscribe_all("me", "**", QueueOptions::default()).unwrap();
    let waits = tokio::spawn({
        let publisher = publisher.clone();
        async move { publisher.publish_and_wait(zero(1), &[]).await }
    });
    idle().await;
    assert_eq!(all.recv().await.unwrap().downcast::<Zero>(), Some(&zero(1)));
    idle().await;
    assert!(!waits.is_finished());
    assert_eq!(zeros.recv().await.unwrap().0, 1);
    assert_eq!(waits.await.unwrap(), Ok(2));

    let waits = tokio::spawn(async move { publisher.publish_and_wait(zero(2), &[]).await });
    idle().await;
    assert!(all.try_recv().is_some());
    drop(zeros);
    assert_eq!(unhandled(waits.await.unwrap()), (only("me.test:zero", Fate::Abandoned), 1));
}

#[tokio::test]
async fn what_is_kept_for_a_daemon_that_starts_is_waited_for() {
    let rig = Rig::new([plain::<0>().startup(2)]);
    let waits: Vec<_> = (0..3).map(|number| publish::<0>(&rig, number)).collect();
    idle().await;
    let done: Vec<_> = waits.iter().map(JoinHandle::is_finished).collect();
    assert_eq!(done, [true, false, false], "the first had to make room");
    let (rig, running) = rig.started().await;
    let mut answers = Vec::new();
    for wait in waits {
        answers.push(wait.await.unwrap());
    }
    assert_eq!(answers[1..], [Ok(1), Ok(1)]);
    assert_eq!(unhandled(answers.remove(0)), (only("rig.plain", Fate::Dropped), 0));
    rig.drained(running).await;
}

#[tokio::test]
async fn a_restart_takes_what_is_queued_along_and_gives_up_what_is_under_way() {
    for concurrency in [1, 2] {
        let (rig, running) = Rig::new([gated::<0>().concurrency(concurrency)]).started().await;
        let mut waits: Vec<_> = (0..4).map(|number| publish::<0>(&rig, number)).collect();
        idle().await;
        rig.wiring.buffer();
        cut(running).await;
        idle().await;
        for wait in waits.drain(..concurrency as usize) {
            assert_eq!(unhandled(wait.await.unwrap()), (only("rig.gated", Fate::Abandoned), 0));
        }
        assert!(waits.iter().all(|wait| !wait.is_finished()));
        let (rig, running) = rig.started().await;
        rig.probe.gates[0].add_permits(4);
        for wait in waits {
            assert_eq!(wait.await.unwrap(), Ok(1));
        }
        rig.drained(running).await;
        assert_eq!(rig.probe.seen_by("gated"), (u64::from(concurrency)..4).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn the_stop_of_a_daemon_abandons_what_is_queued() {
    let (rig, running) = Rig::new([gated::<0>()]).started().await;
    let waits: Vec<_> = (0..3).map(|number| publish::<0>(&rig, number)).collect();
    idle().await;
    rig.wiring.close();
    cut(running).await;
    for wait in waits {
        assert_eq!(unhandled(wait.await.unwrap()), (only("rig.gated", Fate::Abandoned), 0));
    }
    assert_eq!(rig.counts("gated"), [3, 0, 0, 0, 3, 0, 0]);
}

#[tokio::test]
async fn a_wait_that_is_given_up_costs_only_what_had_no_room_yet() {
    let (rig, running) = Rig::new([gated::<0>().capacity(1)]).started().await;
    let waits: Vec<_> = (0..3).map(|number| publish::<0>(&rig, number)).collect();
    idle().await;
    for wait in waits {
        wait.abort();
        assert!(wait.await.unwrap_err().is_cancelled());
    }
    rig.probe.gates[0].add_permits(3);
    rig.drained(running).await;
    assert_eq!(rig.probe.seen_by("gated"), [0, 1]);
    assert_eq!(rig.counts("gated"), [3, 2, 0, 1, 0, 0, 0]);
}

/// For event 0: waits until an event 1 on another topic is handled, and notes how that went.
fn asks<const FROM: usize, const TO: usize>(name: &'static str) -> Row
where
    Nth<FROM>: daemon_core::Event,
    Nth<TO>: daemon_core::Event,
{
    let attach: Attach<Probe, (), Nth<FROM>> = |probe, ()| {
        place(move |event: Arc<Nth<FROM>>| async move {
            if event.0 == 0 {
                probe.pass(FROM).await;
                let answer = probe.publisher.publish_and_wait(Nth::<TO>(1), &[]).await;
                let answer = answer.map_or_else(|error| error.to_string(), |handled| format!("handled by {handled}"));
                probe.published.lock().unwrap().push(format!("{FROM}: {answer}"));
            }
            probe.saw(["zero", "one", "two"][FROM], event.0);
            (event, Ok(()))
        })
    };
    EventRow::typed::<Nth<FROM>>(name, attach)
}

#[tokio::test]
async fn a_handler_does_not_wait_for_itself() {
    let (rig, running) = Rig::new([asks::<0, 0>("asks"), plain::<0>()]).started().await;
    rig.probe.gates[0].add_permits(1);
    rig.publisher.publish(zero(0)).await.unwrap();
    idle().await;
    assert_eq!(*rig.probe.published.lock().unwrap(), ["0: not handled by `rig.asks` (it would wait for this publish)"]);
    assert_eq!(rig.probe.seen_by("plain"), [0, 1], "the other one was waited for");
    rig.drained(running).await;
    assert_eq!(rig.probe.seen_by("zero"), [0, 1], "it was queued all the same");
}

#[tokio::test]
async fn a_handler_of_several_calls_may_wait_for_another_of_them() {
    let (rig, running) = Rig::new([asks::<0, 0>("asks").concurrency(2)]).started().await;
    rig.probe.gates[0].add_permits(1);
    rig.publisher.publish(zero(0)).await.unwrap();
    idle().await;
    assert_eq!(*rig.probe.published.lock().unwrap(), ["0: handled by 1"]);
    rig.drained(running).await;
    assert_eq!(rig.probe.seen_by("zero"), [1, 0]);
}

#[tokio::test]
async fn handlers_do_not_wait_for_each_other() {
    let bus = Bus::new();
    let (first, first_running) = Rig::on(&bus, "first", [asks::<0, 1>("asks")]).started().await;
    let (second, second_running) = Rig::on(&bus, "second", [asks::<1, 2>("asks")]).started().await;
    let (third, third_running) = Rig::on(&bus, "third", [asks::<2, 0>("asks")]).started().await;
    first.publisher.publish(zero(0)).await.unwrap();
    first.publisher.publish(one(0)).await.unwrap();
    first.publisher.publish(Nth::<2>(0)).await.unwrap();
    idle().await;
    for (rig, gate) in [(&first, 0), (&second, 1), (&third, 2)] {
        rig.probe.gates[gate].add_permits(1);
        idle().await;
    }
    let told: Vec<_> =
        [&third, &second, &first].iter().flat_map(|rig| rig.probe.published.lock().unwrap().clone()).collect();
    assert_eq!(
        told,
        ["2: not handled by `first.asks` (it would wait for this publish)", "1: handled by 1", "0: handled by 1"]
    );
    for (rig, running) in [(first, first_running), (second, second_running), (third, third_running)] {
        rig.drained(running).await;
        assert_eq!(rig.counts("asks"), [2, 2, 0, 0, 0, 0, 0]);
    }
}

/// A wait that was given up, or is over, makes no cycle.
#[tokio::test(start_paused = true)]
async fn a_wait_that_is_over_makes_no_cycle() {
    let attach: Attach<Probe, (), Zero> = |probe, ()| {
        place(move |event: Arc<Zero>| async move {
            if event.0 == 0 {
                let patient = probe.publisher.publish_and_wait(one(0), &[]);
                assert!(tokio::time::timeout(Duration::from_secs(1), patient).await.is_err());
                probe.pass(0).await;
            }
            probe.saw("zero", event.0);
            (event, Ok(()))
        })
    };
    let bus = Bus::new();
    let (first, first_running) = Rig::on(&bus, "first", [EventRow::typed::<Zero>("patient", attach)]).started().await;
    let (second, second_running) = Rig::on(&bus, "second", [asks::<1, 0>("asks")]).started().await;
    first.publisher.publish(zero(0)).await.unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    waits_and_goes_on((first, first_running), (second, second_running), "it waits, since nobody waits for it any more")
        .await;
}

type Running = (Rig, tokio::task::JoinHandle<Result<(), daemon_core::StillRunning>>);

/// Lets the second wait for the first, which does not wait for it.
async fn waits_and_goes_on((first, first_running): Running, (second, second_running): Running, why: &str) {
    second.probe.gates[1].add_permits(1);
    idle().await;
    assert!(second.probe.published.lock().unwrap().is_empty(), "{why}");
    first.probe.gates[0].add_permits(1);
    idle().await;
    assert_eq!(*second.probe.published.lock().unwrap(), ["1: handled by 1"]);
    first.drained(first_running).await;
    second.drained(second_running).await;
}

/// As [`a_wait_that_is_over_makes_no_cycle`], where what was waited for has come.
#[tokio::test]
async fn a_wait_that_has_ended_well_makes_no_cycle() {
    let attach: Attach<Probe, (), Zero> = |probe, ()| {
        place(move |event: Arc<Zero>| async move {
            if event.0 == 0 {
                assert_eq!(probe.publisher.publish_and_wait(one(1), &[]).await, Ok(1));
                probe.pass(0).await;
            }
            (event, Ok(()))
        })
    };
    let bus = Bus::new();
    let (first, first_running) = Rig::on(&bus, "first", [EventRow::typed::<Zero>("waited", attach)]).started().await;
    let (second, second_running) = Rig::on(&bus, "second", [asks::<1, 0>("asks")]).started().await;
    first.publisher.publish(zero(0)).await.unwrap();
    idle().await;
    first.publisher.publish(one(0)).await.unwrap();
    waits_and_goes_on((first, first_running), (second, second_running), "it waits for one that waits for nobody").await;
}

/// Looking at spans wraps each event once more.
#[tokio::test]
async fn who_waits_for_room_hears_that_its_event_was_abandoned_whoever_looks_at_spans() {
    let _looked_at = log::look_at_spans();
    abandoned_in_line().await;
}

#[tokio::test]
async fn who_waits_for_room_hears_that_its_event_was_abandoned() {
    abandoned_in_line().await;
}

async fn abandoned_in_line() {
    let (rig, running) = Rig::new([gated::<0>().capacity(1)]).started().await;
    for number in 0..2 {
        rig.publisher.publish(zero(number)).await.unwrap();
        idle().await;
    }
    let waits = publish::<0>(&rig, 2);
    idle().await;
    assert!(!waits.is_finished());
    rig.wiring.drain();
    assert_eq!(unhandled(waits.await.unwrap()), (only("rig.gated", Fate::Abandoned), 0));
    rig.probe.gates[0].add_permits(2);
    running.await.unwrap().unwrap();
    assert_eq!(rig.counts("gated"), [3, 2, 0, 0, 1, 0, 0]);
}

/// Of calls that always have to wait few are looked at, and those of events that are waited for must be.
#[tokio::test]
async fn each_who_waits_hears_of_its_own_event_from_a_handler_whose_calls_always_wait() {
    let (rig, running) = Rig::new([gated::<0>()]).started().await;
    let ends_one = async || {
        rig.probe.gates[0].add_permits(1);
        idle().await;
    };
    for number in 0..10 {
        rig.publisher.publish(zero(number)).await.unwrap();
        idle().await;
        if number < 9 {
            ends_one().await;
        }
    }
    let waits = [10, 11, 12].map(|number| publish::<0>(&rig, number));
    idle().await;
    for _ in 0..4 {
        ends_one().await;
    }
    for wait in waits {
        assert!(wait.is_finished());
        assert_eq!(wait.await.unwrap(), Ok(1));
    }
    rig.drained(running).await;
}
