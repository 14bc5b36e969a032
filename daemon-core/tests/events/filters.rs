use super::{Nth, Probe, Rig, Row, Zero, assert_adds_up, log, one, plain, zero};
use daemon_core::{Attach, Bus, Envelope, EventRow, Filter, Handlers, QueueOptions, SubscribeError, place};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

fn even() -> Filter {
    Filter::of(|zero: &Zero| zero.0.is_multiple_of(2))
}

fn named<const TOPIC: usize>(name: &'static str) -> Row {
    let attach: Attach<Probe, (), Nth<TOPIC>> = |probe, ()| {
        place(move |event: Arc<Nth<TOPIC>>| async move {
            probe.saw("filtered", event.0);
            (event, Ok(()))
        })
    };
    EventRow::typed::<Nth<TOPIC>>(name, attach)
}

#[tokio::test]
async fn only_what_passes_is_offered() {
    let (rig, running) = Rig::new([plain::<0>(), named::<0>("even").when(even())]).started().await;
    for number in 0..10 {
        rig.publisher.publish(zero(number)).await.unwrap();
    }
    rig.drained(running).await;
    assert_eq!(rig.probe.seen_by("filtered"), [0, 2, 4, 6, 8]);
    assert_eq!(rig.probe.seen_by("plain"), (0..10).collect::<Vec<_>>());
    assert_eq!(rig.counts("even"), [5, 5, 0, 0, 0, 0, 0]);
    assert_eq!(rig.counts("plain"), [10, 10, 0, 0, 0, 0, 0]);
}

#[tokio::test]
async fn each_of_many_handlers_has_its_own() {
    const NAMES: [&str; 3] = ["of three: 0", "of three: 1", "of three: 2"];
    // more than are asked at once
    let rows = (0..150_u64)
        .map(|at| named::<0>(NAMES[(at % 3) as usize]).when(Filter::of(move |zero: &Zero| zero.0 % 150 == at)));
    let (rig, running) = Rig::new(rows).started().await;
    for number in 0..150 {
        rig.publisher.publish(zero(number)).await.unwrap();
    }
    rig.drained(running).await;
    assert_eq!(rig.probe.seen_by("filtered"), (0..150).collect::<Vec<_>>());
    for status in rig.wiring.status() {
        assert_adds_up(&status);
        assert_eq!((status.offered, status.handled), (1, 1), "{status:?}");
    }
}

#[tokio::test]
async fn envelopes_are_filtered_by_what_is_known_of_any_event() {
    let attach: Attach<Probe, (), Envelope> = |probe, ()| {
        place(move |event: Arc<Envelope>| async move {
            probe.published.lock().unwrap().push(event.topic().to_owned());
            (event, Ok(()))
        })
    };
    let others = Filter::of(|event: &Envelope| event.publisher() == "tester" && event.topic() != "test:zero");
    let (rig, running) = Rig::new([EventRow::envelope("others", "**", attach).when(others)]).started().await;
    rig.publisher.publish(zero(1)).await.unwrap();
    rig.publisher.publish(one(2)).await.unwrap();
    rig.bus.publisher("someone").publish(one(3)).await.unwrap();
    rig.publisher.publish_to("made:up", one(4)).await.unwrap();
    rig.drained(running).await;
    assert_eq!(*rig.probe.published.lock().unwrap(), ["test:one", "made:up"]);
    assert_eq!(rig.counts("others"), [2, 2, 0, 0, 0, 0, 0]);
}

#[tokio::test]
async fn what_is_turned_away_is_not_kept_for_a_daemon_that_starts() {
    let rig = Rig::new([named::<0>("even").when(even()).startup(2)]);
    for number in 0..5 {
        rig.publisher.publish(zero(number)).await.unwrap();
    }
    assert_eq!(rig.counts("even"), [3, 0, 0, 1, 0, 2, 0], "of 0, 2 and 4 the first made room");
    let (rig, running) = rig.started().await;
    rig.drained(running).await;
    assert_eq!(rig.probe.seen_by("filtered"), [2, 4]);
}

#[tokio::test]
async fn one_that_panics_costs_its_own_subscription_that_event() {
    let panics = Filter::of(|zero: &Zero| if zero.0 == 1 { panic!("no") } else { true });
    let (rig, running) = Rig::new([named::<0>("strict").when(panics), plain::<0>()]).started().await;
    for number in 0..3 {
        rig.publisher.publish(zero(number)).await.unwrap();
    }
    rig.drained(running).await;
    assert_eq!(rig.probe.seen_by("filtered"), [0, 2]);
    assert_eq!(rig.probe.seen_by("plain"), [0, 1, 2]);
    assert_eq!(rig.counts("strict"), [3, 2, 1, 0, 0, 0, 0]);
    assert_eq!(rig.counts("plain"), [3, 3, 0, 0, 0, 0, 0]);
}

/// Its destructor panics, as a payload's may.
struct Spiteful;

impl Drop for Spiteful {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            std::panic::panic_any("and again");
        }
    }
}

#[tokio::test]
async fn one_whose_panic_panics_again_does_no_more_harm() {
    let panics = Filter::of(|_: &Zero| std::panic::panic_any(Spiteful));
    let (rig, running) = Rig::new([named::<0>("strict").when(panics)]).started().await;
    rig.publisher.publish(zero(0)).await.unwrap();
    rig.drained(running).await;
    assert_eq!(rig.counts("strict"), [1, 0, 1, 0, 0, 0, 0]);
}

#[test]
fn one_whose_destructor_panics_is_told_of() {
    let (log, _listening) = log::listen();
    let bus = Bus::new();
    let spiteful = Spiteful;
    let holds = Filter::of(move |_: &Zero| {
        let _held = &spiteful;
        true
    });
    for filter in [even(), holds] {
        drop(bus.subscribe::<Zero>("me", "test:zero", QueueOptions::default().when(filter)).unwrap());
    }
    let told = log.text();
    assert_eq!(told.matches("the destructor of a filter or a key panicked").count(), 1, "{told}");
    assert!(told.contains("subscription=\"me.test:zero\""), "{told}");
}

#[tokio::test]
async fn it_is_asked_outside_every_lock() {
    let bus = Bus::new();
    let (inside, asked) = (bus.clone(), Arc::new(AtomicU64::new(0)));
    let count = asked.clone();
    let filter = Filter::of(move |zero: &Zero| {
        count.fetch_add(1, Ordering::Relaxed);
        inside.publisher("filter").try_publish(one(zero.0)).unwrap();
        drop(inside.subscribe::<Zero>("filter", "test:zero", QueueOptions::default()).unwrap());
        true
    });
    let (rig, running) = Rig::on(&bus, "rig", [named::<0>("asks").when(filter), plain::<1>()]).started().await;
    rig.publisher.publish(zero(7)).await.unwrap();
    rig.drained(running).await;
    assert_eq!((asked.load(Ordering::Relaxed), rig.probe.seen_by("plain")), (1, vec![7]));
}

#[tokio::test]
async fn events_that_are_pulled_are_filtered_too() {
    let bus = Bus::new();
    let publisher = bus.publisher("tester");
    let mut even_ones = bus.subscribe::<Zero>("me", "test:zero", QueueOptions::default().when(even())).unwrap();
    for number in 0..5 {
        publisher.publish(zero(number)).await.unwrap();
    }
    let seen: Vec<u64> = std::iter::from_fn(|| even_ones.try_recv()).map(|event| event.0).collect();
    assert_eq!((seen, even_ones.status().offered), (vec![0, 2, 4], 3));
}

#[test]
fn one_of_another_type_is_refused() {
    let mut handlers = Handlers::<Probe, ()>::new();
    handlers.push(named::<1>("mixed-up").when(even()));
    let error = handlers.register(&Bus::new(), "rig").unwrap_err();
    let SubscribeError::FilterMismatch { subscription, .. } = &error else { panic!("{error}") };
    assert_eq!(subscription, "rig.mixed-up");
    let options = QueueOptions::default().when(even());
    assert!(matches!(Bus::new().subscribe_all("me", "**", options), Err(SubscribeError::FilterMismatch { .. })));
}
