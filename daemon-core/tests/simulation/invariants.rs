//! The guarantees, as far as a run under a paused clock can break them.

use std::collections::HashMap;
use std::time::Duration;

use daemon_core::State;

use crate::plan::Plan;
use crate::trace::{Line, Moment, Trace};
use crate::{BUDGET, Ended, node};

/// What is known of one daemon while the trace is read.
#[derive(Default)]
struct Seen {
    life: u32,
    /// Entered `initialize` and not yet `cleanup`.
    up: bool,
    initialized: bool,
    /// Running pieces of work by name.
    work: HashMap<&'static str, u32>,
    cleanups: HashMap<u32, u32>,
    births: u32,
    /// How often the task was run in each life.
    task_runs: HashMap<u32, u32>,
}

pub(crate) fn check(plan: &Plan, trace: &Trace, ended: &Ended) -> Vec<String> {
    let mut faults = Vec::new();
    let mut seen: Vec<Seen> = plan.nodes.iter().map(|_| Seen::default()).collect();
    let mut steered = false;
    for (_, line) in trace.lines() {
        match line {
            Line::Note(text) => steered |= text.starts_with("Re") || text.starts_with("St"),
            Line::Node { node, life, moment } => {
                if let Some(fault) = moment_fault(plan, &mut seen, node, life, moment) {
                    faults.push(fault);
                }
            }
        }
    }
    for (at, seen) in seen.iter().enumerate() {
        for life in 1..=seen.life {
            let cleanups = seen.cleanups.get(&life).copied().unwrap_or(0);
            if cleanups != 1 {
                faults.push(format!("G1: life {life} of n{at} was cleaned up {cleanups} times"));
            }
        }
        // Restarts by hand, and those that follow another daemon's, are not charged. A run is shorter than the period.
        let charged = !steered && plan.nodes[at].requires.is_empty();
        let limit = plan.nodes[at].restart.limit;
        if let Some((life, runs)) = seen.task_runs.iter().find(|(_, runs)| **runs > limit.count + 1) {
            faults.push(format!("G11: the task of n{at} was run {runs} times in life {life}"));
        }
        if charged && seen.births > limit.count + 1 {
            faults.push(format!("G11: n{at} was started {} times", seen.births));
        }
    }
    report_faults(plan, ended, &mut faults);
    faults
}

fn moment_fault(plan: &Plan, seen: &mut [Seen], node: usize, life: u32, moment: Moment) -> Option<String> {
    match moment {
        Moment::Initialize => {
            let lacks = plan.nodes[node].requires.iter().find(|&&on| !(seen[on].up && seen[on].initialized));
            let fault = lacks.map(|on| format!("G8: n{node} started while n{on}, which it requires, did not run"));
            let me = &mut seen[node];
            me.births += 1;
            let overlap = me.up.then(|| format!("G1: n{node} started again before its cleanup"));
            (me.life, me.up, me.initialized) = (life, true, false);
            overlap.or(fault)
        }
        Moment::Initialized => {
            seen[node].initialized = true;
            None
        }
        Moment::Cleanup => {
            *seen[node].cleanups.entry(life).or_default() += 1;
            seen[node].up = false;
            if let Some((what, _)) = seen[node].work.iter().find(|(_, count)| **count > 0) {
                return Some(format!("G3: {what} of n{node} was under way when its cleanup began"));
            }
            let holds = (0..seen.len()).find(|&on| seen[on].up && plan.nodes[on].requires.contains(&node));
            holds.map(|on| format!("G2: n{node} was cleaned up before n{on}, which requires it"))
        }
        Moment::CleanupGone => None,
        Moment::Work(what) => {
            let me = &mut seen[node];
            if what == "task" {
                *me.task_runs.entry(life).or_default() += 1;
            }
            let count = me.work.entry(what).or_default();
            *count += 1;
            if *count > 1 {
                return Some(format!("G5: {what} of n{node} overlaps itself"));
            }
            (!me.up).then(|| format!("G3: {what} of n{node} began after its cleanup"))
        }
        Moment::WorkGone(what) => {
            *seen[node].work.entry(what).or_default() -= 1;
            None
        }
    }
}

fn report_faults(plan: &Plan, ended: &Ended, faults: &mut Vec<String>) {
    let report = &ended.report;
    if !report.left.is_nothing() {
        faults.push(format!("G15: {:?} is left\n{report}", report.left));
    }
    if let Some(took) = ended.stop_took
        && took > BUDGET + Duration::from_millis(250)
    {
        faults.push(format!("G4: the stop took {took:?}"));
    }
    for account in &report.events {
        let sum = account.handled + account.failed + account.dropped + account.abandoned;
        if account.offered != sum {
            faults.push(format!("G7: {account:?}"));
        }
    }
    for daemon in &report.daemons {
        if !matches!(daemon.state, State::Stopped | State::Failed) {
            faults.push(format!("{} ended as {}", daemon.name, daemon.state));
        }
        let at = node::NAMES.iter().position(|name| *name == daemon.name).unwrap();
        if daemon.state == State::Failed && !plan.nodes[at].optional && report.exit_code == 0 {
            faults.push(format!("G9: {} failed and the exit code is 0\n{report}", daemon.name));
        }
    }
}
