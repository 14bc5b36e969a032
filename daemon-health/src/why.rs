//! Why a host is not ready: which daemon does not run, and which others wait for it. Pure.

use daemon_core::{DaemonStatus, HostStatus, State, Transition};
use std::{collections::BTreeMap, fmt};

/// One cause: a daemon that does not run though nothing it requires keeps it from that, and those it keeps from running.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Cause {
    /// The daemon.
    pub daemon: String,
    /// Its state.
    pub state: State,
    /// What is with it, in words: its state, and why it last failed.
    pub what: String,
    /// Those that wait for it, each as the way from it: first who waits, then for whom, and so on. The last is `daemon` itself.
    pub chains: Vec<Vec<String>>,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut by_rest: BTreeMap<&[String], Vec<&str>> = BTreeMap::new();
        for chain in &self.chains {
            if let [first, rest @ ..] = &chain[..] {
                by_rest.entry(rest).or_default().push(first);
            }
        }
        let told = by_rest.iter().map(|(rest, firsts)| {
            let rest: String = rest.iter().map(|name| format!(" <- {name}")).collect();
            format!("{}{rest}", firsts.join(", "))
        });
        let told: Vec<_> = told.collect();
        write!(f, "{}: {}", told.join("; "), self.what)
    }
}

/// What keeps a host from being ready, each cause once; `journal` tells whether a daemon failed in its start.
///
/// It reads as `user <- data: start failed: database is locked`.
#[must_use]
pub fn causes(status: &HostStatus, journal: &[Transition]) -> Vec<Cause> {
    let by_name: BTreeMap<&str, &DaemonStatus> = status.daemons.iter().map(|daemon| (&*daemon.name, daemon)).collect();
    let down = |name: &str| by_name.get(name).copied().filter(|daemon| daemon.state != State::Running);
    // What keeps a daemon from running that has not failed by itself.
    let held_up_by = |daemon: &DaemonStatus| {
        let failed = |on: &DaemonStatus| on.state == State::Failed;
        let hard = daemon.requires.iter().find_map(|on| down(on));
        hard.or_else(|| {
            daemon
                .wants
                .iter()
                .filter(|_| daemon.state == State::Stopped)
                .find_map(|on| down(on).filter(|on| !failed(on)))
        })
    };
    let is_held_up_for = |name: &str| {
        let all = status.daemons.iter().filter(|daemon| daemon.state != State::Running);
        all.filter_map(held_up_by).any(|on| on.name == name)
    };
    let mut causes: Vec<Cause> = Vec::new();
    for daemon in status.daemons.iter().filter(|daemon| daemon.state != State::Running && !is_held_up_for(&daemon.name))
    {
        let (mut chain, mut root) = (vec![daemon.name.clone()], daemon);
        while let Some(on) = held_up_by(root).filter(|on| !chain.contains(&on.name)) {
            chain.push(on.name.clone());
            root = on;
        }
        // What is optional keeps nobody from being ready, unless somebody who counts waits for it.
        if daemon.optional {
            continue;
        }
        match causes.iter_mut().find(|cause| cause.daemon == root.name) {
            Some(cause) => cause.chains.push(chain),
            None => {
                let (daemon, what) = (root.name.clone(), what(root, journal));
                causes.push(Cause { daemon, state: root.state, what, chains: vec![chain] });
            }
        }
    }
    causes
}

/// What is with a daemon that does not run.
fn what(daemon: &DaemonStatus, journal: &[Transition]) -> String {
    let states =
        journal.iter().rev().filter(|entry| entry.daemon.as_deref() == Some(&*daemon.name)).map(|entry| entry.state);
    let in_start = states.take_while(|state| *state != State::Starting).all(|state| state != State::Running);
    let state = match daemon.state {
        State::Failed if in_start => "start failed",
        state => state.as_str(),
    };
    match daemon.reason.as_deref().filter(|_| matches!(daemon.state, State::Failed | State::Backoff)) {
        Some(reason) => format!("{state}: {reason}"),
        None => state.to_owned(),
    }
}
