//! What supervision promises, as far as the journal and the report show whether it was kept: delays before restarts, what a failure
//! leads to and what not, and what is done last.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

use daemon_core::{ShutdownReport, State, Transition};

use crate::ending::Ended;
use crate::node::NAMES;
use crate::plan::{Deed, Plan};
use crate::stage::Stage;
use crate::trace::{Line, Moment};

/// A life as long as that makes the next delay the first again.
const STABLE: Duration = Duration::from_secs(59);

pub(crate) fn check(stage: &Stage, ended: &Ended) -> Vec<String> {
    let plan = &stage.plan;
    let mut faults = Vec::new();
    // Who is told to start does not wait any longer, nor does who has no time left to start.
    let hurries = plan.start_budget.is_some() || stage.steps.lock().unwrap().iter().any(|(step, _)| step.starts());
    if !hurries && !plan.blocks {
        faults.extend(short_delays(plan, ended));
    }
    faults.extend(endings(stage, ended));
    if let Some(report) = &ended.report {
        faults.extend(last_words(stage, report));
    }
    faults
}

/// Restarts that came before their delay was over: doubled each time, less up to a quarter of it.
fn short_delays(plan: &Plan, ended: &Ended) -> Vec<String> {
    let mut faults = Vec::new();
    let (mut since, mut began): (HashMap<usize, Duration>, HashMap<usize, Duration>) = Default::default();
    let mut streaks: HashMap<usize, u32> = HashMap::new();
    for Transition { at_ms, daemon, state, .. } in &ended.journal {
        let now = Duration::from_millis(*at_ms);
        let Some(name) = daemon else { continue };
        let at = NAMES.iter().position(|known| known == name).unwrap();
        match state {
            State::Backoff => {
                if began.get(&at).is_some_and(|began| now.saturating_sub(*began) >= STABLE) {
                    streaks.remove(&at);
                }
                since.insert(at, now);
                *streaks.entry(at).or_default() += 1;
            }
            State::Starting => {
                began.insert(at, now);
                let Some(since) = since.remove(&at) else { continue };
                let backoff = plan.nodes[at].restart.backoff;
                let full = (backoff.min * 2_u32.pow(streaks[&at] - 1)).min(backoff.max);
                let least = full.mul_f64(0.75).saturating_sub(Duration::from_millis(2));
                if now - since < least {
                    faults.push(format!("G11: n{at} was restarted after {:?}, and not after {full:?}", now - since));
                }
            }
            State::Running => {}
            _ => drop(since.remove(&at)),
        }
    }
    faults
}

/// Failures that did not end the host though they should have, and a host that ended without one.
fn endings(stage: &Stage, ended: &Ended) -> Vec<String> {
    let mut faults = Vec::new();
    let required = |name: &str| !stage.plan.nodes[NAMES.iter().position(|known| *known == name).unwrap()].optional;
    let (mut runs, mut failed) = (false, None);
    for Transition { at_ms, daemon, state, .. } in &ended.journal {
        // It is told of the failure, and ends at once.
        if let Some((since, name)) = failed.filter(|(since, _)| *at_ms > since + 1) {
            faults.push(format!("G9: the host went on at {since} ms though {name}, which it requires, had failed"));
            failed = None;
        }
        match daemon {
            None => (runs, failed) = (*state == State::Running, None),
            Some(name) if runs && *state == State::Failed && required(name) => failed = Some((*at_ms, name)),
            Some(_) => {}
        }
    }
    let asked = stage.ends.load(Ordering::Relaxed) || ended.stop_took.is_some();
    let has_failed = ended.status.daemons.iter().any(|daemon| daemon.reason.is_some() && required(&daemon.name));
    if ended.ran && !asked && !has_failed {
        faults.push("supervision: the host ended, and nobody had asked for it".to_owned());
    }
    faults
}

/// What is done last comes last, in order, each once; and it is told how it went.
fn last_words(stage: &Stage, report: &ShutdownReport) -> Vec<String> {
    let mut faults = Vec::new();
    let (mut said, mut over) = (Vec::new(), false);
    for (_, line) in stage.trace.lines() {
        match line {
            Line::Farewell(at) => {
                said.push(at);
                over = true;
            }
            Line::Node { node, moment: Moment::Initialize | Moment::Cleanup, .. } if over => {
                faults.push(format!("stop: n{node} was still there when the last words were said"));
            }
            _ => {}
        }
    }
    let planned = &stage.plan.farewell;
    if said.iter().enumerate().any(|(number, at)| number != *at) || report.handlers.len() != planned.len() {
        faults.push(format!("stop: of {planned:?} {said:?} was said, and told of: {:?}", report.handlers));
    }
    for (at, (deed, told)) in planned.iter().zip(&report.handlers).enumerate() {
        let well = told.problem.is_none() && told.cut.is_none();
        if well && matches!(deed, Deed::Error | Deed::Panic | Deed::Hang) {
            faults.push(format!("stop: the last word {at}, which fails, is told to have gone well"));
        }
        if !well && report.exit_code == 0 {
            faults.push(format!("G9: the last word {at} failed, and the exit code is 0"));
        }
    }
    faults
}
