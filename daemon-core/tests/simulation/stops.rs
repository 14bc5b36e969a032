//! What a daemon's stop promises, as far as trace, journal and report show whether it was kept: what runs is given time to end, what waits
//! is told at once, nothing new begins, and it takes no longer than it may.

use std::time::Duration;

use daemon_core::{ShutdownReport, State};
use tokio::time::Instant;

use crate::actor::{HANDLERS, HEEDS, PULLS};
use crate::ending::{Ended, GRACE};
use crate::node::NAMES;
use crate::plan::Plan;
use crate::stage::Stage;
use crate::trace::{End, Line, Moment};

/// How long a daemon's stop may take that does not say so itself.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);
/// What is drained.
const DRAINED: [&str; 9] =
    [HANDLERS[0], HANDLERS[1], HANDLERS[2], HANDLERS[3], "tick", "late tick", "command", "check_reload", "reload"];
/// The journal counts whole milliseconds, and so do timers.
const GRAIN: Duration = Duration::from_millis(2);

pub(crate) fn check(stage: &Stage, ended: &Ended) -> Vec<String> {
    if stage.plan.blocks {
        return Vec::new();
    }
    let mut faults = undrained(stage, ended);
    faults.extend(late_beginnings(stage, ended));
    faults.extend(cut_though_they_end(stage, ended));
    faults.extend(drains(stage, ended));
    faults.extend(ended.report.iter().flat_map(|report| long_stops(&stage.plan, report)));
    faults
}

/// How long before a moment the stops of somebody began.
fn stops(ended: &Ended, who: Option<&str>, now: Duration) -> Vec<Duration> {
    let stops = ended.journal.iter().filter(|line| line.state == State::Stopping && line.daemon.as_deref() == who);
    let began = stops.map(|line| Duration::from_millis(line.at_ms)).filter(|at| *at <= now + GRAIN / 2);
    began.map(|at| now.saturating_sub(at)).collect()
}

/// Whether a daemon that stops has its usual time for it: late in a shutdown there may be none left.
fn has_time(stage: &Stage, ended: &Ended, node: usize, now: Duration) -> bool {
    let is_late = stops(ended, None, now).iter().any(|ago| *ago > Duration::from_secs(1));
    stage.plan.nodes[node].stop_timeout.is_none() && !is_late
}

/// Handlers that were cut as soon as their daemon began to stop, though there was time for them to end.
fn undrained(stage: &Stage, ended: &Ended) -> Vec<String> {
    const SOON: Duration = Duration::from_millis(100);
    let mut faults = Vec::new();
    for (at, line) in stage.trace.lines() {
        let Line::Node { node, moment: Moment::WorkGone(what, End::Cut), .. } = line else { continue };
        let now = at - stage.begun;
        // What is cut may be of a life that began to stop before.
        let mine = stops(ended, Some(NAMES[node]), now);
        let is_soon =
            mine.iter().any(|ago| *ago < SOON) && !mine.iter().any(|ago| *ago >= SOON && *ago <= STOP_TIMEOUT + GRACE);
        if HANDLERS.contains(&what) && has_time(stage, ended, node, now) && is_soon {
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

/// Work that ends as soon as it is told to, and was cut.
fn cut_though_they_end(stage: &Stage, ended: &Ended) -> Vec<String> {
    let mut faults = Vec::new();
    for (at, line) in stage.trace.lines() {
        let Line::Node { node, moment: Moment::WorkGone(what @ (HEEDS | PULLS), End::Cut), .. } = line else {
            continue;
        };
        let now = at - stage.begun;
        if has_time(stage, ended, node, now) {
            faults.push(format!("stop: {what} of n{node} was cut at {now:?}, and would have ended"));
        }
    }
    faults
}

/// Lives that were drained too long, or not for long enough. What [heeds](HEEDS) shows when that was over.
fn drains(stage: &Stage, ended: &Ended) -> Vec<String> {
    let (mut faults, lines) = (Vec::new(), stage.trace.lines());
    for (place, (at, line)) in lines.iter().enumerate() {
        let Line::Node { node, life, moment: Moment::WorkGone(HEEDS, End::Well), .. } = line else { continue };
        let now = *at - stage.begun;
        let Some(ago) = stops(ended, Some(NAMES[*node]), now).into_iter().min() else {
            faults.push(format!("stop: n{node} was told of its end at {now:?}, before that"));
            continue;
        };
        let (under_way, last) = drained(&lines[..place], (*node, *life));
        let idle = last.map_or(ago, |last| ago.min(*at - last));
        if under_way == 0 && idle > GRAIN {
            faults.push(format!("stop: n{node} had nothing to drain, and told of its end at {now:?} after {idle:?}"));
        }
        let whole = stage.plan.nodes[*node].stop_timeout.unwrap_or(STOP_TIMEOUT);
        if under_way > 0 && ago + GRAIN < whole / 2 && stops(ended, None, now).is_empty() {
            faults.push(format!("stop: {under_way} calls of n{node} had {ago:?} of {whole:?} to end"));
        }
    }
    faults
}

/// How much of what is drained is under way in a life after some lines, and when the last of it ended.
fn drained(lines: &[(Instant, Line)], of: (usize, u32)) -> (i32, Option<Instant>) {
    let (mut under_way, mut last) = (0, None);
    for (at, line) in lines {
        match line {
            Line::Node { node, life, moment: Moment::Work(what), .. }
                if (*node, *life) == of && DRAINED.contains(what) =>
            {
                under_way += 1;
            }
            Line::Node { node, life, moment: Moment::WorkGone(what, _), .. }
                if (*node, *life) == of && DRAINED.contains(what) =>
            {
                (under_way, last) = (under_way - 1, Some(*at));
            }
            _ => {}
        }
    }
    (under_way, last)
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
