//! The guarantees, as far as the trace of daemons' code shows whether they were kept.

use std::collections::HashMap;

use daemon_core::Overlap;

use crate::actor::{HANDLERS, OF_CLEANUP};
use crate::plan::{Node, Plan};
use crate::stage::Stage;
use crate::trace::{End, Line, Moment};

/// What may be under way only once at a time.
const ALONE: [&str; 5] = ["tick", "late tick", "task", "check_reload", "reload"];

/// What is known of one daemon while the trace is read.
#[derive(Default)]
struct Seen {
    life: u32,
    /// Entered `initialize` and not yet `cleanup`.
    up: bool,
    initialized: bool,
    /// Running pieces of work by name.
    work: HashMap<&'static str, i32>,
    /// Those of them that block their threads, until they end: their daemon may stop meanwhile.
    stuck: HashMap<&'static str, i32>,
    /// Those of these that are about to end.
    unblocked: HashMap<&'static str, i32>,
    /// Those that were there when their time was up because some thread was blocked: they are dropped later, and not polled.
    held: HashMap<&'static str, i32>,
    /// How many threads it blocks.
    blocks: i32,
    guards: i32,
    /// How many values there are of those that a factory made.
    values: i32,
    cleanups: HashMap<u32, u32>,
    births: u32,
    /// How often the task was run in each life.
    task_runs: HashMap<u32, u32>,
    /// How often each life did what is done once in it: reactions once for each life that is reacted to.
    once: HashMap<(&'static str, u32, u32), u32>,
}

impl Seen {
    /// How many pieces of work of that name are neither stuck nor held up.
    fn free(&self, what: &'static str) -> i32 {
        let count = |map: &HashMap<&'static str, i32>| map.get(what).copied().unwrap_or(0);
        count(&self.work) - count(&self.stuck) - count(&self.held)
    }

    /// Whether more is under way of what has begun than may be.
    fn overlaps(&self, plan: &Node, what: &'static str) -> bool {
        if ALONE.contains(&what) {
            let most = match plan.overlap {
                Overlap::Concurrent(most) if what == "tick" => i32::from(most),
                _ => 1,
            };
            return self.free(what) > most;
        }
        let Some(handler) = HANDLERS.iter().position(|name| *name == what) else { return false };
        let shares = handler < 2 && plan.shares();
        let beside = if shares { self.free(HANDLERS[1 - handler]) } else { 0 };
        i64::from(self.free(what) + beside) > i64::from(plan.calls_at_once(handler))
    }

    /// Some work that is neither stuck nor held up.
    fn left(&self) -> Option<&'static str> {
        self.work.keys().copied().find(|what| self.free(what) > 0)
    }
}

pub(crate) fn check(stage: &Stage) -> Vec<String> {
    let plan = &stage.plan;
    let mut faults = stage.faults.lock().unwrap().clone();
    let mut seen: Vec<Seen> = plan.nodes.iter().map(|_| Seen::default()).collect();
    let mut steered = false;
    for (number, (_, line)) in stage.trace.lines().into_iter().enumerate() {
        match line {
            Line::Load(_) | Line::Reloaded(_) | Line::Farewell(_) => {}
            Line::Note(text) => {
                steered |= ["Restart", "Start", "Add", "Fail"].iter().any(|step| text.starts_with(step))
            }
            Line::Node { node, life, moment, ready } => {
                let fault = moment_fault(plan, &mut seen, node, life, moment);
                let fault = fault.or_else(|| if ready && !plan.blocks { unready(plan, &seen) } else { None });
                faults.extend(fault.map(|fault| format!("{fault} (line {number})")));
            }
        }
    }
    for (at, seen) in seen.iter().enumerate() {
        faults.extend(end_faults(plan, at, seen, steered));
    }
    faults
}

fn end_faults(plan: &Plan, at: usize, seen: &Seen, steered: bool) -> Vec<String> {
    let mut faults = Vec::new();
    for life in 0..=seen.life {
        let cleanups = seen.cleanups.get(&life).copied().unwrap_or(0);
        // The number 0 is that of a value that was never initialised.
        if cleanups != u32::from(life > 0) {
            faults.push(format!("G1: life {life} of n{at} was cleaned up {cleanups} times"));
        }
    }
    faults.extend(seen.left().map(|what| format!("G15: {what} of n{at} is still under way")));
    if seen.guards != 0 {
        faults.push(format!("G15: {} of what n{at} registered was not ended", seen.guards));
    }
    if seen.values != 0 && !plan.keeps_contexts && !plan.blocks {
        faults.push(format!("G15: {} values of n{at} are left", seen.values));
    }
    // Restarts by hand, and those that follow another daemon's, are not charged. A run is shorter than the period.
    let limit = plan.nodes[at].restart.limit;
    if let Some((life, runs)) = seen.task_runs.iter().find(|(_, runs)| **runs > limit.count + 1) {
        faults.push(format!("G11: the task of n{at} was run {runs} times in life {life}"));
    }
    if !steered && plan.nodes[at].requires.is_empty() && seen.births > limit.count + 1 {
        faults.push(format!("G11: n{at} was started {} times", seen.births));
    }
    faults
}

fn moment_fault(plan: &Plan, seen: &mut [Seen], node: usize, life: u32, moment: Moment) -> Option<String> {
    match moment {
        Moment::Initialize => born(plan, seen, node, life),
        Moment::Initialized => {
            seen[node].initialized = true;
            None
        }
        Moment::Cleanup => cleaned_up(plan, seen, node, life),
        Moment::CleanupGone => None,
        Moment::Work(what) => {
            let me = &mut seen[node];
            if what == "task" {
                *me.task_runs.entry(life).or_default() += 1;
            }
            *me.work.entry(what).or_default() += 1;
            if let Some(fault) = begins_once(plan, seen, node, life, what) {
                return Some(fault);
            }
            let me = &mut seen[node];
            if me.overlaps(&plan.nodes[node], what) {
                return Some(format!("G5: {what} of n{node} overlaps itself"));
            }
            (!me.up && what != OF_CLEANUP).then(|| format!("G3: {what} of n{node} began after its cleanup"))
        }
        Moment::WorkGone(what, end) => gone(&mut seen[node], node, life, what, end),
        Moment::Blocks(what) => {
            *seen[node].stuck.entry(what).or_default() += 1;
            seen[node].blocks += 1;
            None
        }
        Moment::Blocked(what) => {
            let me = &mut seen[node];
            me.blocks -= 1;
            if me.work.get(what).is_some_and(|work| *work > 0) {
                *me.unblocked.entry(what).or_default() += 1;
            } else {
                take(&mut me.stuck, what);
            }
            None
        }
        Moment::Guard => {
            seen[node].guards += 1;
            None
        }
        Moment::GuardGone => {
            seen[node].guards -= 1;
            None
        }
        Moment::Made => {
            seen[node].values += 1;
            // Whose context is kept keeps the values that it required.
            let beside = seen[node].values > 1 && !plan.keeps_contexts && !plan.blocks;
            beside.then(|| format!("G15: a value of n{node} was made beside the one before"))
        }
        Moment::ValueGone => {
            seen[node].values -= 1;
            seen[node].up.then(|| format!("G3: the value of n{node} was dropped in its life"))
        }
        Moment::Makes | Moment::Configured(_) | Moment::Asked(_) | Moment::Answered { .. } => None,
    }
}

fn gone(me: &mut Seen, node: usize, life: u32, what: &'static str, end: End) -> Option<String> {
    *me.work.entry(what).or_default() -= 1;
    // What blocked ends in the same poll, before anything beside it on the same thread.
    if take(&mut me.unblocked, what) {
        take(&mut me.stuck, what);
        return None;
    }
    let is_late = !(me.up && life == me.life);
    let was_held = is_late && take(&mut me.held, what);
    (was_held && end != End::Cut).then(|| format!("G3: {what} of n{node} went on after its cleanup"))
}

/// What is done once in a life, after the daemon has come to run, and so has who is reacted to.
fn begins_once(plan: &Plan, seen: &mut [Seen], node: usize, life: u32, what: &'static str) -> Option<String> {
    if !["reaction", "deferral", "begun"].contains(&what) {
        return None;
    }
    let to = plan.nodes[node].reaction.as_ref().map(|(to, _)| *to).filter(|_| what == "reaction");
    let (of, ran) = to.map_or((0, true), |to| (seen[to].life, seen[to].initialized));
    let me = &mut seen[node];
    let times = me.once.entry((what, life, of)).or_default();
    *times += 1;
    let early = (!ran || !me.initialized) && !plan.blocks;
    if *times > 1 && !plan.blocks {
        return Some(format!("{what} of n{node} came {times} times in life {life}"));
    }
    early.then(|| format!("{what} of n{node} came before it, or who it reacts to, ran"))
}

/// Who does not run though the host says that it is ready.
fn unready(plan: &Plan, seen: &[Seen]) -> Option<String> {
    let down = |at: &usize| {
        let (node, seen) = (&plan.nodes[*at], &seen[*at]);
        // One that is added late was not there from the beginning.
        let is_there = !node.late || seen.births > 0;
        is_there && !(node.optional || (seen.up && seen.initialized))
    };
    let at = (0..plan.nodes.len()).find(down)?;
    Some(format!("G8: the host was said to be ready while n{at} did not run"))
}

/// Takes one away, if there is one.
fn take(counts: &mut HashMap<&'static str, i32>, what: &'static str) -> bool {
    let count = counts.entry(what).or_default();
    let is_there = *count > 0;
    *count -= i32::from(is_there);
    is_there
}

fn born(plan: &Plan, seen: &mut [Seen], node: usize, life: u32) -> Option<String> {
    let lacks = plan.nodes[node].requires.iter().find(|&&on| !(seen[on].up && seen[on].initialized));
    let fault = lacks.map(|on| format!("G8: n{node} started while n{on}, which it requires, did not run"));
    let me = &mut seen[node];
    me.births += 1;
    let overlap = me.up.then(|| format!("G1: n{node} started again before its cleanup"));
    let left = me.left().map(|what| format!("G15: {what} of n{node} outlived its life"));
    let guards = (me.guards > 0).then(|| format!("G15: {} of what n{node} registered outlived its life", me.guards));
    (me.life, me.up, me.initialized) = (life, true, false);
    overlap.or(left).or(guards).or(fault)
}

fn cleaned_up(plan: &Plan, seen: &mut [Seen], node: usize, life: u32) -> Option<String> {
    let is_blocked = seen.iter().any(|other| other.blocks > 0);
    let me = &mut seen[node];
    *me.cleanups.entry(life).or_default() += 1;
    me.up = false;
    while let Some(what) = me.left() {
        if !is_blocked {
            return Some(format!("G3: {what} of n{node} was under way when its cleanup began"));
        }
        *me.held.entry(what).or_default() += me.free(what);
    }
    let holds = (0..seen.len()).find(|&on| seen[on].up && plan.nodes[on].requires.contains(&node));
    holds.map(|on| format!("G2: n{node} was cleaned up before n{on}, which requires it"))
}
