use super::{Nth, Probe, Rig, counting, cut, gated, idle, one, plain, zero};
use daemon_core::{Attach, EventRow, Overflow, StillRunning, place};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Wake, Waker};

#[tokio::test]
async fn every_handler_sees_every_event_in_order_and_once() {
    let (rig, running) = Rig::new([plain::<0>(), gated::<0>(), plain::<1>()]).started().await;
    for number in 0..300 {
        rig.publisher.publish(zero(number)).await.unwrap();
    }
    rig.probe.gates[0].add_permits(300);
    rig.drained(running).await;
    let all: Vec<u64> = (0..300).collect();
    assert_eq!(rig.probe.seen_by("plain"), all);
    assert_eq!(rig.probe.seen_by("gated"), all);
    assert_eq!(rig.counts("gated"), [300, 300, 0, 0, 0, 0, 0]);
    assert_eq!(rig.wiring.status()[2].offered, 0, "the other topic");
}

#[tokio::test]
async fn a_suspended_handler_holds_nobody_up() {
    let (rig, running) = Rig::new([gated::<0>(), plain::<0>(), plain::<1>()]).started().await;
    rig.publisher.publish(zero(1)).await.unwrap();
    rig.publisher.publish(one(2)).await.unwrap();
    rig.publisher.publish(zero(3)).await.unwrap();
    idle().await;
    assert_eq!(rig.probe.seen_by("plain"), [1, 2, 3]);
    assert_eq!(rig.counts("gated"), [2, 0, 0, 0, 0, 1, 1]);
    rig.probe.gates[0].add_permits(2);
    rig.drained(running).await;
    assert_eq!(rig.probe.seen_by("gated"), [1, 3]);
}

#[tokio::test]
async fn no_call_keeps_its_event() {
    static DROPS: AtomicUsize = AtomicUsize::new(0);
    struct Counted;
    impl Drop for Counted {
        fn drop(&mut self) {
            DROPS.fetch_add(1, Ordering::Relaxed);
        }
    }
    impl daemon_core::Event for Counted {
        const TOPIC: &'static str = "test:counted";
    }
    let attach: Attach<Probe, (), Counted> = |_, ()| {
        place(|event| async move {
            tokio::task::yield_now().await;
            (event, Ok(()))
        })
    };
    let row = || EventRow::typed::<Counted>("counted", attach);
    let (rig, _running) = Rig::new([row(), row(), row()]).started().await;
    for _ in 0..10 {
        rig.publisher.publish(Counted).await.unwrap();
    }
    idle().await;
    assert_eq!(DROPS.load(Ordering::Relaxed), 10);
}

#[tokio::test]
async fn a_daemon_has_one_dispatcher_at_a_time() {
    let (rig, running) = Rig::new([plain::<0>()]).started().await;
    assert_eq!(rig.start().await.unwrap(), Err(StillRunning));
    rig.drained(running).await;
    rig.wiring.buffer();
    let again = rig.start();
    rig.publisher.publish(zero(7)).await.unwrap();
    idle().await;
    rig.drained(again).await;
    assert_eq!(rig.probe.seen_by("plain"), [7]);
}

#[tokio::test]
async fn a_long_queue_leaves_the_worker_to_others() {
    let (rig, running) = Rig::new([plain::<0>().capacity(100_000)]).started().await;
    for number in 0..50_000 {
        rig.publisher.try_publish(zero(number)).unwrap();
    }
    tokio::task::yield_now().await;
    tokio::task::yield_now().await;
    let seen = rig.probe.seen_by("plain").len();
    assert!(0 < seen && seen < 50_000, "{seen} of 50000 events in two turns");
    rig.drained(running).await;
}

#[tokio::test]
async fn a_long_fan_out_leaves_the_worker_to_others() {
    let (rig, running) = Rig::new((0..20_000).map(|_| plain::<0>())).started().await;
    rig.publisher.publish(zero(1)).await.unwrap();
    tokio::task::yield_now().await;
    tokio::task::yield_now().await;
    let seen = rig.probe.seen_by("plain").len();
    assert!(0 < seen && seen < 20_000, "{seen} of 20000 calls in two turns");
    rig.drained(running).await;
    assert_eq!(rig.probe.seen_by("plain").len(), 20_000);
}

static WAKERS: Mutex<Vec<Waker>> = Mutex::new(Vec::new());

#[tokio::test]
async fn wakers_may_be_woken_after_the_end_and_from_any_thread() {
    let attach: Attach<Probe, (), Nth<2>> = |_, ()| {
        place(|event: Arc<Nth<2>>| async move {
            std::future::poll_fn(|cx| {
                WAKERS.lock().unwrap().push(cx.waker().clone());
                std::task::Poll::<()>::Pending
            })
            .await;
            (event, Ok(()))
        })
    };
    let (rig, running) = Rig::new([EventRow::typed::<Nth<2>>("stuck", attach)]).started().await;
    rig.publisher.publish(Nth::<2>(0)).await.unwrap();
    idle().await;
    cut(running).await;
    let again = rig.start();
    rig.publisher.publish(Nth::<2>(1)).await.unwrap();
    idle().await;
    let wakers: Vec<Waker> = WAKERS.lock().unwrap().drain(..).collect();
    assert_eq!(wakers.len(), 2);
    let old = wakers[0].clone();
    std::thread::spawn(move || (0..3).for_each(|_| old.wake_by_ref())).join().unwrap();
    idle().await;
    assert_eq!(WAKERS.lock().unwrap().len(), 0, "a waker of another life polls nothing");
    cut(again).await;
    let probe = rig.counts("stuck");
    drop(rig);
    std::thread::spawn(move || wakers.into_iter().for_each(Waker::wake)).join().unwrap();
    assert_eq!(probe, [2, 0, 0, 0, 2, 0, 0]);
}

static EARLY: Mutex<Option<Waker>> = Mutex::new(None);

#[tokio::test]
async fn a_waker_of_an_earlier_life_wakes_no_later_one() {
    let attach: Attach<Probe, (), Nth<2>> = |_, ()| {
        place(|event: Arc<Nth<2>>| async move {
            std::future::poll_fn(|cx| {
                *EARLY.lock().unwrap() = Some(cx.waker().clone());
                std::task::Poll::<()>::Pending
            })
            .await;
            (event, Ok(()))
        })
    };
    let rig = Rig::new([EventRow::typed::<Nth<2>>("stuck", attach)]);
    let polled = |task: &Waker| {
        let mut life = Box::pin(rig.wiring.run(&rig.probe, &(), &*rig.probe));
        assert!(life.as_mut().poll(&mut Context::from_waker(task)).is_pending());
        life
    };
    let ((first, _), (second, woken)) = (counting(), counting());
    let mut life = polled(&first);
    rig.publisher.publish(Nth::<2>(1)).await.unwrap();
    assert!(life.as_mut().poll(&mut Context::from_waker(&first)).is_pending());
    drop(life);
    let _life = polled(&second);
    let early = EARLY.lock().unwrap().take();
    early.unwrap().wake();
    assert_eq!(woken.load(Ordering::Relaxed), 0);
}

struct Task;

impl Wake for Task {
    fn wake(self: Arc<Self>) {}
}

/// What a waker keeps of its task is as much as that took.
#[tokio::test]
async fn a_life_that_has_ended_is_kept_by_nobody() {
    let (rig, task) = (Rig::new([plain::<0>()]), Arc::new(Task));
    let waker = Waker::from(task.clone());
    let mut life = Box::pin(rig.wiring.run(&rig.probe, &(), &*rig.probe));
    assert!(life.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    drop((life, waker));
    assert_eq!(Arc::strong_count(&task), 1);
}

#[tokio::test]
async fn the_high_water_is_the_most_that_waited_at_once() {
    let rows = [plain::<0>(), gated::<0>(), plain::<1>().overflow(Overflow::DropOldest)];
    let (rig, running) = Rig::new(rows).started().await;
    for batch in [2, 5, 3] {
        for number in 0..batch {
            rig.publisher.publish(zero(number)).await.unwrap();
            rig.publisher.publish(one(number)).await.unwrap();
        }
        idle().await;
    }
    let marks = |rig: &Rig| rig.wiring.status().iter().map(|status| status.high_water).collect::<Vec<_>>();
    assert_eq!(marks(&rig), [5, 9, 5], "one of ten is under way, and the others wait");
    rig.probe.gates[0].add_permits(10);
    rig.drained(running).await;
    assert_eq!(marks(&rig), [5, 9, 5]);
}

#[tokio::test]
async fn the_high_water_of_a_handler_that_is_idle_is_seen_at_once_and_stays() {
    for overflow in [Overflow::Block, Overflow::DropOldest] {
        let rig = Rig::new([plain::<0>().overflow(overflow)]);
        let high_water = |rig: &Rig| rig.status("plain").high_water;
        for number in 0..3 {
            rig.publisher.publish(zero(number)).await.unwrap();
        }
        let (rig, running) = rig.started().await;
        assert_eq!(high_water(&rig), 3, "what was kept for its start: {overflow}");
        for number in 0..5 {
            rig.publisher.publish(zero(number)).await.unwrap();
        }
        assert_eq!(high_water(&rig), 5, "before it has taken any: {overflow}");
        idle().await;
        assert_eq!(high_water(&rig), 5, "when it has taken all: {overflow}");
        rig.drained(running).await;
    }
}

#[tokio::test]
async fn the_high_water_counts_events_whose_publishers_wait_for_them() {
    let (rig, running) = Rig::new([plain::<0>()]).started().await;
    assert_eq!(rig.publisher.publish_and_wait(zero(0), &[]).await, Ok(1));
    let waits: Vec<_> = (0..3)
        .map(|number| {
            let publisher = rig.publisher.clone();
            tokio::spawn(async move { publisher.publish_and_wait(zero(number), &[]).await })
        })
        .collect();
    for wait in waits {
        assert_eq!(wait.await.unwrap(), Ok(1));
    }
    assert_eq!(rig.status("plain").high_water, 3);
    rig.drained(running).await;
}

#[tokio::test]
async fn drop_oldest_handlers_get_their_events_too() {
    let (rig, running) = Rig::new([plain::<0>().overflow(Overflow::DropOldest), gated::<0>()]).started().await;
    for number in 0..10 {
        rig.publisher.publish(zero(number)).await.unwrap();
    }
    rig.probe.gates[0].add_permits(10);
    rig.drained(running).await;
    assert_eq!(rig.probe.seen_by("plain"), (0..10).collect::<Vec<_>>());
    assert_eq!(rig.probe.seen_by("gated"), (0..10).collect::<Vec<_>>());
}
