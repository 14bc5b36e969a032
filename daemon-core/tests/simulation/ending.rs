//! The guarantees, as far as the end of a host, its journal and its accounts show whether they were kept.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

use daemon_core::{HostStatus, ReloadOutcome, ShutdownReport, State, SubscriptionStatus, Transition};

use crate::actor::HANDLERS;
use crate::node::NAMES;
use crate::plan::{Node, Step};
use crate::stage::Stage;
use crate::{starts, stops, supervised};

/// How a run ended.
pub(crate) struct Ended {
    /// None where the start was given up.
    pub(crate) report: Option<ShutdownReport>,
    pub(crate) status: HostStatus,
    pub(crate) journal: Vec<Transition>,
    pub(crate) stop_took: Option<Duration>,
    /// Whether the whole host came to run.
    pub(crate) ran: bool,
}

impl Ended {
    /// The journal, line by line.
    pub(crate) fn told(&self) -> String {
        let line = |transition: &Transition| {
            let Transition { at_ms, daemon, state, cause, .. } = transition;
            let (who, why) = (daemon.as_deref().unwrap_or("host"), cause.as_deref().unwrap_or_default());
            format!("{at_ms:>10}ms  {who} {state} {why}\n")
        };
        self.journal.iter().map(line).collect()
    }
}

/// How much longer than the budget a stop may take; where time is real, on a busy machine.
pub(crate) const GRACE: Duration = Duration::from_millis(250);
pub(crate) const BUSY: Duration = Duration::from_secs(1);

/// How many changes of state a journal holds.
const REMEMBERED: usize = 1_000;

pub(crate) fn check(stage: &Stage, ended: &Ended) -> Vec<String> {
    let mut faults = Vec::new();
    let grace = if stage.plan.blocks { GRACE + BUSY } else { GRACE };
    if let Some(took) = ended.stop_took
        && took > stage.plan.stop_budget + grace
    {
        faults.push(format!("G4: the stop took {took:?}"));
    }
    if let Some(report) = &ended.report {
        report_faults(stage, report, &mut faults);
    }
    let by_hand = stage.steps.lock().unwrap().iter().filter(|(step, _)| step.starts()).count() as u64;
    for daemon in &ended.status.daemons {
        let at = NAMES.iter().position(|name| *name == daemon.name).unwrap();
        if !matches!(daemon.state, State::Stopped | State::Failed) {
            faults.push(format!("{} ended as {}", daemon.name, daemon.state));
        }
        for subscription in &daemon.subscriptions {
            faults.extend(
                account_fault(stage, at, daemon.restarts + by_hand, subscription)
                    .map(|fault| format!("G7: {fault}: {subscription:?}")),
            );
        }
    }
    // Who is stopped by hand is not waited for.
    let steered = stage
        .steps
        .lock()
        .unwrap()
        .iter()
        .any(|(step, _)| matches!(step, Step::Stop(_) | Step::Restart(_) | Step::Fail(..)));
    faults.extend(journal_faults(&stage.plan.nodes, ended, steered));
    faults.extend(starts::check(&stage.plan, ended));
    faults.extend(stops::check(stage, ended));
    faults.extend(supervised::check(stage, ended));
    let reloads = stage.reloads.lock().unwrap().1.iter().filter(|outcome| **outcome == ReloadOutcome::Reloaded).count();
    if ended.status.reloads != reloads as u64 && !stage.plan.blocks {
        faults.push(format!("reload: {reloads} were told of, and the status counts {}", ended.status.reloads));
    }
    faults
}

fn report_faults(stage: &Stage, report: &ShutdownReport, faults: &mut Vec<String>) {
    let cut = report.daemons.iter().flat_map(|daemon| &daemon.cut);
    let stuck = cut.filter(|cut| !cut.gone).count();
    let may_be_left = stage.plan.blocks && stuck > 0;
    if !(report.left.is_nothing() || may_be_left) {
        faults.push(format!("G15: {:?} is left\n{report}", report.left));
    }
    let failed = |daemon: &daemon_core::DaemonStop| {
        let at = NAMES.iter().position(|name| *name == daemon.name).unwrap();
        daemon.state == State::Failed && !stage.plan.nodes[at].optional
    };
    let failed = report.daemons.iter().any(failed);
    if failed && report.exit_code == 0 {
        faults.push(format!("G9: a required daemon failed and the exit code is 0\n{report}"));
    }
    if stuck > 0 && report.exit_code != 75 {
        faults.push(format!("G4: something was left behind and the exit code is {}\n{report}", report.exit_code));
    }
    for account in &report.events {
        let sum = account.handled + account.failed + account.dropped + account.abandoned;
        if account.offered != sum {
            faults.push(format!("G7: {account:?}"));
        }
    }
}

/// What is wrong with a subscription's counts: with their sum, or by what its handler's calls and the publishers say.
fn account_fault(stage: &Stage, at: usize, again: u64, account: &SubscriptionStatus) -> Option<String> {
    let sum = account.handled + account.failed + account.dropped + account.abandoned;
    if account.offered != sum + account.queued + account.in_flight {
        return Some("the sum is wrong".to_owned());
    }
    let handler = HANDLERS.iter().position(|name| *name == account.name)?;
    let [handled, failed, cut] = stage.tallies[at][handler].each_ref().map(|count| count.load(Ordering::Relaxed));
    if (account.handled, account.failed) != (handled, failed) {
        return Some(format!("{handled} calls ended well and {failed} badly"));
    }
    if account.abandoned + account.in_flight < cut {
        return Some(format!("{cut} calls were cut"));
    }
    // Who publishes while the host lets go of its daemons meets some subscriptions and not others; and who was added
    // late has missed some.
    let floods =
        stage.steps.lock().unwrap().iter().any(|(step, _)| matches!(step, Step::Publish(..) | Step::PublishAndWait(_)));
    if floods || stage.plan.nodes[at].late {
        return None;
    }
    let [drop, river] = stage.offers.each_ref().map(|count| count.load(Ordering::Relaxed));
    let offered = [drop, drop, river, drop + river][handler];
    // The last of those on the river is kept, and offered again to a daemon that starts again without having seen it.
    let again = if handler < 2 { 0 } else { again };
    let as_offered = (offered..=offered + again).contains(&account.offered);
    (!as_offered)
        .then(|| format!("{offered} events were published, and the daemon may have started again {again} times"))
}

/// Whether states followed each other as the dependencies demand. The journal is bounded: what it has forgotten is taken
/// as it should have been.
fn journal_faults(nodes: &[Node], ended: &Ended, steered: bool) -> Vec<String> {
    let mut states: HashMap<usize, State> = HashMap::new();
    let (mut host, mut faults) = (None, Vec::new());
    let is_up = |state: Option<&State>| matches!(state, Some(State::Starting | State::Running | State::Stopping));
    // One that failed stops by itself, and those that merely want it go on: it may have begun before the shutdown did.
    let failed = |name: &str| ended.status.daemon(name).is_none_or(|daemon| daemon.reason.is_some());
    for transition in &ended.journal {
        let Some(name) = &transition.daemon else {
            let missing = (0..nodes.len()).filter(|at| !nodes[*at].optional && !nodes[*at].late);
            let missing = missing.filter(|at| states.contains_key(at) && states[at] != State::Running);
            if transition.state == State::Running && host == Some(State::Starting) && !steered {
                faults.extend(missing.map(|at| format!("G8: the host ran while n{at} was {}", states[&at])));
            }
            host = Some(transition.state);
            continue;
        };
        let at = NAMES.iter().position(|known| known == name).unwrap();
        if transition.state == State::Starting && host == Some(State::Starting) {
            // One that was told to stop before its turn came is settled, too.
            let is_unsettled = |state: Option<&State>| state.map_or(!steered, |state| *state == State::Starting);
            let unsettled = |on: &&usize| !nodes[**on].late && is_unsettled(states.get(on));
            let unsettled = nodes[at].wants.iter().find(unsettled).filter(|_| ended.journal.len() < REMEMBERED);
            faults.extend(unsettled.map(|on| format!("start: n{at} did not wait for n{on}, which it wants")));
        }
        if transition.state == State::Running {
            let lacks = nodes[at].requires.iter().find(|on| states.get(on).is_some_and(|on| *on != State::Running));
            faults.extend(lacks.map(|on| format!("G8: n{at} ran while n{on} was {}", states[on])));
        }
        if transition.state == State::Stopping {
            let holds = (0..nodes.len()).filter(|on| {
                // So it is of one that was told to start again before the shutdown began.
                let by_itself = failed(name) || transition.cause.is_some();
                let wants = nodes[*on].wants.contains(&at) && host == Some(State::Stopping) && !by_itself;
                (nodes[*on].requires.contains(&at) || wants) && is_up(states.get(on))
            });
            faults.extend(holds.map(|on| format!("G2: n{at} began to stop while n{on} was up")));
        }
        states.insert(at, transition.state);
    }
    faults
}
