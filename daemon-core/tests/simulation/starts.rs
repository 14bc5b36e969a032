//! What starts promise, as far as the journal shows whether it was kept: none takes longer than it may, nor do all together.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use daemon_core::{State, Transition};

use crate::ending::{BUSY, Ended, GRACE};
use crate::node::NAMES;
use crate::plan::Plan;

/// How long a daemon's stop may take that does not say so itself.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);

/// The journal counts whole milliseconds.
const GRAIN: Duration = Duration::from_millis(2);

pub(crate) fn check(plan: &Plan, ended: &Ended) -> Vec<String> {
    let grace = if plan.blocks { GRACE + BUSY + BUSY } else { GRACE };
    let mut faults = Vec::new();
    let mut since: HashMap<usize, Duration> = HashMap::new();
    let (mut begun, mut settled, mut stops, mut stopping) = (None, None, 0, false);
    let mut states: HashMap<usize, State> = HashMap::new();
    // Whose start the shutdown ends, and whose life has come to run.
    let (mut given_up, mut runs): (HashMap<usize, Duration>, HashSet<usize>) = Default::default();
    for Transition { at_ms, daemon, state, .. } in &ended.journal {
        let now = Duration::from_millis(*at_ms);
        let Some(name) = daemon else {
            if *state == State::Stopping && !stopping {
                let own = |at: usize| plan.nodes[at].start_timeout.unwrap_or(plan.start_timeout);
                let late = since.iter().filter(|(at, start)| now > **start + own(**at) + grace);
                faults.extend(late.map(|(at, start)| format!("start: that of n{at} went on for {:?}", now - *start)));
                given_up.extend(since.keys().filter(|at| is_alone(plan, &states, **at)).map(|at| (*at, now)));
            }
            stopping |= *state == State::Stopping;
            match state {
                State::Starting => begun = Some(now),
                State::Running | State::Stopping => drop(settled.get_or_insert(now)),
                _ => {}
            }
            continue;
        };
        let at = NAMES.iter().position(|known| known == name).unwrap();
        states.insert(at, *state);
        if let Some(then) = given_up.remove(&at).filter(|then| now > *then + GRAIN && !plan.blocks) {
            faults.push(format!("start: that of n{at} went on for {:?} of the shutdown", now - then));
        }
        match state {
            State::Starting => drop(runs.remove(&at)),
            State::Running => drop(runs.insert(at)),
            State::Backoff if settled.is_none() && !runs.contains(&at) => {
                faults.push(format!("start: the first of n{at} failed, and is made once more"));
            }
            _ => {}
        }
        let start = since.remove(&at);
        let deadline = begun.zip(plan.start_budget).map(|(begun, budget)| begun + budget);
        // In a shutdown one that has ended may wait for its turn to stop, and shows then only.
        let waited = stopping && *state == State::Stopping;
        if let Some(start) = start.filter(|_| !waited) {
            let own = start + plan.nodes[at].start_timeout.unwrap_or(plan.start_timeout);
            // One that a person starts once that time is over fails at once.
            let by = if settled.is_none() { deadline.map_or(own, |all| all.min(own).max(start)) } else { own };
            if now > by + grace {
                faults.push(format!("start: that of n{at} ended after {:?}, and it had {:?}", now - start, by - start));
            }
            if *state == State::Running && settled.is_none() && deadline.is_some_and(|by| now > by + grace) {
                faults.push(format!("start: n{at} began to run after the budget of all"));
            }
        }
        match state {
            State::Starting => drop(since.insert(at, now)),
            State::Stopping if settled.is_none() => stops += 1,
            _ => {}
        }
    }
    // What is restarted meanwhile has the time of its stop besides.
    let most = plan.start_budget.map(|budget| budget + STOP_TIMEOUT * stops + grace);
    if let (Some(begun), Some(most)) = (begun, most) {
        let took = settled.map(|settled| settled.saturating_sub(begun));
        if took.is_none_or(|took| took > most) {
            faults.push(format!("start: that of the host took {took:?}, and it had {most:?}"));
        }
    }
    faults
}

/// Whether none of those that depend on a daemon is up, so that nothing holds up its stop.
fn is_alone(plan: &Plan, states: &HashMap<usize, State>, at: usize) -> bool {
    let is_up = |on: &usize| matches!(states.get(on), Some(State::Starting | State::Running | State::Stopping));
    let depends = |on: &usize| plan.nodes[*on].requires.contains(&at) || plan.nodes[*on].wants.contains(&at);
    !(0..plan.nodes.len()).filter(depends).any(|on| is_up(&on))
}
