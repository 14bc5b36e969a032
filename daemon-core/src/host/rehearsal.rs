//! A host that a test drives: embedded as by [`Host::start`], with signals that the test sends.

use std::future::pending;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::board::Board;
use super::builder::Host;
use super::check::CheckError;
use super::conductor::Conductor;
use super::embed::{RunningHost, StartError, launch};
use super::signals::{Meaning, Presses, Signal};
use crate::context::HostHandle;
use crate::event::Bus;
use crate::schedule::Clock;
use crate::task::Faults;

/// A host that is about to be started.
pub(crate) struct Rehearsal {
    conductor: Conductor,
}

/// Where the signals of a host under test come from.
pub(crate) struct Outside {
    board: Arc<Board>,
    inner: Mutex<(Presses, Option<oneshot::Sender<u8>>)>,
}

impl Host {
    /// Checks the host and makes it ready for a test, which moves the clock.
    pub(crate) fn rehearse(self, clock: Arc<Clock>) -> Result<Rehearsal, CheckError> {
        Ok(Rehearsal { conductor: self.assemble(clock)? })
    }
}

impl Rehearsal {
    pub(crate) fn bus(&self) -> &Arc<Bus> {
        &self.conductor.bus
    }

    pub(crate) fn handle(&self) -> HostHandle {
        HostHandle::new(self.conductor.board.clone(), self.conductor.bus.publisher("host"))
    }

    pub(crate) fn faults(&self) -> Arc<Faults> {
        self.conductor.board.faults.clone()
    }

    pub(crate) async fn start(self) -> Result<(RunningHost, Outside), StartError> {
        let board = self.conductor.board.clone();
        let (sender, forced) = oneshot::channel();
        let outside = Outside { board: board.clone(), inner: Mutex::new((Presses::default(), Some(sender))) };
        let forced = async move {
            let Ok(code) = forced.await else { return pending().await }; // no test is left to force anything
            abort_all(&board);
            code
        };
        Ok((launch(self.conductor, forced).await?, outside))
    }
}

impl Outside {
    /// Does what the signal means, as if the process had got it.
    pub(crate) fn signal(&self, signal: Signal) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let (presses, force) = &mut *inner;
        match presses.judge(signal, Instant::now()) {
            Meaning::Stop => self.board.shut_down(signal.name),
            Meaning::Force => {
                if let Some(force) = force.take() {
                    let _ = force.send(signal.forced_code); // a host that has stopped cannot be forced to
                }
            }
            Meaning::Reload => drop(self.board.begin_reload(signal.name)), // nobody waits for its report
            Meaning::Nothing => {}
        }
    }
}

/// Aborts all work: the exit of the process would have ended it.
fn abort_all(board: &Board) {
    for slot in board.slots() {
        let life = slot.inner().life.clone();
        if let Some(life) = life {
            life.tasks.close(); // the report names what was under way
        }
    }
}
