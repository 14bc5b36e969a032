//! The driver: one future for all intervals of a life. It begins what is due, then sleeps until something is.
//!
//! Invariants:
//! 1. It wakes only for what is due, for a change of its intervals or of the clocks, and to end.
//! 2. Between two ticks it offers the worker to others, at the pace of tokio's cooperative budget.
//! 3. No tick begins once the intake has stopped, nor one that waited or was to be made up.

use std::sync::Arc;

use super::book::Step;
use super::tick::{Owner, Tick};

/// Ticks until the intake stops.
///
/// Cancel safe: ticks that have a task of their own go on.
pub(crate) async fn drive<O: Owner>(owner: Arc<O>) {
    let (timers, intake) = (owner.timers(), owner.intake());
    let mut watch = timers.watch();
    let mut now = watch.now();
    timers.begin(now);
    let (mut ended, mut jumped) = (None, false);
    while !intake.is_cancelled() {
        if watch.has_jumped() {
            now = watch.now();
            timers.rebase(now);
            jumped = true;
        }
        match timers.step(ended.take(), now, jumped) {
            Step::Tick { slot, ticker, late } => {
                let begun = now.moment;
                let over = Tick { slot, ticker, begun, late }.begin(&owner);
                now = watch.now();
                if let Some((tick, outcome)) = over {
                    tick.book(&*owner, &outcome, now);
                    ended = Some(slot);
                }
                tokio::task::coop::consume_budget().await;
            }
            Step::Wait(until) => {
                jumped = false;
                tokio::select! {
                    biased;
                    () = intake.cancelled() => {}
                    () = timers.changed() => {}
                    () = watch.wait(until) => {}
                }
                now = watch.now();
            }
        }
    }
    if let Some(slot) = ended {
        timers.ended(slot, now);
    }
}
