use super::{Probe, Rig, Row, Zero, idle, plain, zero};
use daemon_core::{Attach, Bus, EventRow, QueueOptions, place};
use std::sync::Arc;
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
