//! Asks the daemons' health checks, as work of their daemons, and tells whether the host is ready.
//!
//! Invariants:
//! 1. Who asks waits no longer than a check's timeout, provided a thread of their own runtime is free.
//! 2. What [`Board::is_ready`] answers was so at one moment between its call and its return.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::board::Board;
use super::slot::{Alive, Slot};
use super::unit::BoundCheck;
use crate::context::{Context, Readiness};
use crate::definition::DeclaredCheck;
use crate::error::Error;
use crate::status::{CheckKind, CheckReport, HostReadiness, State, TaskKind, TaskStatus};
use crate::task::{FOREVER, Failure, Label, caught};

impl Board {
    /// What the daemons declare, in the order of their waves.
    pub(super) fn declared_checks(&self) -> Vec<DeclaredCheck> {
        let of = |slot: &Arc<Slot>| {
            let slot = slot.clone();
            let count = slot.checks.len();
            (0..count).map(move |at| {
                let (name, options) = &slot.checks[at];
                DeclaredCheck {
                    daemon: slot.name.to_string(),
                    name: (*name).to_owned(),
                    optional: slot.optional,
                    options: options.clone(),
                }
            })
        };
        self.by_wave().iter().flat_map(of).collect()
    }

    /// Asks one check.
    pub(super) async fn ask_check(&self, daemon: &str, check: &str) -> Result<CheckReport, Error> {
        let (_, slot) = self.find(daemon).ok_or_else(|| self.unknown(daemon))?;
        if slot.checks.iter().all(|(name, _)| *name != check) {
            let known = slot.checks.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
            return Err(Error::UnknownCheck { daemon: daemon.to_owned(), name: check.to_owned(), known });
        }
        let not_running = || Error::NotRunning { daemon: daemon.to_owned(), state: slot.state().to_string() };
        let alive = slot.running().ok_or_else(not_running)?;
        let asked = ask(&slot.name, &alive, &|name| name == check).into_iter().next();
        asked.ok_or_else(not_running)?.answer().await.ok_or_else(not_running)
    }

    /// Asks all checks of running daemons, side by side.
    pub(super) async fn ask_checks(&self) -> Vec<CheckReport> {
        let mut under_way = Vec::new();
        for slot in self.slots() {
            if let Some(alive) = slot.running() {
                under_way.extend(ask(&slot.name, &alive, &|_| true));
            }
        }
        let mut reports = Vec::with_capacity(under_way.len());
        for asked in under_way {
            let gone = asked.report(Some("its daemon is shutting down".to_owned()), asked.since.elapsed());
            reports.push(asked.answer().await.unwrap_or(gone));
        }
        reports
    }

    /// Whether the host does its work, as far as the lives of its daemons tell.
    pub(super) fn is_ready(&self) -> HostReadiness {
        let mut seen = self.seen();
        loop {
            // One daemon that is seen to be down is enough for a no; for a yes all have to have run at once.
            if !seen.is_ready() {
                return seen.into_readiness();
            }
            let again = self.seen();
            if again == seen {
                return seen.into_readiness();
            }
            seen = again;
        }
    }

    fn seen(&self) -> Seen {
        let slots = self.slots();
        let required = slots.iter().filter(|slot| !slot.optional);
        let daemons = required.map(|slot| (slot.name.clone(), slot.readiness())).collect();
        let (host, ends) = (self.state(), self.stopping_since().is_some());
        Seen { host, ends, ran: self.has_run(), daemons }
    }
}

/// What is seen of the host and of the daemons it requires by who reads their states one after the other. Every change counts one
/// more, so that two readings that are alike saw what was so between them.
#[derive(PartialEq)]
struct Seen {
    host: State,
    ends: bool,
    ran: bool,
    daemons: Vec<(Arc<str>, Readiness)>,
}

impl Seen {
    fn is_ready(&self) -> bool {
        let all_run = self.daemons.iter().all(|(_, now)| now.state == State::Running);
        self.host == State::Running && !self.ends && all_run
    }

    fn into_readiness(self) -> HostReadiness {
        let is_down = |(name, now): &(Arc<str>, Readiness)| (now.state != State::Running).then(|| name.to_string());
        HostReadiness {
            ready: self.is_ready(),
            started: self.ran,
            stopping: self.ends,
            down: self.daemons.iter().filter_map(is_down).collect(),
        }
    }
}

/// A check that has been asked.
struct Asked {
    daemon: Arc<str>,
    life: u64,
    name: &'static str,
    kind: CheckKind,
    soft: bool,
    limit: Duration,
    since: Instant,
    outcome: oneshot::Receiver<(Result<(), Failure>, Duration)>,
}

/// Asks the checks of one life that `of` picks.
fn ask(daemon: &Arc<str>, alive: &Alive, of: &dyn Fn(&str) -> bool) -> Vec<Asked> {
    let cx = Context { life: alive.life.clone() };
    alive.lived.checks(&cx, of).into_iter().map(|check| ask_of(daemon, alive, check)).collect()
}

fn ask_of(daemon: &Arc<str>, alive: &Alive, check: BoundCheck) -> Asked {
    let BoundCheck { name, kind, soft, timeout, run } = check;
    let (limit, since) = (timeout.min(FOREVER), Instant::now());
    let (sender, outcome) = oneshot::channel();
    let asked = Asked { daemon: daemon.clone(), life: alive.life.number, name, kind, soft, limit, since, outcome };
    if still_blocks(alive, name, limit) {
        let failure = Failure::Error("its last call still blocks its thread, and was not asked again".into());
        drop(sender.send((Err(failure), Duration::ZERO))); // received below
        return asked;
    }
    let life = alive.life.clone();
    let work = life.call(name, move || run);
    let run = async move {
        let until = since + limit;
        let ended = match Instant::now() < until {
            true => tokio::time::timeout_at(until, caught(|| work)).await.unwrap_or(Err(Failure::Timeout(limit))),
            false => Err(Failure::Timeout(limit)), // nobody waits for it any more, and it may block
        };
        if let Err(failure @ Failure::Panic(_)) = &ended {
            life.failed(TaskKind::Check, name, failure);
        }
        drop(sender.send((ended, since.elapsed()))); // the asker may have gone
    };
    drop(alive.life.spawn(Label::new(TaskKind::Check, name), run)); // refused: no outcome arrives
    asked
}

/// Whether an earlier call of a check, whose time is over, blocks its thread: one more would block one thread more. Its poll must have
/// lasted for some part of that time, since one that ends just now is polled, too.
fn still_blocks(alive: &Alive, name: &str, limit: Duration) -> bool {
    let blocks = |task: &TaskStatus| task.age >= limit && task.idle.is_some_and(|idle| idle >= limit / 4);
    let polled = alive.life.tasks.polled();
    polled.iter().any(|(_, task)| task.kind == TaskKind::Check && task.name == name && blocks(task))
}

impl Asked {
    /// The answer, or that there was none in time; `None`: the daemon stopped meanwhile.
    async fn answer(mut self) -> Option<CheckReport> {
        let answer = tokio::time::timeout_at(self.since + self.limit, &mut self.outcome).await;
        Some(match answer {
            Ok(Ok((Err(Failure::Timeout(limit)), took))) => self.report(Some(no_answer(limit)), took),
            Ok(Ok((outcome, took))) => self.report(outcome.err().map(|failure| failure.to_string()), took),
            Ok(Err(_)) => return None,
            Err(_) => self.report(Some(no_answer(self.limit)), self.limit),
        })
    }

    fn report(&self, failure: Option<String>, duration: Duration) -> CheckReport {
        CheckReport {
            daemon: self.daemon.to_string(),
            life: self.life,
            name: self.name.to_owned(),
            kind: self.kind,
            soft: self.soft,
            failure,
            duration,
        }
    }
}

fn no_answer(limit: Duration) -> String {
    format!("no answer within {limit:?}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::builder::Host;
    use crate::host::quiet::Quiet;
    use crate::schedule::Clock;

    #[test]
    fn two_readings_are_alike_only_if_nothing_lay_between_them() {
        let board = Host::new("t").daemon(Quiet).assemble(Clock::new()).unwrap().board;
        board.set_state(State::Running);
        board.slot(0).enter(State::Running);
        let before = board.seen();
        assert!(before.is_ready() && before == board.seen());
        board.slot(0).enter(State::Stopping);
        board.slot(0).enter(State::Running);
        let after = board.seen();
        assert!(after.is_ready() && before != after);
    }
}
