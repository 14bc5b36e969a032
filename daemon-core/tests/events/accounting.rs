use super::{Probe, Rig, Row, Zero, assert_adds_up, fault, gated, plain, zero};
use daemon_core::{Attach, Bus, EventRow, Overflow, QueueOptions, place};
use std::sync::Arc;

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
fn moody(name: &'static str) -> Row {
    let attach: Attach<Probe, (), Zero> = |_, ()| {
        place(move |event: Arc<Zero>| async move {
            if event.0.is_multiple_of(3) {
                tokio::task::yield_now().await;
            }
            assert!(!event.0.is_multiple_of(97), "a multiple of 97");
            let outcome = if event.0.is_multiple_of(31) { Err(fault("a multiple of 31")) } else { Ok(()) };
            (event, outcome)
        })
    };
    EventRow::typed::<Zero>(name, attach)
}

fn rows() -> [Row; 5] {
    [
        moody("block").capacity(3).startup(2),
        moody("oldest").capacity(2).overflow(Overflow::DropOldest),
        moody("newest").capacity(4).overflow(Overflow::DropNewest),
        gated::<0>().capacity(5).startup(7).overflow(Overflow::DropNewest),
        plain::<1>(),
    ]
}

#[tokio::test]
async fn counts_add_up_after_any_sequence_of_steps() {
    for seed in 1..=150 {
        let mut dice = Dice(0x9E37_79B9_7F4A_7C15_u64.wrapping_mul(seed));
        let rig = Rig::new(rows());
        let mut running = None;
        let mut publishes = tokio::task::JoinSet::new();
        for number in 0..200 {
            match dice.roll(16) {
                0 => running = running.or_else(|| Some(rig.start())),
                1 if dice.roll(4) == 0 => {
                    if let Some(running) = running.take() {
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
                _ => drop(rig.publisher.try_publish(zero(number))),
            }
            rig.wiring.status().iter().for_each(assert_adds_up);
            if running.as_ref().is_some_and(|running| running.is_finished()) {
                running = None;
            }
        }
        rig.wiring.close();
        if let Some(running) = running {
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
    let rigs: Vec<Rig> = ["a", "b", "c"].map(|name| Rig::on(&bus, name, rows())).into();
    let running: Vec<_> = rigs.iter().map(Rig::start).collect();
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
        rig.drained(running).await;
        for status in rig.wiring.status().iter().filter(|status| status.topic == "test:zero") {
            assert_adds_up(status);
            assert_eq!((status.offered, status.queued, status.in_flight), (PUBLISHERS * EVENTS, 0, 0));
        }
        assert_eq!(rig.status("block").abandoned, 0, "drained, not cut short");
    }
}
