use super::{Probe, Rig, Row, Zero, cut, gated, idle, one, plain, zero};
use daemon_core::{Attach, EventRow, Overflow, StillRunning, place};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::task::JoinHandle;

type Running = JoinHandle<Result<(), StillRunning>>;

async fn ended(running: Vec<Running>) {
    for running in running {
        running.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn each_has_a_dispatcher_of_its_own() {
    let rig = Rig::new([plain::<0>(), gated::<0>().isolated(), gated::<1>().isolated()]);
    assert_eq!(rig.wiring.isolated().collect::<Vec<_>>(), ["gated", "gated"]);
    assert!(rig.status("gated").isolated && !rig.status("plain").isolated);
    let common = rig.start();
    idle().await;
    rig.publisher.publish(zero(1)).await.unwrap();
    idle().await;
    assert_eq!(rig.probe.seen_by("plain"), [1]);
    assert_eq!(rig.counts("gated"), [1, 0, 0, 0, 0, 1, 0], "its own has not begun");
    let mut running = rig.start_all();
    assert_eq!(running.remove(0).await.unwrap(), Err(StillRunning));
    rig.publisher.publish(one(2)).await.unwrap();
    rig.probe.gates[0].add_permits(2);
    idle().await;
    rig.wiring.drain();
    running.push(common);
    ended(running).await;
    let mut seen = rig.probe.seen_by("gated");
    seen.sort_unstable();
    assert_eq!(seen, [1, 2]);
}

#[tokio::test]
async fn a_life_that_is_cut_short_keeps_what_it_had_not_begun() {
    for overflow in [Overflow::Block, Overflow::DropOldest, Overflow::DropNewest] {
        let rig = Rig::new([plain::<0>(), gated::<0>().isolated().capacity(3).overflow(overflow)]);
        let running = rig.start_all();
        idle().await;
        for number in 0..4 {
            rig.publisher.publish(zero(number)).await.unwrap();
            idle().await;
        }
        for running in running {
            cut(running).await;
        }
        assert_eq!(rig.counts("gated"), [4, 0, 0, 0, 1, 3, 0], "{overflow}");
        rig.publisher.publish(zero(4)).await.unwrap();
        let running = rig.start_all();
        rig.probe.gates[0].add_permits(4);
        idle().await;
        rig.wiring.drain();
        ended(running).await;
        assert_eq!(rig.probe.seen_by("gated"), [1, 2, 3, 4], "{overflow}");
        assert_eq!(rig.probe.seen_by("plain"), [0, 1, 2, 3, 4], "{overflow}");
    }
}

#[tokio::test]
async fn handlers_of_an_isolated_queue_share_its_dispatcher() {
    let rows = [gated::<0>().queue("slow").isolated(), plain::<1>().queue("slow"), plain::<0>()];
    let rig = Rig::new(rows);
    assert_eq!(rig.wiring.isolated().collect::<Vec<_>>(), ["slow"]);
    let running = rig.start_all();
    idle().await;
    rig.publisher.publish(zero(1)).await.unwrap();
    rig.publisher.publish(one(2)).await.unwrap();
    idle().await;
    assert_eq!(rig.probe.seen_by("plain"), [1], "2 waits for its turn");
    rig.probe.gates[0].add_permits(1);
    idle().await;
    assert_eq!(rig.probe.seen_by("plain"), [1, 2]);
    rig.wiring.close();
    ended(running).await;
}

/// Blocks its thread until it is told to stop.
static HOGS: AtomicBool = AtomicBool::new(true);

/// Tells it to, also when the test fails: the runtime waits for it.
struct Unblocks;

impl Drop for Unblocks {
    fn drop(&mut self) {
        HOGS.store(false, Ordering::Release);
    }
}

fn hog() -> Row {
    let attach: Attach<Probe, (), Zero> = |probe, ()| {
        place(move |event: Arc<Zero>| async move {
            while HOGS.load(Ordering::Acquire) {
                std::thread::yield_now();
            }
            probe.saw("hog", event.0);
            (event, Ok(()))
        })
    };
    EventRow::typed::<Zero>("hog", attach).isolated()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_computes_for_long_holds_no_neighbour_up() {
    let rig = Rig::new([hog(), plain::<0>()]);
    let running = rig.start_all();
    let unblocks = Unblocks;
    for number in 0..100 {
        rig.publisher.publish(zero(number)).await.unwrap();
    }
    while rig.status("plain").handled < 100 || rig.status("hog").in_flight == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(rig.status("hog").handled, 0);
    drop(unblocks);
    rig.wiring.drain();
    ended(running).await;
    assert_eq!(rig.probe.seen_by("hog"), (0..100).collect::<Vec<_>>());
}
