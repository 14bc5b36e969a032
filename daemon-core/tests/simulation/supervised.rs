//! What supervision promises, as far as the journal and the report show whether it was kept: delays before restarts, what a failure
//! leads to and what not, how long a daemon's stop takes, and what is done last.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

use daemon_core::{ShutdownReport, State, Transition};

use crate::actor::HANDLERS;
use crate::ending::{Ended, GRACE};
use crate::node::NAMES;
use crate::plan::{Deed, Plan};
use crate::stage::Stage;
use crate::trace::{End, Line, Moment};

/// How long a daemon's stop may take that does not say so itself.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);
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
    if !plan.blocks {
        faults.extend(undrained(stage, ended));
        faults.extend(late_beginnings(stage, ended));
    }
    if let Some(report) = &ended.report {
        if !plan.blocks {
            faults.extend(long_stops(plan, report));
        }
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

/// Handlers that were cut as soon as their daemon began to stop, though there was time for them to end.
fn undrained(stage: &Stage, ended: &Ended) -> Vec<String> {
    const SOON: Duration = Duration::from_millis(100);
    // How long before a moment the stops of somebody began.
    let stops = |who: Option<&str>, now: Duration| -> Vec<Duration> {
        let stops = ended.journal.iter().filter(|line| line.state == State::Stopping && line.daemon.as_deref() == who);
        let began =
            stops.map(|line| Duration::from_millis(line.at_ms)).filter(|at| *at <= now + Duration::from_millis(1));
        began.map(|at| now.saturating_sub(at)).collect()
    };
    let mut faults = Vec::new();
    for (at, line) in stage.trace.lines() {
        let Line::Node { node, moment: Moment::WorkGone(what, End::Cut), .. } = line else { continue };
        let now = at - stage.begun;
        // Late in a stop there may be no time left, and what is cut may be of a life that began to stop before.
        let is_late = stops(None, now).iter().any(|ago| *ago > Duration::from_secs(1));
        let mine = stops(Some(NAMES[node]), now);
        let is_soon =
            mine.iter().any(|ago| *ago < SOON) && !mine.iter().any(|ago| *ago >= SOON && *ago <= STOP_TIMEOUT + GRACE);
        if HANDLERS.contains(&what) && stage.plan.nodes[node].stop_timeout.is_none() && is_soon && !is_late {
            faults.push(format!("stop: {what} of n{node} was cut at {now:?}, with no time to end"));
        }
    }
    faults
}

/// What began although its daemon had begun to stop: only what is queued is still handled then.
fn late_beginnings(stage: &Stage, ended: &Ended) -> Vec<String> {
    const NEW: [&str; 6] = ["tick", "late tick", "command", "check", "check_reload", "reload"];
    // Through the whole of that moment, in which much may happen.
    let stops = |name: &str, now: Duration| {
        let of_it = ended.journal.iter().filter(|line| line.daemon.as_deref() == Some(name));
        let changes = of_it.map(|line| (Duration::from_millis(line.at_ms), line.state));
        let changes = changes.take_while(|(at, _)| *at <= now + Duration::from_millis(1));
        changes.last().is_some_and(|(at, state)| state == State::Stopping && at + Duration::from_millis(1) < now)
    };
    let mut faults = Vec::new();
    for (at, line) in stage.trace.lines() {
        let Line::Node { node, moment: Moment::Work(what), .. } = line else { continue };
        let now = at - stage.begun;
        if NEW.contains(&what) && stops(NAMES[node], now) {
            faults.push(format!("stop: {what} of n{node} began at {now:?}, while it stopped"));
        }
    }
    faults
}

fn long_stops(plan: &Plan, report: &ShutdownReport) -> Vec<String> {
    let too_long = |daemon: &daemon_core::DaemonStop| {
        let at = NAMES.iter().position(|name| *name == daemon.name).unwrap();
        let most = plan.nodes[at].stop_timeout.unwrap_or(STOP_TIMEOUT) + GRACE;
        let took = Duration::from_millis(daemon.stop_ms);
        (took > most).then(|| format!("stop: that of n{at} took {took:?}, and it had {most:?}"))
    };
    report.daemons.iter().filter_map(too_long).collect()
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
