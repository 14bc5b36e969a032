//! What a seed means: a plan, drawn by chance.

use std::time::Duration;

use daemon_core::{Missed, OnError, Overflow, Overlap, Restart, RestartPolicy};

use crate::dice::Dice;
use crate::plan::{Deed, Handler, Node, Plan, Registration as R, SPAWNED, Step};

const REGISTRATIONS: [R; 11] = [
    R::Guard,
    R::EndGuards,
    R::Interval,
    R::EndInterval,
    R::EndIntervals,
    R::Pull,
    R::OnReady,
    R::Defer,
    R::Blocking,
    R::Tap,
    R::Heir,
];

/// How long a start may take where nothing else is said.
const START_TIMEOUT: Duration = Duration::from_secs(20);

/// How much goes wrong, and which deeds there are beside the common ones.
struct Temper {
    /// In so many of a hundred calls.
    trouble: u64,
    blocks: bool,
}

impl Plan {
    pub(crate) fn new(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        // How much goes wrong differs from seed to seed; in some nothing does.
        let temper = Temper { trouble: dice.roll(4) * 10, blocks: false };
        let count = dice.index(7) + 2;
        let mut nodes: Vec<_> = (0..count).map(|at| node(&mut dice, at, &temper)).collect();
        nodes[count - 1].late = dice.chance(20);
        let keeps_contexts = dice.chance(40);
        let steps = (0..dice.roll(6)).flat_map(|_| steps(&mut dice, count)).collect();
        let at_moment = dice.chance(30).then(|| (dice.index(200), step(&mut dice, count)));
        let run_for = dice.millis(8_000);
        let patience = if dice.chance(15) { dice.millis(2_000) } else { Duration::from_secs(120) };
        // Often one that a few slow starts in a row use up.
        let start_budget = dice.chance(30).then(|| if dice.chance(70) { dice.millis(90) } else { dice.millis(5_000) });
        let start_timeout = start_budget.unwrap_or(START_TIMEOUT).min(START_TIMEOUT);
        for node in &mut nodes {
            // Timeouts that are declared have to go into a budget that is, one after the other.
            let most = start_budget.map_or(2_000, |budget| budget.as_millis() as u64 / count as u64);
            node.start_timeout = (most > 0 && dice.chance(20)).then(|| dice.millis(most));
            // So that budgets are used up, and reloads meet daemons that start.
            if dice.chance(40) {
                node.initialize[0] = Deed::Slow(dice.millis(60));
                node.initialize[1] = Deed::Slow(dice.millis(200));
            }
        }
        let load = deeds(&mut dice, &temper, 0);
        let unready_delay = if dice.chance(20) { dice.millis(300) } else { Duration::ZERO };
        let farewell = (0..dice.roll(4)).flat_map(|_| deeds(&mut dice, &temper, 0).into_iter().take(1)).collect();
        let of = Self::of(nodes, steps);
        Self {
            at_moment,
            run_for,
            patience,
            load,
            start_timeout,
            start_budget,
            unready_delay,
            farewell,
            keeps_contexts,
            ..of
        }
    }

    /// A plan with the limits that are common, and as if nobody would change the configuration.
    fn of(nodes: Vec<Node>, steps: Vec<(Duration, Step)>) -> Self {
        Self {
            nodes,
            steps,
            at_moment: None,
            run_for: Duration::ZERO,
            load: vec![Deed::Well],
            start_timeout: START_TIMEOUT,
            start_budget: None,
            patience: Duration::from_secs(120),
            stop_budget: Duration::from_secs(10),
            unready_delay: Duration::ZERO,
            farewell: vec![Deed::Well; 2],
            keeps_contexts: false,
            blocks: false,
        }
    }

    /// A plan in which nothing goes wrong by itself, and that is over soon.
    pub(crate) fn calm(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let temper = Temper { trouble: 0, blocks: false };
        let nodes: Vec<_> = (0..3).map(|at| node(&mut dice, at, &temper)).collect();
        Self { run_for: dice.millis(60), ..Self::of(nodes, Vec::new()) }
    }

    /// A plan in which threads are blocked, in real time.
    pub(crate) fn blocking(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let temper = Temper { trouble: 12, blocks: true };
        let count = dice.index(3) + 2;
        let mut nodes: Vec<_> = (0..count).map(|at| node(&mut dice, at, &temper)).collect();
        for node in &mut nodes {
            node.stop_timeout = Some(Duration::from_millis(60 + dice.roll(40))); // four in a row are within the budget
            node.period = node.period.map(|period| period / 40 + Duration::from_millis(1));
        }
        let steps = (0..dice.roll(3)).map(|_| (dice.millis(60), step(&mut dice, count))).collect();
        let (patience, stop_budget) = (Duration::from_secs(20), Duration::from_millis(400));
        // Also how long a reload may hang.
        let (run_for, start_timeout) = (dice.millis(80), Duration::from_secs(1));
        Self { run_for, start_timeout, patience, stop_budget, blocks: true, ..Self::of(nodes, steps) }
    }

    /// A plan in which starts block all the threads there are, for longer than they may take, in real time.
    pub(crate) fn overdue(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let temper = Temper { trouble: 0, blocks: true };
        let count = dice.index(3) + 2;
        let mut nodes: Vec<_> = (0..count).map(|at| node(&mut dice, at, &temper)).collect();
        let start_timeout = Duration::from_millis(20 + dice.roll(200));
        let start_budget = dice.chance(60).then(|| start_timeout + dice.millis(200));
        for node in &mut nodes {
            node.made = None; // what blocks is to be their starts
            if dice.chance(70) {
                node.initialize = vec![Deed::Block(Duration::from_millis(1_300 + dice.roll(700)))];
            }
        }
        let blocks_all = dice.index(count);
        nodes[blocks_all].requires.clear();
        nodes[blocks_all].wants.clear();
        nodes[blocks_all].optional = false; // an optional one is waited for
        nodes[blocks_all].initialize = vec![Deed::Block(Duration::from_millis(2_000))];
        let run_for = Duration::from_millis(100);
        Self { run_for, start_timeout, start_budget, blocks: true, ..Self::of(nodes, Vec::new()) }
    }
}

/// A step, and now and then a reload close behind it.
fn steps(dice: &mut Dice, count: usize) -> Vec<(Duration, Step)> {
    let first = (dice.millis(3_000), step(dice, count));
    let second = dice.chance(40).then(|| (dice.millis(60), Step::Reload));
    let third = dice.chance(20).then(|| (dice.millis(40), Step::GiveUp));
    std::iter::once(first).chain(second).chain(third).collect()
}

fn step(dice: &mut Dice, count: usize) -> Step {
    let at = dice.index(count);
    match dice.roll(16) {
        9 | 10 => Step::Reload,
        11 if dice.chance(50) => Step::Fail(at, dice.chance(30)),
        12 => Step::PublishAndWait(dice.index(2)),
        13 => Step::Pause(at),
        14 if dice.chance(50) => Step::Resume(at),
        14 => Step::Run(at),
        15 => Step::Period(at, dice.millis(700)),
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
        start_timeout: None,
        stop_timeout: dice.chance(30).then(|| dice.millis(1_000)),
        initialize: self::deeds(dice, &Temper { trouble: trouble / 3, blocks }, 30),
        cleanup: deeds(dice, 30),
        period: dice.chance(70).then(|| dice.millis(700)),
        overlap: [Overlap::Skip, Overlap::Queue(3), Overlap::Concurrent(3)][dice.index(3)],
        missed: [Missed::Skip, Missed::CatchUpOnce, Missed::Burst][dice.index(3)],
        jitter: dice.chance(20),
        timeout: dice.chance(20).then(|| dice.millis(600)),
        tick: deeds(dice, 50),
        on_error: on_error(dice, trouble),
        task: dice.chance(60).then(|| {
            let mut deeds = deeds(dice, 50);
            deeds.push(Deed::Heed);
            deeds
        }),
        finite: dice.chance(30),
        handlers: [(); 4].map(|()| {
            dice.chance(50).then(|| Handler {
                capacity: dice.index(6) + 1,
                overflow: OVERFLOWS[dice.index(OVERFLOWS.len())],
                startup: dice.index(24),
                keyed: dice.chance(50),
                concurrency: u32::try_from(dice.roll(3)).unwrap() + 1,
                isolated: dice.chance(20),
                on_error: on_error(dice, trouble),
                deeds: deeds(dice, 30),
            })
        }),
        shared: dice.chance(30),
        command: deeds(dice, 30),
        check: deeds(dice, 10),
        check_reload: self::deeds(dice, &Temper { trouble: trouble / 3, blocks }, 10),
        reload: deeds(dice, 20),
        made: dice.chance(30).then(|| self::deeds(dice, &Temper { trouble: trouble / 3, blocks }, 0)),
        reaction: dice.chance(40).then(|| (dice.index(at + 2), deeds(dice, 30))),
        deferral: dice.chance(40).then(|| (dice.millis(500), deeds(dice, 30))),
        begun: deeds(dice, 30),
        late: false,
    }
}

/// What a failure leads to; where little goes wrong mostly to nothing.
fn on_error(dice: &mut Dice, trouble: u64) -> OnError {
    match dice.roll(200) {
        roll if roll >= trouble * 2 => OnError::Log,
        roll if roll < trouble / 3 => OnError::Fail,
        _ => OnError::Restart,
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
    match dice.roll(11) {
        10 => Deed::Await(dice.index(SPAWNED.len())),
        8 => Deed::PublishHandled(dice.index(2), dice.millis(400)),
        9 => Deed::Keep,
        0 | 1 => Deed::Publish(dice.index(2)),
        2 => Deed::PublishWithin(dice.index(2), dice.millis(20)),
        3 => Deed::Storm(dice.index(2), dice.index(12)),
        4 => Deed::Spawn(dice.index(SPAWNED.len())),
        5 if dice.chance(40) => Deed::Call(dice.index(2)),
        5 if dice.chance(20) => Deed::Checks,
        5 if dice.chance(30) => Deed::Reload,
        _ => Deed::Register(REGISTRATIONS[dice.index(REGISTRATIONS.len())]),
    }
}
