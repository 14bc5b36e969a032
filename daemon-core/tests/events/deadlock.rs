use super::{Nth, Probe, Rig, Row, gated, idle, plain, zero};
use daemon_core::{Attach, Bus, Envelope, Event, EventRow, place};
use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

/// For event 0: waits at the gate of its topic, publishes event 2 on another topic and notes how that went.
fn ring<const FROM: usize, const TO: usize>() -> Row
where
    Nth<FROM>: Event,
    Nth<TO>: Event,
{
    let attach: Attach<Probe, (), Nth<FROM>> = |probe, ()| {
        place(move |event: Arc<Nth<FROM>>| async move {
            if event.0 == 0 {
                probe.pass(FROM).await;
                note(probe, FROM, probe.publisher.publish(Nth::<TO>(2)).await);
            }
            probe.saw(["zero", "one", "two"][FROM], event.0);
            (event, Ok(()))
        })
    };
    EventRow::typed::<Nth<FROM>>(["zero", "one", "two"][FROM], attach).capacity(1)
}

fn note(probe: &Probe, who: usize, outcome: Result<(), daemon_core::PublishError>) {
    let outcome = match outcome {
        Ok(()) => "ok".to_owned(),
        Err(error) => {
            assert!(error.is_would_deadlock() && error.is_full(), "{error}");
            error.to_string()
        }
    };
    probe.published.lock().unwrap().push(format!("{who}: {outcome}"));
}

async fn fill<const TOPIC: usize>(rig: &Rig) {
    for number in 0..2 {
        rig.publisher.publish(Nth::<TOPIC>(number)).await.unwrap();
        idle().await;
    }
}

fn refused(who: usize, subscription: &str) -> String {
    format!(
        "{who}: `probe` would wait for ever for room in `{subscription}`; raise its capacity, let it drop, or publish \
         from a task"
    )
}

#[tokio::test]
async fn ones_own_queue() {
    let (rig, running) = Rig::new([ring::<0, 0>()]).started().await;
    fill::<0>(&rig).await;
    rig.probe.gates[0].add_permits(1);
    idle().await;
    assert_eq!(*rig.probe.published.lock().unwrap(), [refused(0, "rig.zero")]);
    assert_eq!(rig.counts("zero"), [3, 2, 0, 1, 0, 0, 0]);
    rig.drained(running).await;
}

/// Calls that end at once cost less after some of them, and what they may wait for is known all the same.
#[tokio::test]
async fn ones_own_queue_after_many_events_that_were_quick() {
    let (rig, running) = Rig::new([ring::<0, 0>()]).started().await;
    for _ in 0..200 {
        rig.publisher.publish(zero(5)).await.unwrap();
        idle().await;
    }
    fill::<0>(&rig).await;
    rig.probe.gates[0].add_permits(1);
    idle().await;
    assert_eq!(*rig.probe.published.lock().unwrap(), [refused(0, "rig.zero")]);
    rig.drained(running).await;
}

/// For event 0: publishes to its own queue until that is full, and once more.
fn overfills() -> Row {
    let attach: Attach<Probe, (), Nth<0>> = |probe, ()| {
        place(move |event: Arc<Nth<0>>| async move {
            if event.0 == 0 {
                for _ in 0..2 {
                    note(probe, 0, probe.publisher.publish(zero(2)).await);
                }
            }
            (event, Ok(()))
        })
    };
    EventRow::typed::<Nth<0>>("overfills", attach).capacity(1)
}

/// Those calls are looked at most seldom that have never had to wait.
#[tokio::test]
async fn ones_own_queue_in_a_call_that_had_not_to_wait_before() {
    for quick in 0..16 {
        let (rig, running) = Rig::new([overfills()]).started().await;
        for _ in 0..quick {
            rig.publisher.publish(zero(5)).await.unwrap();
            idle().await;
        }
        rig.publisher.publish(zero(0)).await.unwrap();
        idle().await;
        let published = rig.probe.published.lock().unwrap().clone();
        assert_eq!(published, ["0: ok".to_owned(), refused(0, "rig.overfills")], "after {quick}");
        rig.drained(running).await;
    }
}

#[tokio::test]
async fn who_publishes_on_the_thread_of_a_handler_is_not_that_handler() {
    let (rig, running) = Rig::new([plain::<0>(), gated::<0>().capacity(1)]).started().await;
    rig.publisher.publish(zero(1)).await.unwrap();
    idle().await;
    assert_eq!(rig.counts("gated"), [1, 0, 0, 0, 0, 0, 1], "it was the last that was called here");
    rig.publisher.publish(zero(2)).await.unwrap();
    let mut waits = pin!(rig.publisher.publish(zero(3)));
    assert!(poll_fn(|cx| Poll::Ready(waits.as_mut().poll(cx).is_pending())).await, "for room");
    rig.probe.gates[0].add_permits(3);
    waits.await.unwrap();
    rig.drained(running).await;
}

struct Kept;

impl Event for Kept {
    const TOPIC: &'static str = "test:kept";
    const RETAIN: bool = true;
}

#[tokio::test]
async fn ones_own_queue_of_retained_events() {
    let attach: Attach<Probe, (), Kept> = |probe, ()| {
        place(move |event: Arc<Kept>| async move {
            probe.pass(0).await;
            note(probe, 0, probe.publisher.publish(Kept).await);
            (event, Ok(()))
        })
    };
    let (rig, running) = Rig::new([EventRow::typed::<Kept>("kept", attach).capacity(1)]).started().await;
    for _ in 0..2 {
        rig.publisher.publish(Kept).await.unwrap();
        idle().await;
    }
    rig.probe.gates[0].add_permits(1);
    idle().await;
    assert_eq!(*rig.probe.published.lock().unwrap(), [refused(0, "rig.kept")]);
    assert_eq!(rig.counts("kept"), [3, 1, 0, 1, 0, 0, 1]);
    running.abort();
}

/// The last handler of a ring of `rows` is refused, and then the others get on.
async fn ring_of(rigs: Vec<Rig>, size: usize) {
    let mut running = Vec::new();
    for rig in &rigs {
        running.push(rig.start());
    }
    idle().await;
    fill::<0>(&rigs[0]).await;
    fill::<1>(&rigs[0]).await;
    if size == 3 {
        fill::<2>(&rigs[0]).await;
    }
    let probe = |of: usize| &rigs[of % rigs.len()].probe;
    for gate in 0..size {
        assert_eq!(probe(gate).published.lock().unwrap().len(), 0);
        probe(gate).gates[gate].add_permits(1);
        idle().await;
    }
    let mut published: Vec<String> = Vec::new();
    for rig in &rigs {
        published.extend(rig.probe.published.lock().unwrap().iter().cloned());
    }
    published.sort();
    let label = if rigs.len() == 1 { "rig.zero" } else { "zero.zero" };
    let mut expected: Vec<String> = (0..size - 1).map(|who| format!("{who}: ok")).collect();
    expected.push(refused(size - 1, label));
    assert_eq!(published, expected);
    for (rig, running) in rigs.iter().zip(running) {
        rig.drained(running).await;
        assert!(rig.wiring.status().iter().all(|status| status.offered == 3 && status.queued == 0));
    }
}

#[tokio::test]
async fn a_cycle_of_two_daemons() {
    let bus = Bus::new();
    ring_of(vec![Rig::on(&bus, "zero", [ring::<0, 1>()]), Rig::on(&bus, "one", [ring::<1, 0>()])], 2).await;
}

#[tokio::test]
async fn a_cycle_of_two_handlers_of_one_daemon() {
    ring_of(vec![Rig::new([ring::<0, 1>(), ring::<1, 0>()])], 2).await;
}

#[tokio::test]
async fn a_cycle_of_three_daemons() {
    let bus = Bus::new();
    let rigs = vec![
        Rig::on(&bus, "zero", [ring::<0, 1>()]),
        Rig::on(&bus, "one", [ring::<1, 2>()]),
        Rig::on(&bus, "two", [ring::<2, 0>()]),
    ];
    ring_of(rigs, 3).await;
}

#[tokio::test]
async fn a_handler_may_wait_for_one_that_gets_on() {
    let bus = Bus::new();
    let (rig, running) = Rig::on(&bus, "zero", [ring::<0, 1>()]).started().await;
    let (slow, slow_running) = Rig::on(&bus, "one", [gated::<1>().capacity(1)]).started().await;
    fill::<0>(&rig).await;
    fill::<1>(&rig).await;
    rig.probe.gates[0].add_permits(1);
    idle().await;
    assert_eq!(rig.probe.published.lock().unwrap().len(), 0, "it waits");
    slow.probe.gates[0].add_permits(3);
    idle().await;
    assert_eq!(*rig.probe.published.lock().unwrap(), ["0: ok"]);
    rig.drained(running).await;
    slow.drained(slow_running).await;
    assert_eq!(slow.probe.seen_by("gated"), [0, 1, 2]);
}

#[tokio::test]
async fn a_task_may_wait_for_a_handler_that_waits_for_another() {
    let bus = Bus::new();
    let (rig, running) = Rig::on(&bus, "zero", [ring::<0, 1>()]).started().await;
    let (slow, slow_running) = Rig::on(&bus, "one", [gated::<1>().capacity(1)]).started().await;
    fill::<0>(&rig).await;
    fill::<1>(&rig).await;
    rig.probe.gates[0].add_permits(1);
    idle().await;
    let publisher = rig.publisher.clone();
    let task = tokio::spawn(async move { publisher.publish(zero(9)).await });
    idle().await;
    assert!(!task.is_finished());
    slow.probe.gates[0].add_permits(3);
    task.await.unwrap().unwrap();
    rig.drained(running).await;
    slow.drained(slow_running).await;
}

/// Handler one takes its queued event, which makes room for the waiting handler zero, and in the same breath waits for
/// handler zero: no cycle, for zero's wait is over.
#[tokio::test]
async fn a_wait_that_is_over_makes_no_cycle() {
    let attach: Attach<Probe, (), Nth<1>> = |probe, ()| {
        place(move |event: Arc<Nth<1>>| async move {
            match event.0 {
                0 => probe.pass(1).await,
                1 => note(probe, 1, probe.publisher.publish(zero(2)).await),
                _ => {}
            }
            (event, Ok(()))
        })
    };
    let one = EventRow::typed::<Nth<1>>("one", attach).capacity(1);
    let (rig, running) = Rig::new([ring::<0, 1>(), one]).started().await;
    fill::<0>(&rig).await;
    fill::<1>(&rig).await;
    rig.probe.gates[0].add_permits(1);
    idle().await;
    assert_eq!(rig.status("one").queued, 2, "zero waits in line");
    rig.probe.gates[1].add_permits(1);
    idle().await;
    let mut published = rig.probe.published.lock().unwrap().clone();
    published.sort();
    assert_eq!(published, ["0: ok", "1: ok"]);
    rig.drained(running).await;
    assert_eq!(rig.counts("zero"), [3, 3, 0, 0, 0, 0, 0]);
    assert_eq!(rig.counts("one"), [3, 3, 0, 0, 0, 0, 0]);
}

/// Handler zero gives up its wait for handler one, and waits for something else: handler one may wait for it.
#[tokio::test]
async fn a_wait_that_was_given_up_makes_no_cycle() {
    let zero_row: Attach<Probe, (), Nth<0>> = |probe, ()| {
        place(move |event: Arc<Nth<0>>| async move {
            if event.0 == 0 {
                probe.pass(0).await;
                tokio::select! {
                    biased;
                    () = probe.pass(2) => {}
                    outcome = probe.publisher.publish(Nth::<1>(2)) => panic!("it found room: {outcome:?}"),
                }
                probe.pass(2).await;
            }
            (event, Ok(()))
        })
    };
    let one_row: Attach<Probe, (), Nth<1>> = |probe, ()| {
        place(move |event: Arc<Nth<1>>| async move {
            if event.0 == 0 {
                probe.pass(1).await;
                note(probe, 1, probe.publisher.publish(zero(2)).await);
            }
            (event, Ok(()))
        })
    };
    let zero_row = EventRow::typed::<Nth<0>>("zero", zero_row).capacity(1);
    let one_row = EventRow::typed::<Nth<1>>("one", one_row).capacity(1);
    let (rig, running) = Rig::new([zero_row, one_row]).started().await;
    fill::<0>(&rig).await;
    fill::<1>(&rig).await;
    rig.probe.gates[0].add_permits(1);
    idle().await;
    assert_eq!(rig.status("one").queued, 2, "zero waits in line");
    rig.probe.gates[2].add_permits(1);
    idle().await;
    assert_eq!(rig.status("one").queued, 1, "zero has given up");
    rig.probe.gates[1].add_permits(1);
    idle().await;
    assert_eq!(rig.status("zero").queued, 2, "one waits in line");
    rig.probe.gates[2].add_permits(1);
    idle().await;
    assert_eq!(*rig.probe.published.lock().unwrap(), ["1: ok"]);
    rig.drained(running).await;
    assert_eq!(rig.counts("zero"), [3, 3, 0, 0, 0, 0, 0]);
    assert_eq!(rig.counts("one"), [3, 2, 0, 1, 0, 0, 0]);
}

/// A hop on a ring of topics made up at run time.
struct Hop(u64);

impl Event for Hop {
    const TOPIC: &'static str = "ring:*:*";
}

/// For hop 0, by whichever topic its pattern selects it: waits at its gate, hops on and notes how that went.
async fn hop_on(probe: &Probe, gate: usize, hop: &Hop, to: &str) {
    if hop.0 == 0 {
        probe.pass(gate).await;
        note(probe, gate, probe.publisher.publish_to(to, Hop(2)).await);
    }
}

fn hops<const GATE: usize>(name: &'static str, pattern: &'static str) -> Row {
    let attach: Attach<Probe, (), Envelope> = |probe, ()| {
        place(move |event: Arc<Envelope>| async move {
            let to = ["ring:b:x", "ring:a:x"][GATE];
            hop_on(probe, GATE, event.downcast().unwrap(), to).await;
            (event, Ok(()))
        })
    };
    EventRow::envelope(name, pattern, attach).capacity(1)
}

#[tokio::test]
async fn a_cycle_through_patterns() {
    let bus = Bus::new();
    let (a, a_running) = Rig::on(&bus, "a", [hops::<0>("any", "ring:a:**")]).started().await;
    let (b, b_running) = Rig::on(&bus, "b", [hops::<1>("any", "ring:b:*")]).started().await;
    for number in 0..2 {
        for topic in ["ring:a:y", "ring:b:z"] {
            a.publisher.publish_to(topic, Hop(number)).await.unwrap();
            idle().await;
        }
    }
    for (rig, gate) in [(&a, 0), (&b, 1)] {
        rig.probe.gates[gate].add_permits(1);
        idle().await;
    }
    assert_eq!(*b.probe.published.lock().unwrap(), [refused(1, "a.any")]);
    assert_eq!(*a.probe.published.lock().unwrap(), ["0: ok"]);
    a.drained(a_running).await;
    b.drained(b_running).await;
    assert_eq!((a.counts("any"), b.counts("any")), ([3, 2, 0, 1, 0, 0, 0], [3, 3, 0, 0, 0, 0, 0]));
}

/// A handler of a type on a pattern that selects what it publishes itself, beside another of the same type.
#[tokio::test]
async fn ones_own_pattern_of_a_type_that_others_take_too() {
    let attach: Attach<Probe, (), Hop> = |probe, ()| {
        place(move |event: Arc<Hop>| async move {
            hop_on(probe, 0, &event, "ring:made:up").await;
            probe.saw("hop", event.0);
            (event, Ok(()))
        })
    };
    let other: Attach<Probe, (), Hop> = |probe, ()| {
        place(move |event: Arc<Hop>| async move {
            probe.saw("other", event.0);
            (event, Ok(()))
        })
    };
    let rows = [EventRow::typed::<Hop>("hop", attach).capacity(1), EventRow::typed::<Hop>("other", other)];
    let (rig, running) = Rig::new(rows).started().await;
    for number in 0..2 {
        rig.publisher.publish_to(&format!("ring:x:{number}"), Hop(number)).await.unwrap();
        idle().await;
    }
    rig.probe.gates[0].add_permits(1);
    idle().await;
    assert_eq!(*rig.probe.published.lock().unwrap(), [refused(0, "rig.hop")]);
    rig.drained(running).await;
    assert_eq!((rig.probe.seen_by("hop"), rig.probe.seen_by("other")), (vec![0, 1], vec![0, 1, 2]));
    assert_eq!(rig.counts("hop"), [3, 2, 0, 1, 0, 0, 0]);
}

#[tokio::test]
async fn a_wait_that_a_stop_has_ended_is_none_any_more() {
    let bus = Bus::new();
    let (one, running) = Rig::on(&bus, "one", [ring::<0, 1>()]).started().await;
    let (other, stopping) = Rig::on(&bus, "other", [ring::<1, 0>()]).started().await;
    fill::<0>(&one).await;
    fill::<1>(&other).await;
    one.probe.gates[0].add_permits(1);
    idle().await;
    assert!(one.probe.published.lock().unwrap().is_empty(), "it waits for room at the other");
    other.wiring.drain();
    idle().await;
    assert_eq!(*one.probe.published.lock().unwrap(), ["0: ok"]);
    // It is busy and full once more, and waits for nobody: the other one may wait for it.
    fill::<0>(&one).await;
    other.probe.gates[1].add_permits(1);
    idle().await;
    assert!(other.probe.published.lock().unwrap().is_empty());
    one.probe.gates[0].add_permits(1);
    idle().await;
    assert_eq!(*other.probe.published.lock().unwrap(), ["1: ok"]);
    stopping.await.unwrap().unwrap();
    one.drained(running).await;
}

#[tokio::test]
async fn a_life_that_ends_lets_go_who_waits_for_it() {
    let (rig, running) = Rig::new([gated::<0>().capacity(1)]).started().await;
    fill::<0>(&rig).await;
    let publisher = rig.publisher.clone();
    let waits = tokio::spawn(async move { publisher.publish(zero(2)).await });
    idle().await;
    assert!(!waits.is_finished());
    running.abort();
    idle().await;
    assert!(waits.is_finished());
    waits.await.unwrap().unwrap();
    assert_eq!(rig.counts("gated"), [3, 0, 0, 0, 1, 2, 0], "what waits is for the next life");
}
