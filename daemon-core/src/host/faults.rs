//! Finds what is wrong with one daemon by itself: with its limits, its restarts and its rows.

use super::unit::{Outline, Unit};
use crate::declaration::Plane;
use crate::policy::{Restart, RestartPolicy};

/// What is wrong with a daemon, whatever else its host has.
pub(super) fn faults_of(unit: &dyn Unit, outline: &Outline) -> Vec<String> {
    let (name, declared) = (&**unit.name(), unit.declaration());
    let mut faults = Vec::new();
    for (what, timeout) in [("start", declared.start_timeout), ("stop", declared.stop_timeout)] {
        if timeout.is_some_and(|timeout| timeout.is_zero()) {
            faults.push(format!("the {what} timeout of `{name}` is zero; give it some time"));
        }
    }
    faults.extend(policy_faults(&format!("`{name}`"), &declared.restart));
    for (task, policy) in &outline.tasks {
        faults.extend(policy_faults(&format!("task `{task}` of `{name}`"), policy));
    }
    faults.extend(row_faults(name, outline));
    faults
}

/// Why a daemon cannot depend on another, for the plane that is of.
pub(super) fn plane_fault(unit: &dyn Unit, on: &str, plane: Plane) -> Option<String> {
    let is_fault = unit.declaration().plane == Plane::Operations && plane != Plane::Operations;
    is_fault.then(|| {
        format!(
            "`{}` runs on the operations plane, which starts first and stops last, and depends on `{on}`, which does not; use \
             `#[on_ready(..)]` and `cx.try_daemon()` for it",
            unit.name()
        )
    })
}

/// What makes no sense in a restart policy.
fn policy_faults(of: &str, policy: &RestartPolicy) -> impl Iterator<Item = String> {
    let RestartPolicy { restart, backoff, limit, stable_after } = *policy;
    let (min, max) = (backoff.min, backoff.max);
    let faults = [
        (limit.count == 0).then(|| "its limit allows none; say `never`".to_owned()),
        limit.per.is_zero().then(|| "its limit is for no time; give it some".to_owned()),
        min.is_zero().then(|| "its first delay is zero, and doubling it changes nothing; give it some time".to_owned()),
        (min > max).then(|| format!("its first delay of {min:?} is longer than its greatest of {max:?}; swap them")),
        stable_after.is_zero().then(|| "every life would count as stable, and no delay ever double".to_owned()),
    ];
    let matters = restart != Restart::Never;
    faults.into_iter().flatten().filter(move |_| matters).map(move |fault| format!("the restarts of {of}: {fault}"))
}

fn row_faults(daemon: &str, outline: &Outline) -> Vec<String> {
    let mut faults = outline.handler_faults.clone();
    let tasks: Vec<_> = outline.tasks.iter().map(|(name, _)| *name).collect();
    let intervals: Vec<_> = outline.intervals.iter().map(|(name, ..)| *name).collect();
    let checks: Vec<_> = outline.checks.iter().map(|(name, _)| *name).collect();
    let commands: Vec<_> = outline.commands.iter().map(|command| command.signature.name).collect();
    let rows = [
        ("an interval", "intervals", &intervals),
        ("a deferred call", "deferred calls", &outline.deferred),
        ("a task", "tasks", &tasks),
        ("a check", "checks", &checks),
        ("a command", "commands", &commands),
    ];
    for (one, many, rows) in rows {
        for (at, row) in rows.iter().enumerate() {
            if rows[..at].contains(row) {
                faults.push(format!("`{daemon}` has two {many} named `{row}`; rename one"));
            }
            if let Err(error) = daemon_grammar::name::check(row) {
                faults.push(format!("{one} of `{daemon}`: {error}"));
            }
        }
    }
    let wrong = outline.intervals.iter().filter_map(|(_, fault)| fault.as_ref());
    faults.extend(wrong.map(|fault| format!("`{daemon}`: {fault}")));
    let hasty = outline.commands.iter().filter(|command| command.timeout.is_some_and(|timeout| timeout.is_zero()));
    faults.extend(hasty.map(|command| {
        format!("command `{}` of `{daemon}` has a timeout of zero; give it some time", command.signature.name)
    }));
    for (check, options) in &outline.checks {
        faults.extend(options.fault().map(|fault| format!("check `{check}` of `{daemon}` {fault}")));
    }
    faults
}
