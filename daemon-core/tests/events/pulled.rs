use super::{Nth, Probe, Rig, Zero, assert_adds_up, idle, zero};
use daemon_core::{Attach, Bus, EventRow, Overflow, QueueOptions, Subscription, place};
use std::sync::{Arc, Mutex};
use std::time::Duration;

fn options() -> QueueOptions {
    QueueOptions::default()
}

#[tokio::test]
async fn events_are_pulled_in_order_until_it_is_closed() {
    let bus = Bus::new();
    let publisher = bus.publisher("tester");
    let mut zeros = bus.subscribe::<Zero>("me", "test:zero", options()).unwrap();
    let mut any = bus.subscribe_all("me", "test:**", options()).unwrap();
    for number in 0..3 {
        publisher.publish(zero(number)).await.unwrap();
    }
    publisher.publish(Nth::<1>(9)).await.unwrap();
    assert_eq!(zeros.recv().await.unwrap().0, 0);
    zeros.close();
    publisher.publish(zero(3)).await.unwrap();
    assert_eq!(zeros.try_recv().unwrap().0, 1);
    assert_eq!(zeros.recv().await.unwrap().0, 2);
    assert!(zeros.recv().await.is_none());
    assert_eq!(zeros.status().offered, 3, "no longer subscribed");
    let mut topics = Vec::new();
    while let Some(event) = any.try_recv() {
        topics.push(event.topic().to_owned());
    }
    assert_eq!(topics, ["test:zero", "test:zero", "test:zero", "test:one", "test:zero"]);
}

#[tokio::test]
async fn receiving_waits_and_may_be_given_up() {
    let bus = Bus::new();
    let publisher = bus.publisher("tester");
    let mut zeros = bus.subscribe::<Zero>("me", "test:zero", options()).unwrap();
    assert!(tokio::time::timeout(Duration::ZERO, zeros.recv()).await.is_err());
    let handle = zeros.handle();
    let task = tokio::spawn(async move {
        let mut all = Vec::new();
        while let Some(event) = zeros.recv().await {
            all.push(event.0);
        }
        all
    });
    for number in 0..100 {
        publisher.publish(zero(number)).await.unwrap();
        if number % 7 == 0 {
            idle().await;
        }
    }
    assert_adds_up(&handle.status().unwrap());
    handle.close();
    assert_eq!(task.await.unwrap(), (0..100).collect::<Vec<_>>());
    assert!(handle.status().is_none());
}

#[tokio::test]
async fn its_policies_hold_too() {
    let bus = Bus::new();
    let publisher = bus.publisher("tester");
    let two = options().capacity(2);
    let mut oldest = bus.subscribe::<Zero>("me", "test:zero", two.clone().overflow(Overflow::DropOldest)).unwrap();
    let mut newest = bus.subscribe::<Zero>("me", "test:zero", two.clone().overflow(Overflow::DropNewest)).unwrap();
    for number in 0..5 {
        publisher.publish(zero(number)).await.unwrap();
    }
    assert_eq!(
        [oldest.try_recv(), oldest.try_recv(), oldest.try_recv()].map(|e| e.map(|e| e.0)),
        [Some(3), Some(4), None]
    );
    assert_eq!(
        [newest.try_recv(), newest.try_recv(), newest.try_recv()].map(|e| e.map(|e| e.0)),
        [Some(0), Some(1), None]
    );

    let mut block = bus.subscribe::<Zero>("me", "test:zero", two).unwrap();
    let handle = block.handle();
    let task = tokio::spawn(async move {
        for number in 0..5 {
            publisher.publish(zero(number)).await.unwrap();
        }
    });
    idle().await;
    assert!(!task.is_finished());
    for number in 0..5 {
        assert_eq!(block.recv().await.unwrap().0, number);
        assert_adds_up(&block.status());
    }
    task.await.unwrap();
    assert_eq!(handle.status().unwrap().handled, 5);
    drop(block);
    assert!(handle.status().is_none());
}

#[tokio::test]
async fn dropping_it_frees_those_who_wait() {
    let bus = Bus::new();
    let publisher = bus.publisher("tester");
    let forgotten = bus.subscribe::<Zero>("me", "test:zero", options().capacity(1)).unwrap();
    publisher.publish(zero(0)).await.unwrap();
    let task = tokio::spawn(async move { publisher.publish(zero(1)).await });
    idle().await;
    assert!(!task.is_finished());
    drop(forgotten);
    task.await.unwrap().unwrap();
    assert_eq!(bus.subscriptions(), 0);
}

static HELD: Mutex<Option<Subscription<Zero>>> = Mutex::new(None);

#[tokio::test]
async fn a_handler_may_unsubscribe() {
    let attach: Attach<Probe, (), Zero> = |probe, ()| {
        place(move |event: Arc<Zero>| async move {
            drop(HELD.lock().unwrap().take());
            probe.saw("unsubscribed", event.0);
            (event, Ok(()))
        })
    };
    let (rig, running) = Rig::new([EventRow::typed::<Zero>("unsubscribing", attach)]).started().await;
    *HELD.lock().unwrap() = Some(rig.bus.subscribe::<Zero>("me", "test:zero", options()).unwrap());
    rig.publisher.publish(zero(1)).await.unwrap();
    rig.drained(running).await;
    assert_eq!(rig.probe.seen_by("unsubscribed"), [1]);
    assert_eq!(rig.bus.subscriptions(), 1);
}
