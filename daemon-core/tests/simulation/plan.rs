//! What a seed means: a graph, what each daemon's code does, and who steps in when.

use std::time::Duration;

use daemon_core::{Overflow, Restart, RestartPolicy};

/// What a piece of user code does when it is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deed {
    Well,
    Error,
    Panic,
    /// Takes so long, then ends well.
    Slow(Duration),
    /// Never ends, and heeds nothing.
    Hang,
    /// Publishes, and waits for room.
    Publish,
    /// Ends well once it is cancelled.
    Heed,
    /// Asks for the host's shutdown.
    Shutdown,
}

#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) requires: Vec<usize>,
    pub(crate) wants: Vec<usize>,
    pub(crate) optional: bool,
    pub(crate) restart: RestartPolicy,
    pub(crate) initialize: Vec<Deed>,
    pub(crate) cleanup: Vec<Deed>,
    pub(crate) period: Option<Duration>,
    pub(crate) tick: Vec<Deed>,
    pub(crate) task: Option<Vec<Deed>>,
    pub(crate) handler: Option<(usize, Overflow, Vec<Deed>)>,
}

#[derive(Clone, Debug)]
pub(crate) enum Step {
    Restart(usize),
    Stop(usize),
    Start(usize),
    Publish(usize),
}

#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) nodes: Vec<Node>,
    pub(crate) steps: Vec<(Duration, Step)>,
    pub(crate) run_for: Duration,
    /// When the start is given up.
    pub(crate) patience: Duration,
}

/// A small generator of numbers: splitmix64.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % sides
    }

    fn chance(&mut self, percent: u64) -> bool {
        self.roll(100) < percent
    }

    fn millis(&mut self, most: u64) -> Duration {
        Duration::from_millis(self.roll(most) + 1)
    }

    fn index(&mut self, len: usize) -> usize {
        usize::try_from(self.roll(len as u64)).unwrap()
    }
}

impl Plan {
    pub(crate) fn new(seed: u64) -> Self {
        let mut dice = Dice(seed);
        // How much goes wrong differs from seed to seed; in some nothing does.
        let trouble = dice.roll(4) * 10;
        let count = dice.index(7) + 2;
        let nodes = (0..count).map(|at| node(&mut dice, at, trouble)).collect();
        let steps = (0..dice.roll(5))
            .map(|_| {
                let at = dice.index(count);
                let step = match dice.roll(4) {
                    0 => Step::Restart(at),
                    1 => Step::Stop(at),
                    2 => Step::Start(at),
                    _ => Step::Publish(dice.index(30)),
                };
                (dice.millis(3_000), step)
            })
            .collect();
        let run_for = dice.millis(8_000);
        let patience = if dice.chance(15) { dice.millis(2_000) } else { Duration::from_secs(120) };
        Self { nodes, steps, run_for, patience }
    }
}

fn node(dice: &mut Dice, at: usize, trouble: u64) -> Node {
    let (mut requires, mut wants) = (Vec::new(), Vec::new());
    for on in 0..at {
        match dice.roll(10) {
            0..3 => requires.push(on),
            3 => wants.push(on),
            _ => {}
        }
    }
    let restart = match dice.roll(4) {
        0 => Restart::Never,
        1 => Restart::Always,
        _ => Restart::OnFailure,
    };
    let limit = u32::try_from(dice.roll(4)).unwrap();
    let backoff = dice.millis(500);
    Node {
        requires,
        wants,
        optional: dice.chance(30),
        restart: RestartPolicy::new(restart).limit(limit, Duration::from_secs(600)).backoff(backoff, backoff * 4),
        initialize: deeds(dice, trouble / 3, &[Deed::Publish]),
        cleanup: deeds(dice, trouble, &[Deed::Publish]),
        period: dice.chance(70).then(|| dice.millis(700)),
        tick: deeds(dice, trouble, &[Deed::Publish, Deed::Publish, Deed::Heed]),
        task: dice.chance(60).then(|| {
            let mut deeds = deeds(dice, trouble, &[Deed::Publish]);
            deeds.push(Deed::Heed);
            deeds
        }),
        handler: dice.chance(80).then(|| {
            let overflow = [Overflow::Block, Overflow::DropOldest, Overflow::DropNewest][dice.index(3)];
            (dice.index(6) + 1, overflow, deeds(dice, trouble, &[Deed::Publish]))
        }),
    }
}

/// What is done at each of a few calls, over and over.
fn deeds(dice: &mut Dice, trouble: u64, others: &[Deed]) -> Vec<Deed> {
    let mut deed = || {
        if dice.chance(trouble) {
            return match dice.roll(12) {
                0..3 => Deed::Error,
                3..6 => Deed::Panic,
                6..8 => Deed::Hang,
                8 if dice.chance(30) => Deed::Shutdown,
                _ => Deed::Slow(dice.millis(3_000)),
            };
        }
        match dice.roll(4) {
            0 => others[dice.index(others.len())],
            1 => Deed::Slow(dice.millis(50)),
            _ => Deed::Well,
        }
    };
    (0..4).map(|_| deed()).collect()
}
