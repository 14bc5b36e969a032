use super::{Probe, Rig, Row, assert_adds_up, cut, idle, log};
use daemon_core::{Attach, Bus, Envelope, Event, EventRow, Key, Overflow, QueueOptions, SubscribeError, place};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// A price of something, as a number whose last digit says of what.
struct Price {
    symbol: Symbol,
    number: u64,
}

#[derive(PartialEq, Eq)]
struct Symbol(String);

impl Hash for Symbol {
    fn hash<H: Hasher>(&self, state: &mut H) {
        assert_ne!(self.0, "9", "a symbol that cannot be hashed");
        self.0.hash(state);
    }
}

impl Event for Price {
    const TOPIC: &'static str = "market:price";
}

fn price(number: u64) -> Price {
    Price { symbol: Symbol((number % 10).to_string()), number }
}

fn by_symbol() -> Key {
    Key::of(|price: &Price| &price.symbol)
}

const WATCH: Attach<Probe, (), Price> = |probe, ()| {
    place(move |price: Arc<Price>| async move {
        probe.pass(0).await;
        probe.saw("watcher", price.number);
        (price, Ok(()))
    })
};

/// Waits at gate 0 before it writes a price down.
fn watcher() -> Row {
    EventRow::typed::<Price>("watcher", WATCH)
}

/// A rig whose watcher holds price 0.
async fn holding(row: Row) -> (Rig, tokio::task::JoinHandle<Result<(), daemon_core::StillRunning>>) {
    let (rig, running) = Rig::new([row]).started().await;
    rig.publisher.publish(price(0)).await.unwrap();
    idle().await;
    (rig, running)
}

async fn publish(rig: &Rig, numbers: &[u64]) {
    for number in numbers {
        rig.publisher.try_publish(price(*number)).unwrap();
    }
}

#[tokio::test]
async fn a_newer_one_takes_the_place_of_the_older_of_its_key() {
    let (rig, running) = holding(watcher().latest_by(by_symbol())).await;
    publish(&rig, &[11, 12, 21, 13, 22, 31]).await;
    assert_eq!(rig.counts("watcher"), [7, 0, 0, 3, 0, 3, 1]);
    assert_eq!((rig.status("watcher").overflow, rig.status("watcher").high_water), (Overflow::Latest, 3));
    rig.probe.gates[0].add_permits(4);
    rig.drained(running).await;
    assert_eq!(rig.probe.seen_by("watcher"), [0, 31, 22, 13], "where 11 and 12 stood, and 13 behind them");
}

#[tokio::test]
async fn one_that_is_updated_all_the_time_gets_its_turn() {
    let (rig, running) = holding(watcher().latest_by(by_symbol())).await;
    publish(&rig, &[11, 12, 13]).await;
    for round in 2..=20 {
        publish(&rig, &[10 * round + 1, 10 * round + 2]).await;
        rig.probe.gates[0].add_permits(1);
        idle().await;
    }
    let seen = rig.probe.seen_by("watcher");
    let behind: Vec<u64> = seen.iter().skip(1).map(|number| number % 10).collect();
    assert_eq!(behind[..6], [1, 2, 3, 1, 2, 1], "each in its turn, however often 1 and 2 come: {seen:?}");
    running.abort();
}

#[tokio::test]
async fn without_a_key_the_topic_is_one() {
    let (rig, running) = holding(watcher().overflow(Overflow::Latest)).await;
    publish(&rig, &[11, 12, 13]).await;
    assert_eq!(rig.counts("watcher"), [4, 0, 0, 2, 0, 1, 1]);
    rig.probe.gates[0].add_permits(2);
    rig.drained(running).await;
    assert_eq!(rig.probe.seen_by("watcher"), [0, 13]);
}

#[tokio::test]
async fn under_a_pattern_each_topic_is_another() {
    let attach: Attach<Probe, (), Envelope> = |probe, ()| {
        place(move |event: Arc<Envelope>| async move {
            let number = event.downcast::<Price>().unwrap().number;
            probe.published.lock().unwrap().push(format!("{} {number}", event.topic()));
            (event, Ok(()))
        })
    };
    let any = EventRow::envelope("any", "market:*", attach).overflow(Overflow::Latest);
    let by_publisher = EventRow::envelope("any", "market:**", attach).latest_by(Key::of(Envelope::publisher));
    for (row, expected) in [
        (any, ["market:a 3", "market:b 2"].as_slice()),
        (by_publisher, ["market:a 3", "market:b 2", "market:a 4"].as_slice()),
    ] {
        let rig = Rig::new([row]);
        for (topic, number) in [("market:a", 1), ("market:b", 2), ("market:a", 3)] {
            rig.publisher.publish_to(topic, price(number)).await.unwrap();
        }
        if expected.len() == 3 {
            rig.bus.publisher("another").publish_to("market:a", price(4)).await.unwrap();
        }
        let running = rig.start();
        idle().await;
        rig.drained(running).await;
        assert_eq!(*rig.probe.published.lock().unwrap(), expected);
    }
}

#[tokio::test]
async fn the_capacity_bounds_how_many_different_ones_wait() {
    let (rig, running) = holding(watcher().latest_by(by_symbol()).capacity(2)).await;
    publish(&rig, &[11, 12, 21, 13, 22]).await;
    assert_eq!(rig.counts("watcher"), [6, 0, 0, 3, 0, 2, 1]);
    rig.probe.gates[0].add_permits(3);
    rig.drained(running).await;
    assert_eq!(rig.probe.seen_by("watcher"), [0, 22, 13], "21 was the oldest when 13 came");
}

#[tokio::test]
async fn it_holds_while_the_daemon_starts() {
    let rig = Rig::new([watcher().latest_by(by_symbol()).startup(2)]);
    publish(&rig, &[11, 12, 21, 13, 22]).await;
    assert_eq!(rig.counts("watcher"), [5, 0, 0, 3, 0, 2, 0]);
    let running = rig.start();
    rig.probe.gates[0].add_permits(2);
    idle().await;
    rig.drained(running).await;
    assert_eq!(rig.probe.seen_by("watcher"), [22, 13]);
}

#[tokio::test]
async fn it_holds_from_one_life_to_the_next() {
    let (rig, running) = holding(watcher().latest_by(by_symbol()).startup(1)).await;
    publish(&rig, &[11, 12]).await;
    cut(running).await;
    publish(&rig, &[22, 32]).await;
    assert_eq!(rig.counts("watcher"), [5, 0, 0, 2, 1, 2, 0], "what was queued before is no part of the startup bound");
    publish(&rig, &[13]).await;
    assert_eq!(rig.counts("watcher"), [6, 0, 0, 3, 1, 2, 0]);
    let running = rig.start();
    idle().await;
    publish(&rig, &[42, 14]).await;
    rig.probe.gates[0].add_permits(4);
    rig.drained(running).await;
    assert_eq!(rig.probe.seen_by("watcher"), [32, 13, 42, 14], "32 was under way when 42 came");
}

#[tokio::test]
async fn what_came_for_the_next_life_is_not_delivered_in_this_one() {
    let (rig, running) = holding(watcher().latest_by(by_symbol())).await;
    publish(&rig, &[11, 12]).await;
    rig.wiring.buffer();
    publish(&rig, &[21, 31, 13]).await;
    rig.probe.gates[0].add_permits(3);
    running.await.unwrap().unwrap();
    assert_eq!(rig.probe.seen_by("watcher"), [0, 11, 12]);
    assert_eq!(rig.counts("watcher"), [6, 3, 0, 1, 0, 2, 0]);
    rig.wiring.close();
    assert_eq!(rig.counts("watcher"), [6, 3, 0, 1, 2, 0, 0]);
}

#[tokio::test]
async fn closing_abandons_it() {
    let (rig, running) = holding(watcher().latest_by(by_symbol())).await;
    publish(&rig, &[11, 12, 22]).await;
    rig.wiring.close();
    running.await.unwrap().unwrap();
    assert_eq!(rig.counts("watcher"), [4, 0, 0, 1, 3, 0, 0]);
}

#[tokio::test]
async fn a_flood_of_few_takes_no_memory() {
    let (rig, running) = holding(watcher().latest_by(by_symbol())).await;
    for number in 0..100_000 {
        rig.publisher.try_publish(price(10 * number + number % 7)).unwrap();
    }
    assert_eq!(rig.counts("watcher"), [100_001, 0, 0, 99_993, 0, 7, 1]);
    running.abort();
}

#[tokio::test]
async fn a_key_that_panics_costs_its_own_subscription_that_event() {
    let (log, _listening) = log::listen();
    let (rig, running) = Rig::new([watcher().latest_by(by_symbol()), watcher_of_all()]).started().await;
    publish(&rig, &[1, 9, 2]).await;
    rig.probe.gates[0].add_permits(2);
    rig.drained(running).await;
    assert_eq!(rig.counts("watcher"), [3, 2, 1, 0, 0, 0, 0]);
    assert_eq!(rig.probe.seen_by("watcher"), [1, 2]);
    assert_eq!(rig.probe.seen_by("all"), [1, 9, 2]);
    let told = log.line("a key panicked; the event counts as failed").unwrap();
    assert!(told.contains("subscription=\"rig.watcher\" publisher=\"tester\""), "{told}");
}

fn watcher_of_all() -> Row {
    EventRow::typed::<Price>("all", |probe, ()| {
        place(move |price: Arc<Price>| async move {
            probe.saw("all", price.number);
            (price, Ok(()))
        })
    })
}

#[test]
fn a_key_of_another_type_is_refused() {
    let mut handlers = daemon_core::Handlers::new();
    handlers.push(watcher().latest_by(Key::of(|zero: &super::Zero| &zero.0)));
    let error = handlers.register(&Bus::new(), "rig").unwrap_err();
    let SubscribeError::KeyMismatch { subscription, .. } = &error else { panic!("{error}") };
    assert_eq!(subscription, "rig.watcher");
    let options = QueueOptions::default().latest_by(by_symbol());
    assert!(matches!(Bus::new().subscribe_all("me", "**", options), Err(SubscribeError::KeyMismatch { .. })));
}

#[tokio::test]
async fn a_subscription_that_is_pulled_from_has_it_too() {
    let bus = Bus::new();
    let publisher = bus.publisher("tester");
    let options = QueueOptions::default().latest_by(by_symbol()).capacity(2);
    let mut prices = bus.subscribe::<Price>("me", Price::TOPIC, options).unwrap();
    for number in [11, 12, 21, 13, 22] {
        publisher.publish(price(number)).await.unwrap();
    }
    assert_adds_up(&prices.status());
    let mut next = || prices.try_recv().map(|price| price.number);
    assert_eq!([next(), next(), next()], [Some(22), Some(13), None]);
    publisher.publish(price(14)).await.unwrap();
    publisher.publish(price(24)).await.unwrap();
    assert_eq!(prices.recv().await.unwrap().number, 24);
    let status = prices.status();
    assert_eq!((status.offered, status.handled, status.dropped), (7, 3, 4));
}

#[test]
fn another_policy_has_no_key() {
    let options = QueueOptions::default().latest_by(by_symbol()).overflow(Overflow::Block);
    assert!(options.key.is_none());
}
