//! What is done about a host that is embedded, and whose runtime is shut down before it has stopped: no step of a stop can be taken
//! any more, but nobody waits for the host in vain, and nothing is kept alive by it.

use std::sync::Arc;

use super::board::Board;
use super::slot::Slot;
use crate::context::{Life, Phase};
use crate::status::State;
use crate::task::drop_quietly;
use crate::unwind::quietly;

/// What such an end is called.
const CAUSE: &str = "its runtime was shut down";

/// A host under way. If it is dropped before it is told that the host is over, the host's runtime is gone.
pub(super) struct UnderWay(Option<Arc<Board>>);

impl UnderWay {
    pub(super) fn new(board: &Arc<Board>) -> Self {
        Self(Some(board.clone()))
    }

    /// The host has ended by itself.
    pub(super) fn over(mut self) {
        self.0 = None;
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        if let Some(board) = self.0.take() {
            bereave(&board);
        }
    }
}

fn bereave(board: &Board) {
    tracing::error!(host = board.name, "the runtime was shut down before the host had stopped: nothing is cleaned up");
    board.set_cause(CAUSE);
    for slot in board.slots() {
        slot.bereave();
    }
    board.set_state(State::Stopped);
    quietly(|| board.stopping.cancel()); // a waker of the user's
    board.claimed.give_back();
    board.bus.end_taps();
}

impl Slot {
    /// Ends what there is of a life without another step of it.
    pub(super) fn bereave(&self) {
        let (life, lived, ended) = {
            let mut inner = self.inner();
            let ended = matches!(inner.state, State::Stopped | State::Failed);
            if !ended {
                inner.reason = Some(CAUSE.to_owned());
            }
            (inner.life.take(), inner.lived.take(), ended)
        };
        if let Some(life) = &life {
            end(life);
        }
        drop_quietly(lived);
        drop_quietly(life);
        self.intake.close();
        if !ended {
            self.enter_for(State::Stopped, Some(CAUSE.to_owned()));
        }
    }
}

/// What a stop does of its own, and what wakes those who wait.
fn end(life: &Life) {
    life.tasks.close();
    life.close_pulled();
    quietly(|| life.cancel.cancel()); // a waker of the user's
    life.enter(Phase::Over);
    drop(life.drop_guards()); // a panic has been logged
    drop(life.forget_intervals());
}
