//! What contexts and handles ask of the host, answered from the board.

use std::any::TypeId;
use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::board::{Board, Happening};
use super::slot::{Alive, Slot};
use crate::BoxFuture;
use crate::call::{CallError, Carried, CommandInfo, hash};
use crate::context::{AnyDaemon, Context, Errand, HostLink, Readiness, Wish, askers};
use crate::definition::{CommandOutline, DeclaredCheck};
use crate::error::Error;
use crate::instance::{DaemonLock, Environment, Layout, PathError};
use crate::schedule::Order;
use crate::status::{CheckReport, EventAudit, HostReadiness, HostStatus, State, TaskKind, Transition};
use crate::sync::watch;
use crate::task::{Label, Record, caught, current};
use crate::upgrade::Upgrades;

impl HostLink for Board {
    fn readiness(&self, daemon: &str) -> Option<watch::Receiver<Readiness>> {
        self.find(daemon).map(|(_, slot)| slot.states())
    }

    fn has(&self, daemon: &str) -> bool {
        self.find(daemon).is_some()
    }

    fn names(&self) -> Vec<String> {
        self.slots().iter().map(|slot| slot.name.to_string()).collect()
    }

    fn held_up_by(&self, daemon: &str) -> Vec<String> {
        let slots = self.slots();
        let Some(on) = slots.iter().find(|slot| *slot.name == *daemon) else { return Vec::new() };
        let held_up = |slot: &&Arc<Slot>| slot.name == on.name || needs(&slots, slot, on, true);
        slots.iter().filter(held_up).map(|slot| slot.name.to_string()).collect()
    }

    fn running(&self, type_id: TypeId, name: Option<&str>) -> Option<AnyDaemon> {
        let wanted = |slot: &&Arc<Slot>| slot.type_id == type_id && name.is_none_or(|name| *slot.name == *name);
        self.slots().iter().filter(wanted).find_map(|slot| slot.running()).map(|alive| alive.lived.any())
    }

    fn request_shutdown(&self, by: &str) {
        self.shut_down(&format!("asked for by {by}"));
    }

    fn daemon_failed(&self, daemon: &str, life: u64, reason: String, for_good: bool) {
        let Some((at, slot)) = self.find(daemon) else { return };
        let mut inner = slot.inner();
        if inner.life.as_ref().is_none_or(|now| now.number != life) {
            return;
        }
        if inner.state == State::Running && self.stopping_since().is_none() {
            inner.reason = Some(reason);
            self.tell(Happening::Broke { at, for_good }); // under the lock: before the life can tell of its end
        } else {
            inner.problems.push(reason); // it is to end, and does, if badly
        }
    }

    fn steer(&self, daemon: &str, wish: Wish) -> BoxFuture<'_, Result<(), Error>> {
        let daemon = daemon.to_owned();
        Box::pin(async move {
            let (at, slot) = self.find(&daemon).ok_or_else(|| self.unknown(&daemon))?;
            if wish != Wish::Stop && self.stopping_since().is_some() {
                return Err(Error::Stopping { daemon }); // also while the host goes on for a while: no life begins any more
            }
            let (mut readiness, mut rested, before) = (slot.states(), slot.rests(), slot.readiness());
            let waits_for_itself = self.waits_for_itself(&slot, wish, false);
            // A shutdown stops a daemon after those that merely want it, too.
            let waits_in_shutdown = wish == Wish::Stop && self.waits_for_itself(&slot, wish, true);
            let number = self.wish(|number| match wish {
                Wish::Stop => Happening::Stop(at, number),
                Wish::Start => Happening::Start(at),
                Wish::Restart => Happening::Restart(at),
            });
            if waits_for_itself {
                return Ok(());
            }
            let reached = readiness.wait_for(|now| match (wish, now.state) {
                // A later life tells as much: the end of the one before may have passed unseen.
                (Wish::Stop, state) => now.life != before.life || matches!(state, State::Stopped | State::Failed),
                (Wish::Start | Wish::Restart, State::Failed) => now.changes > before.changes,
                (Wish::Start, state) => state == State::Running,
                (Wish::Restart, state) => now.life != before.life && state == State::Running,
            });
            let state = tokio::select! {
                biased;
                reached = reached => reached.map(|now| now.state).unwrap_or_default(),
                () = self.stopping.cancelled(), if wish != Wish::Stop => {
                    return Err(Error::Stopping { daemon });
                }
                () = self.stopping.cancelled(), if waits_in_shutdown => return Ok(()),
                _ = rested.wait_for(|later| *later > number), if wish != Wish::Stop => {
                    return Err(Error::Overruled { daemon });
                }
            };
            if state == State::Failed && wish != Wish::Stop {
                let reason = slot.inner().reason.clone().unwrap_or_default();
                return Err(Error::DaemonFailed { daemon, reason });
            }
            Ok(())
        })
    }

    fn order(&self, daemon: &str, interval: &str, order: Order) -> Result<(), Error> {
        let (_, slot) = self.find(daemon).ok_or_else(|| self.unknown(daemon))?;
        let life = slot.inner().life.clone();
        let Some(life) = life else {
            return Err(Error::NotRunning { daemon: daemon.to_owned(), state: slot.state().to_string() });
        };
        life.order(interval, order)
    }

    fn call(&self, daemon: &str, command: &str, request: Carried) -> BoxFuture<'_, Result<Carried, CallError>> {
        let (daemon, command) = (daemon.to_owned(), command.to_owned());
        Box::pin(async move {
            let (errand, reply) = self.begin_call(&daemon, command, request)?;
            let _waits = errand;
            reply.await.unwrap_or(Err(CallError::ShuttingDown { daemon }))
        })
    }

    fn checks(&self) -> Vec<DeclaredCheck> {
        self.declared_checks()
    }

    fn run_check(&self, daemon: &str, check: &str) -> BoxFuture<'_, Result<CheckReport, Error>> {
        let (daemon, check) = (daemon.to_owned(), check.to_owned());
        Box::pin(async move { self.ask_check(&daemon, &check).await })
    }

    fn run_checks(&self) -> BoxFuture<'_, Vec<CheckReport>> {
        Box::pin(self.ask_checks())
    }

    fn fail_daemon(&self, daemon: &str, life: u64, reason: String, for_good: bool) -> Result<(), Error> {
        self.find(daemon).ok_or_else(|| self.unknown(daemon))?;
        self.daemon_failed(daemon, life, reason, for_good);
        Ok(())
    }

    fn host_readiness(&self) -> HostReadiness {
        self.is_ready()
    }

    fn status(&self) -> HostStatus {
        self.host_status()
    }

    fn audit(&self) -> EventAudit {
        self.event_audit()
    }

    fn commands(&self) -> Vec<CommandInfo> {
        let infos = |slot: &Arc<Slot>| {
            let info = |command: &CommandOutline| CommandInfo {
                daemon: slot.name.to_string(),
                command: command.signature.name.to_owned(),
                doc: command.doc.to_owned(),
                request: command.signature.request.map(|make| make()),
                reply: command.signature.reply.map(|make| make()),
            };
            slot.commands.iter().map(info).collect::<Vec<_>>()
        };
        self.slots().iter().flat_map(infos).collect()
    }

    fn command_hashes(&self) -> BTreeMap<String, String> {
        let of = |slot: &Arc<Slot>| {
            let signatures: Vec<_> = slot.commands.iter().map(|command| command.signature).collect();
            (!signatures.is_empty()).then(|| (slot.name.to_string(), hash(&signatures)))
        };
        self.slots().iter().filter_map(of).collect()
    }

    fn workers(&self) -> Option<Handle> {
        self.settings.runtime().cloned()
    }

    fn layout(&self) -> Result<Layout, PathError> {
        Layout::new(&self.name, self.scope, Environment::current())
    }

    fn lock(&self) -> Option<DaemonLock> {
        self.claimed.lock()
    }

    fn upgrades(&self) -> Upgrades {
        self.upgrades.clone()
    }

    fn journal(&self) -> Vec<Transition> {
        self.journal.transitions()
    }

    #[cfg(feature = "testing")]
    fn fault(&self, daemon: &str, name: &str) -> Option<crate::task::Fault> {
        self.faults.take(daemon, name)
    }
}

/// What a caller keeps while it waits for a reply: nothing of the daemon it calls, which may have to end meanwhile.
type Calling = (Arc<()>, oneshot::Receiver<Result<Carried, CallError>>);

impl Board {
    /// That there is no daemon of that name, and which there are.
    pub(super) fn unknown(&self, name: &str) -> Error {
        Error::UnknownDaemon { name: name.to_owned(), known: self.names().join(", ") }
    }

    /// Begins a command, as work of its daemon.
    fn begin_call(&self, daemon: &str, command: String, request: Carried) -> Result<Calling, CallError> {
        let daemon = daemon.to_owned();
        let Some((_, slot)) = self.find(&daemon) else {
            return Err(CallError::UnknownDaemon { daemon, known: self.names().join(", ") });
        };
        let unknown = |daemon, command| {
            let known = slot.command_names().collect::<Vec<_>>().join(", ");
            Err(CallError::UnknownCommand { daemon, command, known })
        };
        if slot.command_names().all(|name| name != command) {
            return unknown(daemon, command);
        }
        let Some(Alive { life, lived }) = slot.running() else {
            return Err(CallError::Unavailable { daemon, state: slot.state().to_string() });
        };
        let Some(work) = lived.command(&command, request, Context { life: life.clone() }) else {
            return unknown(daemon, command);
        };
        let (errand, waits) = Errand::begin(&slot.name, &command)?;
        let (sender, reply) = oneshot::channel();
        let (work, name, watch) = (errand.run(work), command.clone(), life.clone());
        let run = async move {
            let mut answer = None;
            let ended = caught(|| async {
                answer = Some(work.await);
                Ok(())
            });
            let outcome = match (ended.await, answer) {
                (Ok(()), Some(answer)) => answer,
                (Ok(()), None) => return,
                (Err(failure), _) => {
                    watch.failed(TaskKind::Command, &command, &failure);
                    Err(CallError::Panicked(failure.to_string()))
                }
            };
            drop(sender.send(outcome)); // the caller may have gone
        };
        drop(life.spawn(Label::new(TaskKind::Command, &name), run)); // refused: no reply comes, as if it had been cut
        Ok((waits, reply))
    }

    /// Whether the work that asks, or work that waits for the command it is, would wait for its own end; `stopping`: in a shutdown.
    fn waits_for_itself(&self, target: &Slot, wish: Wish, stopping: bool) -> bool {
        current().into_iter().chain(askers()).any(|work| self.is_in_the_way(&work, target, wish, stopping))
    }

    /// Whether work of this host asks, or work of it waits for the command that does.
    pub(super) fn is_asked_from_inside(&self) -> bool {
        let slots = self.slots();
        let is_ours = |work: &Arc<Record>| {
            let of = |slot: &Arc<Slot>| slot.inner().life.as_ref().is_some_and(|life| life.tasks.has(work));
            slots.iter().any(of) || self.farewell.has(work)
        };
        current().iter().chain(&askers()).any(is_ours)
    }

    /// Whether what is asked for cannot be before the daemon whose work this is has stopped, or has got on.
    fn is_in_the_way(&self, work: &Arc<Record>, target: &Slot, wish: Wish, stopping: bool) -> bool {
        let of = |slot: &&Arc<Slot>| slot.inner().life.as_ref().is_some_and(|life| life.tasks.has(work));
        let slots = self.slots();
        let Some(asks) = slots.iter().find(of) else { return false };
        if asks.name == target.name {
            return true; // one that runs and is to be started need not be waited for either
        }
        let starts = wish != Wish::Stop && asks.state() != State::Running && needs(&slots, target, asks, true);
        starts || (wish != Wish::Start && needs(&slots, asks, target, stopping))
    }
}

/// Whether `from` requires `on`, over any number of steps; `or_wants`: or wants it.
fn needs(slots: &[Arc<Slot>], from: &Slot, on: &Slot, or_wants: bool) -> bool {
    let (mut seen, mut queue) = (Vec::new(), vec![from]);
    while let Some(slot) = queue.pop() {
        let wants = slot.wants.iter().filter(|_| or_wants);
        for name in slot.requires.iter().chain(wants) {
            if **name == *on.name {
                return true;
            }
            if let Some(next) = slots.iter().find(|slot| *slot.name == **name)
                && !seen.contains(name)
            {
                seen.push(name.clone());
                queue.push(next);
            }
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::builder::Host;
    use crate::host::conductor::Conductor;
    use crate::host::factory::Source;
    use crate::host::quiet::Quiet;
    use crate::host::unit::{Unit, UnitOf};
    use crate::schedule::Clock;

    #[test]
    fn what_many_ways_lead_to_is_come_to_once() {
        let Conductor { board, bus, .. } = Host::new("t").daemon(Quiet).assemble(Clock::new()).unwrap();
        let slot = |at: usize| {
            let unit = UnitOf::<Quiet>::new(&at.to_string(), Source::Value(std::sync::Mutex::default()));
            let intake = unit.subscribe(&bus).unwrap();
            // Two beside each other at each step, and each requires both of the step below: twice as many ways for each.
            let below = (at / 2).checked_sub(1).map_or(Vec::new(), |step| vec![2 * step, 2 * step + 1]);
            let below = below.iter().map(ToString::to_string).collect();
            Arc::new(Slot::new(&unit, 1, below, Vec::new(), intake, board.journal.clone()))
        };
        let slots: Vec<_> = (0..128).map(slot).collect();
        assert!(needs(&slots, &slots[127], &slots[0], false));
        assert!(!needs(&slots, &slots[127], &slots[126], false) && !needs(&slots, &slots[0], &slots[127], true));
    }
}
