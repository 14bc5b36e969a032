use super::{Probe, Rig, Row, Zero, exhaust, idle, plain, zero};
use daemon_core::{Attach, Bus, EventRow, QueueOptions, place};
use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};
use std::time::Duration;

/// Takes as many milliseconds as the event's number says.
fn slow() -> Row {
    let attach: Attach<Probe, (), Zero> = |_, ()| {
        place(move |event: Arc<Zero>| async move {
            if event.0 > 0 {
                tokio::time::sleep(Duration::from_millis(event.0)).await;
            }
            (event, Ok(()))
        })
    };
    EventRow::typed::<Zero>("slow", attach)
}

#[tokio::test]
async fn calls_that_do_not_wait_are_sampled_and_each_stands_for_those_before_it() {
    let (rig, running) = Rig::new([plain::<0>()]).started().await;
    let mut seen = Vec::new();
    for number in 1..=500 {
        rig.publisher.publish(zero(number)).await.unwrap();
        idle().await;
        let counted = rig.status("plain").times.count();
        if seen.last() != Some(&counted) {
            assert_eq!(counted, number, "a call that is timed stands for all since the one before");
            seen.push(counted);
        }
    }
    assert_eq!(seen, [1, 3, 7, 15, 31, 63, 127, 191, 255, 319, 383, 447]);
    rig.drained(running).await;
}

#[tokio::test(start_paused = true)]
async fn every_call_that_waits_is_timed() {
    let (rig, running) = Rig::new([slow().concurrency(3)]).started().await;
    for number in [3, 3, 3, 70, 0, 5] {
        rig.publisher.publish(zero(number)).await.unwrap();
    }
    rig.drained(running).await;
    let times = rig.status("slow").times;
    assert_eq!(times.count(), 6, "{times:?}");
    assert_eq!(times.max(), Some(Duration::from_millis(70)));
    let (short, long) = (times.quantile(0.5).unwrap(), times.quantile(1.0).unwrap());
    assert_eq!((short, long), (Duration::from_micros(4_096), Duration::from_millis(70)));
    let json = serde_json::to_value(rig.status("slow")).unwrap();
    assert_eq!(json["times"]["max_ns"], 70_000_000);
    assert!(json["times"]["total_ns"].as_u64() >= Some(70_000_000));
}

#[tokio::test(start_paused = true)]
async fn what_waits_does_not_stand_for_what_does_not() {
    let (rig, running) = Rig::new([slow()]).started().await;
    let waits = |number: u64| number.is_multiple_of(10);
    for number in 1..=630 {
        rig.publisher.publish(zero(if waits(number) { 8 } else { 0 })).await.unwrap();
        tokio::time::sleep(Duration::from_millis(8)).await;
    }
    rig.drained(running).await;
    let times = rig.status("slow").times;
    let (waited, rest) = (63, 630 - 63);
    let of_waited: u64 =
        times.buckets().filter(|(below, _)| *below > Some(Duration::from_millis(1))).map(|(_, n)| n).sum();
    assert_eq!(of_waited, waited, "{times:?}");
    assert_eq!(times.count() - of_waited, 63 + (rest - 63) / 64 * 64, "{times:?}");
}

#[tokio::test]
async fn events_that_are_pulled_have_no_handler_to_time() {
    let bus = Bus::new();
    let mut zeros = bus.subscribe::<Zero>("me", "test:zero", QueueOptions::default()).unwrap();
    bus.publisher("tester").try_publish(zero(1)).unwrap();
    assert!(zeros.try_recv().is_some());
    assert_eq!(zeros.status().times.count(), 0);
}

#[tokio::test(start_paused = true)]
async fn calls_beside_one_that_waits_are_sampled_like_any_others() {
    let (rig, running) = Rig::new([slow().concurrency(2)]).started().await;
    rig.publisher.publish(zero(3_600_000)).await.unwrap();
    for _ in 0..200 {
        rig.publisher.publish(zero(0)).await.unwrap();
    }
    idle().await;
    let times = rig.status("slow").times;
    assert!((200 - 64..=200).contains(&times.count()), "{times:?}");
    running.abort();
}

/// The time at which the first of them began is not known exactly, and none is made up.
#[tokio::test(start_paused = true)]
async fn calls_that_do_not_wait_any_more_are_timed_from_the_first_that_was_expected_not_to() {
    let (rig, running) = Rig::new([slow()]).started().await;
    let mut counted = Vec::new();
    for number in [1; 10].into_iter().chain([0; 3]) {
        rig.publisher.publish(zero(number)).await.unwrap();
        tokio::time::sleep(Duration::from_millis(5)).await;
        counted.push(rig.status("slow").times.count());
    }
    assert_eq!(counted[9..], [10, 10, 10, 13]);
    rig.drained(running).await;
}

#[tokio::test(start_paused = true)]
async fn calls_that_go_on_after_others_had_the_worker_are_timed_anew() {
    const MANY: usize = 100;
    static OPEN: [AtomicBool; 2] = [const { AtomicBool::new(false) }; 2];
    static WAIT: Mutex<Vec<Waker>> = Mutex::new(Vec::new());
    async fn pass(gate: usize) {
        poll_fn(|cx| {
            WAIT.lock().unwrap().push(cx.waker().clone());
            if OPEN[gate].load(Ordering::Relaxed) { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
    fn open(gate: usize) {
        OPEN[gate].store(true, Ordering::Relaxed);
        let waiting = std::mem::take(&mut *WAIT.lock().unwrap());
        waiting.into_iter().for_each(Waker::wake);
    }
    let waits: Attach<Probe, (), Zero> = |_, ()| {
        place(|event: Arc<Zero>| async move {
            pass(0).await;
            (event, Ok(()))
        })
    };
    let waits_longer: Attach<Probe, (), Zero> = |_, ()| {
        place(|event: Arc<Zero>| async move {
            pass(1).await;
            (event, Ok(()))
        })
    };
    let attach = (0..MANY).map(|number| if number == 0 { waits_longer } else { waits });
    let rig = Rig::new(attach.map(|attach| EventRow::typed::<Zero>("waits", attach)));
    rig.publisher.publish(zero(1)).await.unwrap();
    let mut life = pin!(rig.wiring.run(&rig.probe, &(), &*rig.probe));
    assert!(poll_fn(|cx| Poll::Ready(life.as_mut().poll(cx).is_pending())).await);
    tokio::time::advance(Duration::from_secs(1)).await;
    open(0);
    let a_turn = poll_fn(|cx| {
        exhaust(cx);
        Poll::Ready(life.as_mut().poll(cx).is_pending())
    });
    assert!(a_turn.await);
    tokio::time::advance(Duration::from_secs(1)).await;
    open(1);
    rig.wiring.drain();
    life.await.unwrap();
    let took: Vec<_> = rig.wiring.status().iter().map(|status| status.times.max().unwrap().as_secs()).collect();
    let first = took.iter().filter(|seconds| **seconds == 1).count();
    assert_eq!(first, 7, "{took:?}"); // and one that had to wait again
    assert!(took.iter().all(|seconds| [1, 2].contains(seconds)));
}
