//! What a host that runs owes its daemons: intervals tick, events are handed out, publishers get their turn, and whoever runs has what
//! it requires. Looked at twice, with so much time in between that something must have happened.

use std::sync::atomic::Ordering;
use std::time::Duration;

use daemon_core::{DaemonStatus, HostHandle, HostStatus, IntervalState, IntervalStatus, State, SubscriptionStatus};

use crate::actor::HANDLERS;
use crate::node::NAMES;
use crate::stage::Stage;
use crate::trace::{End, Line, Moment};

/// Longer than two periods of any interval here, jitter included.
const A_WHILE: Duration = Duration::from_millis(1_700);

struct Look {
    status: HostStatus,
    publishing: [usize; 2],
}

impl Look {
    fn take(stage: &Stage, host: &HostHandle) -> Self {
        let publishing = stage.publishing.each_ref().map(|count| count.load(Ordering::Relaxed));
        Self { status: host.status(), publishing }
    }
}

pub(crate) async fn check(stage: &Stage, host: &HostHandle) {
    let before = Look::take(stage, host);
    tokio::time::sleep(A_WHILE).await;
    let after = Look::take(stage, host);
    if after.status.state != State::Running {
        return;
    }
    let runs = |on: &usize| after.status.daemon(NAMES[*on]).is_some_and(|on| on.state == State::Running);
    let runs_on: Vec<_> = lived_on(&before.status, &after.status).map(|(_, after)| place(after)).collect();
    let required = |at: &usize| !stage.plan.nodes[*at].optional;
    let down = after.status.daemons.iter().map(place).filter(required).any(|at| !runs(&at));
    if after.status.state == State::Running && host.readiness().ready == down {
        stage.fault(format!("alive: the host is said to be {}", if down { "ready" } else { "not ready" }));
    }
    for (before, after) in lived_on(&before.status, &after.status) {
        let runs_on = &runs_on;
        let at = place(after);
        for on in stage.plan.nodes[at].requires.iter().filter(|on| !runs(on)) {
            stage.fault(format!("alive: n{at} runs without n{on}, which it requires"));
        }
        for fault in forgotten_calls(stage, at, runs_on) {
            stage.fault(format!("alive: {fault}"));
        }
        for fault in idle_intervals(before, after).chain(idle_queues(stage, at, before, after)) {
            stage.fault(format!("alive: {fault}"));
        }
    }
    for fault in forgotten_publishers(&before, &after) {
        stage.fault(format!("alive: {fault}"));
    }
}

fn place(daemon: &DaemonStatus) -> usize {
    NAMES.iter().position(|name| *name == daemon.name).unwrap()
}

/// What should have been called by now in the life of a daemon: what comes once it runs, and its reaction to another that runs on, too.
fn forgotten_calls(stage: &Stage, at: usize, runs_on: &[usize]) -> Vec<String> {
    let (lines, plan) = (stage.trace.lines(), &stage.plan.nodes[at]);
    let place_of = |of: usize, what: Moment| {
        let is = |line: &Line| matches!(line, Line::Node { node, moment, .. } if *node == of && *moment == what);
        lines.iter().rposition(|(_, line)| is(line))
    };
    let begun = |of: usize| place_of(of, Moment::Initialize);
    let mut expected = vec![("begun", begun(at))];
    if plan.deferral.is_some() {
        expected.push(("deferral", begun(at)));
    }
    if let Some((to, _)) = plan.reaction.as_ref().filter(|(to, _)| runs_on.contains(to) && !stage.plan.nodes[*to].late)
    {
        expected.push(("reaction", begun(at).max(begun(*to))));
    }
    let has_come = |what, since| place_of(at, Moment::Work(what)).is_some_and(|came| Some(came) > since);
    // A reaction that does not end holds up the next.
    let ends = [End::Well, End::Error, End::Panic, End::Cut].map(|end| Moment::WorkGone("reaction", end));
    let gone = ends.into_iter().filter_map(|end| place_of(at, end)).max();
    let reacts = place_of(at, Moment::Work("reaction")) > gone;
    let waits = |what| what == "reaction" && reacts;
    let forgotten = expected.into_iter().filter(|(what, since)| !(has_come(what, *since) || waits(*what)));
    forgotten.map(|(what, _)| format!("{what} of n{at} has not come")).collect()
}

/// Those that are in the same life as before.
fn lived_on<'a>(
    before: &'a HostStatus,
    after: &'a HostStatus,
) -> impl Iterator<Item = (&'a DaemonStatus, &'a DaemonStatus)> {
    let same = |after: &'a DaemonStatus| Some((before.daemon(&after.name)?, after));
    let runs = |daemon: &DaemonStatus| daemon.state == State::Running;
    let pairs = after.daemons.iter().filter_map(same);
    pairs.filter(move |(before, after)| runs(before) && runs(after) && before.restarts == after.restarts)
}

/// Intervals that should have ticked, or told that they could not.
fn idle_intervals(before: &DaemonStatus, after: &DaemonStatus) -> impl Iterator<Item = String> {
    let came = |interval: &IntervalStatus| interval.ticks + interval.skipped + u64::from(interval.running);
    // Those made at run time come and go.
    let pairs = after.intervals.iter().filter(|interval| interval.name == "tick").filter_map(move |now| {
        let then = before.intervals.iter().find(|then| then.name == now.name)?;
        let ticks = |interval: &IntervalStatus| interval.state == IntervalState::Active && interval.running == 0;
        (ticks(then) && ticks(now) && came(then) == came(now)).then_some(now)
    });
    pairs.map(|interval| format!("{} of {} no longer ticks: {interval:?}", interval.name, after.name))
}

/// Events that wait though their handler has nothing to do.
fn idle_queues(stage: &Stage, at: usize, before: &DaemonStatus, after: &DaemonStatus) -> impl Iterator<Item = String> {
    let plan = &stage.plan.nodes[at];
    after.subscriptions.iter().filter_map(move |now| {
        let handler = HANDLERS.iter().position(|name| *name == now.name)?;
        let then = before.subscriptions.iter().find(|then| then.name == now.name)?;
        let shares = |name: &str| now.name == name || (plan.shares() && handler < 2 && HANDLERS[..2].contains(&name));
        let busy: u64 =
            after.subscriptions.iter().filter(|other| shares(&other.name)).map(|other| other.in_flight).sum();
        let still = |of: &SubscriptionStatus| (of.handled, of.failed, of.dropped, of.in_flight);
        let waits = then.queued > 0 && now.queued > 0 && busy < u64::from(plan.calls_at_once(handler));
        (waits && still(then) == still(now)).then(|| format!("n{at} gets none of what waits for it: {now:?}"))
    })
}

/// Publishers that wait though there is room in every queue.
fn forgotten_publishers(before: &Look, after: &Look) -> Vec<String> {
    let full = after.status.daemons.iter().flat_map(|daemon| &daemon.subscriptions);
    if full.into_iter().any(|of| of.queued > 0) {
        return Vec::new();
    }
    let waiting =
        before.publishing.iter().zip(&after.publishing).filter(|(before, after)| **before > 0 && before == after);
    waiting.map(|(_, count)| format!("{count} publishers wait, and every queue is empty")).collect()
}
