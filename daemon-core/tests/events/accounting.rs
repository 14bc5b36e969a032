use super::{Nth, Probe, Rig, Row, Zero, assert_adds_up, fault, gated, one, plain, zero};
use daemon_core::{Attach, Bus, Event, EventRow, Filter, Key, Overflow, QueueOptions, place};
use std::sync::Arc;
use tokio::task::JoinHandle;

/// Numbers that look random and are the same every time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }
}

/// Suspends for some numbers, fails for others, panics for a few.
fn moody<const TOPIC: usize>(name: &'static str) -> Row
where
    Nth<TOPIC>: Event,
{
    let attach: Attach<Probe, (), Nth<TOPIC>> = |_, ()| {
        place(move |event: Arc<Nth<TOPIC>>| async move {
            if event.0.is_multiple_of(3) {
                tokio::task::yield_now().await;
            }
            assert!(!event.0.is_multiple_of(97), "a multiple of 97");
            let outcome = if event.0.is_multiple_of(31) { Err(fault("a multiple of 31")) } else { Ok(()) };
            (event, outcome)
        })
    };
    EventRow::typed::<Nth<TOPIC>>(name, attach)
}

/// Every policy, alone, shared, with several calls under way and isolated.
fn rows() -> Vec<Row> {
    let policies = [Overflow::Block, Overflow::DropOldest, Overflow::DropNewest, Overflow::Latest];
    let digit = || Key::of(|event: &Zero| &LAST_DIGIT[(event.0 % 10) as usize]);
    let mut rows = vec![
        moody::<0>("block").capacity(3).startup(2),
        gated::<0>().capacity(5).startup(7).overflow(Overflow::DropNewest),
        moody::<0>("latest of a digit").latest_by(digit()).capacity(4).startup(3),
        moody::<0>("filtered")
            .when(Filter::of(|event: &Zero| event.0.is_multiple_of(2)))
            .latest_by(digit())
            .capacity(2),
        plain::<1>(),
    ];
    for (overflow, queue) in policies.into_iter().zip(["q block", "q oldest", "q newest", ""]) {
        let small = |row: Row| row.overflow(overflow).capacity(2).startup(3);
        rows.push(small(moody::<0>("alone")));
        rows.push(small(moody::<0>("wide").concurrency(3)));
        rows.push(small(moody::<0>("isolated").isolated()));
        rows.push(small(moody::<0>("isolated and wide").concurrency(2).isolated()));
        if overflow != Overflow::Latest {
            rows.push(small(moody::<0>("first").queue(queue)));
            rows.push(moody::<1>("second").queue(queue));
        }
    }
    rows
}

const LAST_DIGIT: [char; 10] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9'];

#[tokio::test]
async fn counts_add_up_after_any_sequence_of_steps() {
    for seed in 1..=150 {
        let mut dice = Dice(0x9E37_79B9_7F4A_7C15_u64.wrapping_mul(seed));
        let rig = Rig::new(rows());
        let mut running = Vec::new();
        let mut publishes = tokio::task::JoinSet::new();
        for number in 0..200 {
            match dice.roll(16) {
                0 if running.is_empty() => running = rig.start_all(),
                1 if dice.roll(4) == 0 => {
                    for running in running.drain(..) {
                        running.abort();
                        if let Err(error) = running.await {
                            assert!(error.is_cancelled(), "{error}");
                        }
                    }
                }
                2 if dice.roll(4) == 0 => rig.wiring.buffer(),
                3 if dice.roll(8) == 0 => rig.wiring.drain(),
                4 if dice.roll(16) == 0 => rig.wiring.close(),
                5 => publishes.abort_all(),
                6 => rig.probe.gates[0].add_permits(3),
                7..=9 => tokio::task::yield_now().await,
                10..=12 => {
                    let publisher = rig.publisher.clone();
                    publishes.spawn(async move { publisher.publish(zero(number)).await });
                }
                13 => drop(rig.publisher.try_publish(one(number))),
                _ => drop(rig.publisher.try_publish(zero(number))),
            }
            for status in rig.wiring.status() {
                assert_adds_up(&status);
                assert!(status.in_flight <= status.concurrency as u64, "{status:?}");
            }
            if running.iter().all(JoinHandle::is_finished) {
                running.clear();
            }
        }
        rig.wiring.close();
        for running in running {
            running.await.unwrap().ok();
        }
        while publishes.join_next().await.is_some() {}
        for status in rig.wiring.status() {
            assert_adds_up(&status);
            assert_eq!((status.queued, status.in_flight), (0, 0), "{status:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn counts_are_exact_under_contention() {
    const PUBLISHERS: u64 = 4;
    const EVENTS: u64 = 3000;
    let bus = Bus::new();
    let rigs: Vec<Rig> = ["a", "b"].map(|name| Rig::on(&bus, name, rows())).into();
    let running: Vec<_> = rigs.iter().map(Rig::start_all).collect();
    let mut pulled = bus.subscribe::<Zero>("me", "test:*", QueueOptions::default().capacity(8)).unwrap();
    let handle = pulled.handle();
    let puller = tokio::spawn(async move {
        let mut last = [None; PUBLISHERS as usize];
        while let Some(event) = pulled.recv().await {
            let (who, number) = ((event.0 % PUBLISHERS) as usize, event.0 / PUBLISHERS);
            assert!(last[who] < Some(number), "out of order");
            last[who] = Some(number);
        }
        assert_eq!(last, [Some(EVENTS - 1); PUBLISHERS as usize], "a publisher waits for room");
    });
    let publishers: Vec<_> = (0..PUBLISHERS)
        .map(|who| {
            let publisher = bus.publisher("tester");
            tokio::spawn(async move {
                for number in 0..EVENTS {
                    publisher.publish(zero(number * PUBLISHERS + who)).await.unwrap();
                }
            })
        })
        .collect();
    for publisher in publishers {
        publisher.await.unwrap();
    }
    handle.close();
    puller.await.unwrap();
    for (rig, running) in rigs.iter().zip(running) {
        rig.probe.gates[0].add_permits((PUBLISHERS * EVENTS) as usize);
        rig.wiring.drain();
        for running in running {
            running.await.unwrap().unwrap();
        }
        for status in rig.wiring.status().iter().filter(|status| status.topic == "test:zero") {
            assert_adds_up(status);
            let offered = if status.name == "filtered" { PUBLISHERS * EVENTS / 2 } else { PUBLISHERS * EVENTS };
            assert_eq!((status.offered, status.queued, status.in_flight), (offered, 0, 0), "{status:?}");
        }
        assert_eq!(rig.status("block").abandoned, 0, "drained, not cut short");
    }
}
