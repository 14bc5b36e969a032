//! What a seed means: a graph, what each daemon's code does, and who steps in when.

use std::fmt;
use std::time::Duration;

use daemon_core::{Missed, Overflow, Overlap, Restart, RestartPolicy};

use crate::dice::Dice;

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
    /// Blocks its thread for so long. Only where time is real.
    Block(Duration),
    /// Ends well once it is cancelled.
    Heed,
    /// Asks for the host's shutdown.
    Shutdown,
    /// Publishes on one of the topics, and waits for room.
    Publish(usize),
    /// Publishes, and gives up if there is no room in time.
    PublishWithin(usize, Duration),
    /// Publishes so often without waiting.
    Storm(usize, usize),
    /// Spawns work that does the deed of that number in [`SPAWNED`].
    Spawn(usize),
    /// Registers, subscribes, unregisters; see [`Registration`].
    Register(Registration),
    /// Calls a command of another daemon.
    Call(usize),
    /// Runs all health checks.
    Checks,
}

/// What spawned work does.
pub(crate) const SPAWNED: [Deed; 6] =
    [Deed::Well, Deed::Panic, Deed::Hang, Deed::Heed, Deed::Publish(0), Deed::Slow(Duration::from_millis(40))];

/// What a daemon does about its registrations at run time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Registration {
    Guard,
    EndGuards,
    Interval,
    EndInterval,
    EndIntervals,
    Pull,
    OnReady,
    Defer,
    Blocking,
    /// Work whose destructor spawns other work.
    Heir,
}

use Registration as R;
const REGISTRATIONS: [Registration; 10] = [
    R::Guard,
    R::EndGuards,
    R::Interval,
    R::EndInterval,
    R::EndIntervals,
    R::Pull,
    R::OnReady,
    R::Defer,
    R::Blocking,
    R::Heir,
];

/// A handler's queue and what its calls do.
#[derive(Clone, Debug)]
pub(crate) struct Handler {
    pub(crate) capacity: usize,
    pub(crate) overflow: Overflow,
    pub(crate) startup: usize,
    /// Where the latest is kept, whether that of each key.
    pub(crate) keyed: bool,
    /// How many calls may be under way at once.
    pub(crate) concurrency: u32,
    pub(crate) isolated: bool,
    pub(crate) deeds: Vec<Deed>,
}

#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) requires: Vec<usize>,
    pub(crate) wants: Vec<usize>,
    pub(crate) optional: bool,
    pub(crate) restart: RestartPolicy,
    pub(crate) stop_timeout: Option<Duration>,
    pub(crate) initialize: Vec<Deed>,
    pub(crate) cleanup: Vec<Deed>,
    pub(crate) period: Option<Duration>,
    pub(crate) overlap: Overlap,
    pub(crate) missed: Missed,
    pub(crate) jitter: bool,
    /// A tick's timeout.
    pub(crate) timeout: Option<Duration>,
    pub(crate) tick: Vec<Deed>,
    pub(crate) task: Option<Vec<Deed>>,
    /// Two on the first topic, one on the second, one on both.
    pub(crate) handlers: [Option<Handler>; 4],
    /// Whether the first two share a queue, that of the first.
    pub(crate) shared: bool,
    pub(crate) command: Vec<Deed>,
    pub(crate) check: Vec<Deed>,
    /// Added at run time only.
    pub(crate) late: bool,
}

/// What somebody does from outside.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    Restart(usize),
    Stop(usize),
    Start(usize),
    Add(usize),
    Publish(usize, usize),
    Call(usize),
    Checks,
    Shutdown,
}

#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) nodes: Vec<Node>,
    pub(crate) steps: Vec<(Duration, Step)>,
    /// A step that is taken when so many moments have been seen.
    pub(crate) at_moment: Option<(usize, Step)>,
    pub(crate) run_for: Duration,
    /// When the start is given up.
    pub(crate) patience: Duration,
    pub(crate) stop_budget: Duration,
    /// Whether threads are blocked, so that time is real.
    pub(crate) blocks: bool,
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, node) in self.nodes.iter().enumerate() {
            writeln!(f, "n{at}: {node:?}")?;
        }
        let Self { steps, at_moment, run_for, patience, stop_budget, .. } = self;
        writeln!(f, "steps {steps:?}, at a moment {at_moment:?}")?;
        writeln!(f, "runs for {run_for:?}, patience {patience:?}, stop budget {stop_budget:?}")
    }
}

/// How much goes wrong, and which deeds there are beside the common ones.
struct Temper {
    /// In so many of a hundred calls.
    trouble: u64,
    blocks: bool,
}

impl Node {
    /// How many calls of a handler may be under way at once, together with those of the handlers that share its queue.
    pub(crate) fn calls_at_once(&self, handler: usize) -> u32 {
        match &self.handlers[handler] {
            Some(_) if handler < 2 && self.shares() => 1,
            Some(of) => of.concurrency,
            None => 0,
        }
    }

    /// Whether the first two handlers share a queue, whose events stay in order.
    pub(crate) fn shares(&self) -> bool {
        let keeps_order = self.handlers[0].as_ref().is_some_and(|first| first.overflow != Overflow::Latest);
        self.shared && keeps_order && self.handlers[1].is_some()
    }
}

impl Plan {
    pub(crate) fn new(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        // How much goes wrong differs from seed to seed; in some nothing does.
        let temper = Temper { trouble: dice.roll(4) * 10, blocks: false };
        let count = dice.index(7) + 2;
        let mut nodes: Vec<_> = (0..count).map(|at| node(&mut dice, at, &temper)).collect();
        nodes[count - 1].late = dice.chance(20);
        let steps = (0..dice.roll(6)).map(|_| (dice.millis(3_000), step(&mut dice, count))).collect();
        let at_moment = dice.chance(30).then(|| (dice.index(200), step(&mut dice, count)));
        let run_for = dice.millis(8_000);
        let patience = if dice.chance(15) { dice.millis(2_000) } else { Duration::from_secs(120) };
        let stop_budget = Duration::from_secs(10);
        Self { nodes, steps, at_moment, run_for, patience, stop_budget, blocks: false }
    }

    /// A plan in which nothing goes wrong by itself, and that is over soon.
    pub(crate) fn calm(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let temper = Temper { trouble: 0, blocks: false };
        let nodes: Vec<_> = (0..3).map(|at| node(&mut dice, at, &temper)).collect();
        let (run_for, patience, stop_budget) = (dice.millis(60), Duration::from_secs(120), Duration::from_secs(10));
        Self { nodes, steps: Vec::new(), at_moment: None, run_for, patience, stop_budget, blocks: false }
    }

    /// A plan in which threads are blocked, in real time.
    pub(crate) fn blocking(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let temper = Temper { trouble: 12, blocks: true };
        let count = dice.index(3) + 2;
        let mut nodes: Vec<_> = (0..count).map(|at| node(&mut dice, at, &temper)).collect();
        for node in &mut nodes {
            node.stop_timeout = Some(Duration::from_millis(60 + dice.roll(60)));
            node.period = node.period.map(|period| period / 40 + Duration::from_millis(1));
        }
        let steps = (0..dice.roll(3)).map(|_| (dice.millis(60), step(&mut dice, count))).collect();
        let (patience, stop_budget) = (Duration::from_secs(20), Duration::from_millis(400));
        Self { nodes, steps, at_moment: None, run_for: dice.millis(80), patience, stop_budget, blocks: true }
    }
}

fn step(dice: &mut Dice, count: usize) -> Step {
    let at = dice.index(count);
    match dice.roll(9) {
        0 => Step::Restart(at),
        1 => Step::Stop(at),
        2 => Step::Start(at),
        3 => Step::Add(count - 1),
        4 => Step::Call(at),
        5 => Step::Checks,
        6 if dice.chance(30) => Step::Shutdown,
        _ => Step::Publish(dice.index(2), dice.index(30)),
    }
}

fn node(dice: &mut Dice, at: usize, temper: &Temper) -> Node {
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
    let limit = u32::try_from(dice.roll(4)).unwrap().max(1); // none is refused: it would be `never`
    let backoff = if temper.blocks { dice.millis(10) } else { dice.millis(500) };
    let Temper { trouble, blocks } = *temper;
    let deeds = |dice: &mut Dice, others: u64| deeds(dice, &Temper { trouble, blocks }, others);
    Node {
        requires,
        wants,
        optional: dice.chance(30),
        restart: RestartPolicy::new(restart).limit(limit, Duration::from_secs(600)).backoff(backoff, backoff * 4),
        stop_timeout: dice.chance(30).then(|| dice.millis(1_000)),
        initialize: self::deeds(dice, &Temper { trouble: trouble / 3, blocks }, 30),
        cleanup: deeds(dice, 30),
        period: dice.chance(70).then(|| dice.millis(700)),
        overlap: [Overlap::Skip, Overlap::Queue(3), Overlap::Concurrent(3)][dice.index(3)],
        missed: [Missed::Skip, Missed::CatchUpOnce, Missed::Burst][dice.index(3)],
        jitter: dice.chance(20),
        timeout: dice.chance(20).then(|| dice.millis(600)),
        tick: deeds(dice, 50),
        task: dice.chance(60).then(|| {
            let mut deeds = deeds(dice, 50);
            deeds.push(Deed::Heed);
            deeds
        }),
        handlers: [(); 4].map(|()| {
            dice.chance(50).then(|| Handler {
                capacity: dice.index(6) + 1,
                overflow: OVERFLOWS[dice.index(OVERFLOWS.len())],
                startup: dice.index(24),
                keyed: dice.chance(50),
                concurrency: u32::try_from(dice.roll(3)).unwrap() + 1,
                isolated: dice.chance(20),
                deeds: deeds(dice, 30),
            })
        }),
        shared: dice.chance(30),
        command: deeds(dice, 30),
        check: deeds(dice, 10),
        late: false,
    }
}

/// Every policy.
const OVERFLOWS: [Overflow; 4] = [Overflow::Block, Overflow::DropOldest, Overflow::DropNewest, Overflow::Latest];

/// What is done at each of a few calls, over and over; in `others` of a hundred something else than ending well.
fn deeds(dice: &mut Dice, temper: &Temper, others: u64) -> Vec<Deed> {
    (0..4).map(|_| if dice.chance(temper.trouble) { trouble(dice, temper) } else { deed(dice, others) }).collect()
}

fn trouble(dice: &mut Dice, temper: &Temper) -> Deed {
    let most = if temper.blocks { 60 } else { 3_000 };
    match dice.roll(12) {
        0..3 if temper.blocks => Deed::Block(dice.millis(150)),
        0..3 => Deed::Error,
        3..6 => Deed::Panic,
        6..8 => Deed::Hang,
        8 if dice.chance(30) => Deed::Shutdown,
        _ => Deed::Slow(dice.millis(most)),
    }
}

fn deed(dice: &mut Dice, others: u64) -> Deed {
    if !dice.chance(others) {
        return if dice.chance(25) { Deed::Slow(dice.millis(50)) } else { Deed::Well };
    }
    match dice.roll(8) {
        0 | 1 => Deed::Publish(dice.index(2)),
        2 => Deed::PublishWithin(dice.index(2), dice.millis(20)),
        3 => Deed::Storm(dice.index(2), dice.index(12)),
        4 => Deed::Spawn(dice.index(SPAWNED.len())),
        5 if dice.chance(40) => Deed::Call(dice.index(2)),
        5 if dice.chance(20) => Deed::Checks,
        _ => Deed::Register(REGISTRATIONS[dice.index(REGISTRATIONS.len())]),
    }
}
