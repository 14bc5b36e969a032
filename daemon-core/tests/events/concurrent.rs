use super::{Nth, Probe, Rig, Row, Zero, cut, fault, idle, plain, zero};
use daemon_core::{Attach, Event, EventRow, Overflow, place};
use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};

/// Says that it begins, waits at gate 0, and says that it ends; for odd numbers it waits at gate 1.
fn worker() -> Row {
    let attach: Attach<Probe, (), Zero> = |probe, ()| {
        place(move |event: Arc<Zero>| async move {
            probe.saw("begun", event.0);
            probe.pass((event.0 % 2) as usize).await;
            probe.saw("ended", event.0);
            match event.0 {
                70 => panic!("seventy"),
                60 => (event, Err(fault("sixty"))),
                _ => (event, Ok(())),
            }
        })
    };
    EventRow::typed::<Zero>("worker", attach)
}

async fn publish(rig: &Rig, numbers: impl IntoIterator<Item = u64>) {
    for number in numbers {
        rig.publisher.publish(zero(number)).await.unwrap();
    }
    idle().await;
}

#[tokio::test]
async fn as_many_calls_as_it_says_begin_in_order() {
    let (rig, running) = Rig::new([worker().concurrency(3), plain::<0>()]).started().await;
    publish(&rig, 0..10).await;
    assert_eq!(rig.probe.seen_by("begun"), [0, 1, 2]);
    assert_eq!(rig.counts("worker"), [10, 0, 0, 0, 0, 7, 3]);
    assert_eq!(rig.status("worker").concurrency, 3);
    rig.probe.gates[0].add_permits(2);
    idle().await;
    assert_eq!(rig.probe.seen_by("begun"), [0, 1, 2, 3, 4], "0 and 2 made room");
    assert_eq!(rig.probe.seen_by("ended"), [0, 2]);
    rig.probe.gates[1].add_permits(5);
    rig.probe.gates[0].add_permits(3);
    rig.drained(running).await;
    assert_eq!(rig.probe.seen_by("begun"), (0..10).collect::<Vec<_>>());
    assert_eq!(rig.counts("worker"), [10, 10, 0, 0, 0, 0, 0]);
    assert_eq!(rig.probe.seen_by("plain"), (0..10).collect::<Vec<_>>());
}

#[tokio::test]
async fn those_that_are_done_at_once_never_pile_up() {
    let (rig, running) = Rig::new([plain::<0>().concurrency(4)]).started().await;
    publish(&rig, 0..500).await;
    rig.drained(running).await;
    assert_eq!(rig.probe.seen_by("plain"), (0..500).collect::<Vec<_>>());
}

/// Which calls were woken is told by words of 64 bits.
#[tokio::test]
async fn of_hundreds_of_calls_those_go_on_that_are_woken() {
    let (rig, running) = Rig::new([worker().concurrency(300), plain::<0>()]).started().await;
    let of = |name| {
        let mut seen = rig.probe.seen_by(name);
        seen.sort_unstable();
        seen
    };
    publish(&rig, 100..400).await;
    assert_eq!(of("begun"), (100..400).collect::<Vec<_>>());
    rig.probe.gates[1].add_permits(150);
    idle().await;
    assert_eq!(of("ended"), (100..400).filter(|number| number % 2 == 1).collect::<Vec<_>>());
    assert_eq!(rig.counts("worker"), [300, 150, 0, 0, 0, 0, 150]);
    rig.probe.gates[0].add_permits(150);
    rig.drained(running).await;
    assert_eq!(of("ended"), (100..400).collect::<Vec<_>>());
    assert_eq!(rig.counts("worker"), [300, 300, 0, 0, 0, 0, 0]);
}

#[tokio::test]
async fn the_end_of_a_life_cuts_every_call_and_loses_no_count() {
    let (rig, running) = Rig::new([worker().concurrency(3)]).started().await;
    publish(&rig, 0..6).await;
    rig.probe.gates[0].add_permits(1);
    idle().await;
    cut(running).await;
    assert_eq!(rig.counts("worker"), [6, 1, 0, 0, 3, 2, 0]);
    let running = rig.start();
    rig.probe.gates[0].add_permits(1);
    rig.probe.gates[1].add_permits(1);
    idle().await;
    rig.drained(running).await;
    assert_eq!(rig.probe.seen_by("begun"), [0, 1, 2, 3, 4, 5]);
    assert_eq!(rig.counts("worker"), [6, 3, 0, 0, 3, 0, 0]);
}

#[tokio::test]
async fn a_stop_waits_for_every_call() {
    let (rig, running) = Rig::new([worker().concurrency(2)]).started().await;
    publish(&rig, 0..2).await;
    rig.wiring.drain();
    rig.probe.gates[0].add_permits(1);
    idle().await;
    assert!(!running.is_finished());
    rig.probe.gates[1].add_permits(1);
    running.await.unwrap().unwrap();
    assert_eq!(rig.counts("worker"), [2, 2, 0, 0, 0, 0, 0]);
}

#[tokio::test]
async fn closing_drops_every_call() {
    let (rig, running) = Rig::new([worker().concurrency(2)]).started().await;
    publish(&rig, 0..5).await;
    rig.wiring.close();
    running.await.unwrap().unwrap();
    assert_eq!(rig.counts("worker"), [5, 0, 0, 0, 5, 0, 0]);
}

#[tokio::test]
async fn a_fault_in_one_call_leaves_the_others_alone() {
    let (rig, running) = Rig::new([worker().concurrency(3)]).started().await;
    publish(&rig, [1, 70, 60, 2, 3]).await;
    for permits in [2, 1] {
        rig.probe.gates[0].add_permits(permits);
        idle().await;
    }
    assert_eq!(rig.counts("worker"), [5, 1, 2, 0, 0, 0, 2]);
    assert_eq!(rig.probe.seen_by("ended"), [70, 60, 2]);
    let told = rig.probe.failures.lock().unwrap().clone();
    assert_eq!(told, ["worker panicked: seventy 1", "worker sixty 2", "worker recovered"]);
    rig.probe.gates[1].add_permits(2);
    rig.drained(running).await;
}

#[tokio::test]
async fn policies_that_keep_their_own_events_feed_every_place() {
    for overflow in [Overflow::DropOldest, Overflow::Latest] {
        let (rig, running) = Rig::new([worker().concurrency(2).capacity(1).overflow(overflow)]).started().await;
        publish(&rig, [0]).await;
        publish(&rig, [1]).await;
        assert_eq!(rig.probe.seen_by("begun"), [0, 1]);
        publish(&rig, 2..10).await;
        assert_eq!(rig.counts("worker"), [10, 0, 0, 7, 0, 1, 2], "{overflow}");
        rig.probe.gates[1].add_permits(1);
        idle().await;
        assert_eq!(rig.probe.seen_by("begun"), [0, 1, 9], "{overflow}");
        rig.probe.gates[0].add_permits(1);
        rig.probe.gates[1].add_permits(1);
        rig.drained(running).await;
        assert_eq!(rig.counts("worker"), [10, 3, 0, 7, 0, 0, 0], "{overflow}");
    }
}

/// Publishes its own event anew, with a number higher by 10, and says how that went.
fn multiplier() -> Row {
    let attach: Attach<Probe, (), Zero> = |probe, ()| {
        place(move |event: Arc<Zero>| async move {
            if event.0 < 10 {
                probe.pass(0).await;
                let refused = probe.publisher.publish(zero(event.0 + 10)).await.is_err_and(|e| e.is_would_deadlock());
                probe.saw(if refused { "refused" } else { "let in" }, event.0);
            }
            (event, Ok(()))
        })
    };
    EventRow::typed::<Zero>("multiplier", attach)
}

#[tokio::test]
async fn only_the_last_call_may_not_wait_for_its_own_queue() {
    let (rig, running) = Rig::new([multiplier().concurrency(3).capacity(1)]).started().await;
    for number in 0..4 {
        publish(&rig, [number]).await;
    }
    assert_eq!(rig.counts("multiplier"), [4, 0, 0, 0, 0, 1, 3]);
    for call in 0..3 {
        assert_eq!(rig.probe.seen_by("refused").len() + rig.probe.seen_by("let in").len(), 0, "{call} calls wait");
        rig.probe.gates[0].add_permits(1);
        idle().await;
    }
    rig.probe.gates[0].add_permits(1);
    idle().await;
    assert_eq!(rig.probe.seen_by("refused"), [2], "0 and 1 wait for it");
    rig.drained(running).await;
    let mut let_in = rig.probe.seen_by("let in");
    let_in.sort_unstable();
    assert_eq!(let_in, [0, 1, 3]);
    assert_eq!(rig.counts("multiplier"), [8, 7, 0, 1, 0, 0, 0]);
}

/// A call of a handler with room for one more waits for a handler that waits for it: the other call ends that.
#[tokio::test]
async fn a_cycle_with_a_free_place_is_none() {
    fn sends<const FROM: usize, const TO: usize>(name: &'static str, attach: Attach<Probe, (), Nth<FROM>>) -> Row
    where
        Nth<FROM>: daemon_core::Event,
    {
        EventRow::typed::<Nth<FROM>>(name, attach).capacity(1)
    }
    let wide = sends::<0, 1>("wide", |probe, ()| {
        place(move |event: Arc<Nth<0>>| async move {
            if event.0 == 0 {
                probe.pass(0).await;
                probe.publisher.publish(Nth::<1>(9)).await.unwrap();
            } else {
                probe.pass(2).await;
            }
            (event, Ok(()))
        })
    });
    let narrow = sends::<1, 0>("narrow", |probe, ()| {
        place(move |event: Arc<Nth<1>>| async move {
            if event.0 == 0 {
                probe.pass(1).await;
                probe.publisher.publish(Nth::<0>(9)).await.unwrap();
            }
            (event, Ok(()))
        })
    });
    let (rig, running) = Rig::new([wide.concurrency(2), narrow]).started().await;
    publish(&rig, [0, 1, 2]).await;
    for number in 0..2 {
        rig.publisher.publish(super::one(number)).await.unwrap();
        idle().await;
    }
    rig.probe.gates[0].add_permits(1);
    idle().await;
    rig.probe.gates[1].add_permits(1);
    idle().await;
    assert_eq!((rig.status("wide").queued, rig.status("narrow").queued), (2, 2), "both wait for each other");
    rig.probe.gates[2].add_permits(3);
    idle().await;
    rig.drained(running).await;
    assert_eq!(rig.counts("wide"), [4, 4, 0, 0, 0, 0, 0]);
    assert_eq!(rig.counts("narrow"), [3, 3, 0, 0, 0, 0, 0]);
}

/// What the calls of one event wait for.
#[derive(Default)]
struct Door {
    open: AtomicBool,
    wakers: Mutex<Vec<Waker>>,
}

impl Door {
    async fn pass(&self) {
        poll_fn(|cx| {
            let mut wakers = self.wakers.lock().unwrap();
            if !wakers.iter().any(|waker| waker.will_wake(cx.waker())) {
                wakers.push(cx.waker().clone());
            }
            drop(wakers);
            if self.open.load(Ordering::SeqCst) { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    fn wakers(&self) -> Vec<Waker> {
        self.wakers.lock().unwrap().clone()
    }

    /// Opens it if somebody waits, who is woken for nothing first; returns the wakers.
    fn open(&self) -> Vec<Waker> {
        let kept = self.wakers();
        if !kept.is_empty() {
            kept.iter().for_each(Waker::wake_by_ref);
            self.open.store(true, Ordering::SeqCst);
            self.wakers().into_iter().for_each(Waker::wake);
        }
        kept
    }
}

/// How many of these there are.
static VISITORS: AtomicU64 = AtomicU64::new(0);

struct Visitor(Arc<Door>);

impl Event for Visitor {
    const TOPIC: &'static str = "test:visitor";
}

impl Drop for Visitor {
    fn drop(&mut self) {
        VISITORS.fetch_sub(1, Ordering::SeqCst);
    }
}

fn visited() -> Row {
    let attach: Attach<Probe, (), Visitor> = |_, ()| {
        place(move |event: Arc<Visitor>| async move {
            event.0.pass().await;
            (event, Ok(()))
        })
    };
    EventRow::typed::<Visitor>("visited", attach)
}

/// Threads wake calls for nothing, for good, twice and after their ends, in different orders: none is forgotten, and nothing stays.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn thousands_of_calls_are_woken_by_threads_in_any_order() {
    const EVENTS: usize = 12_000;
    for calls in [1, 2, 65, 5_000] {
        let events = if calls < 65 { EVENTS / 10 } else { EVENTS };
        let rig = Rig::new([visited().concurrency(calls).capacity(64), visited().concurrency(calls).isolated()]);
        let running = rig.start_all();
        let doors: Arc<[Arc<Door>]> = (0..events).map(|_| Arc::default()).collect();
        let threads: Vec<_> = (0..3_usize)
            .map(|thread| {
                let doors = doors.clone();
                std::thread::spawn(move || {
                    let mut kept = Vec::new();
                    let mut left: Vec<_> = (0..events).map(|step| step * [1, 7, 11][thread] % events).collect();
                    while !left.is_empty() {
                        left.retain(|door| {
                            let wakers = doors[*door].open();
                            let is_shut = wakers.is_empty();
                            kept.extend(wakers);
                            is_shut
                        });
                        if kept.len() > 512 {
                            kept.drain(256..).for_each(Waker::wake);
                        }
                        std::thread::yield_now();
                    }
                    kept
                })
            })
            .collect();
        for door in doors.iter() {
            VISITORS.fetch_add(1, Ordering::SeqCst);
            rig.publisher.publish(Visitor(door.clone())).await.unwrap();
        }
        rig.wiring.drain();
        for running in running {
            running.await.unwrap().unwrap();
        }
        for status in rig.wiring.status() {
            assert_eq!((status.handled, status.queued, status.in_flight), (events as u64, 0, 0), "{status:?}");
        }
        assert_eq!(VISITORS.load(Ordering::SeqCst), 0, "{calls} calls");
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).for_each(Waker::wake);
    }
}
