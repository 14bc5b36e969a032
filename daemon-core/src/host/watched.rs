//! Watches over a `#[task]`: runs it, again as its policy says, and judges its ends.

use std::time::Duration;

use tokio::time::Instant;

use super::supervisor::{Decision, Ending, History};
use crate::BoxFuture;
use crate::context::Life;
use crate::error::Result;
use crate::policy::RestartPolicy;
use crate::status::TaskKind;
use crate::task::{Failure, caught, chance};

/// What a `#[task]` is to its watcher.
pub(super) struct Watched<'a, W> {
    pub(super) life: &'a Life,
    pub(super) name: &'static str,
    pub(super) finite: bool,
    pub(super) policy: RestartPolicy,
    pub(super) work: W,
}

impl<W: Fn() -> BoxFuture<'static, Result<()>>> Watched<'_, W> {
    /// Runs the task, and again as its policy says. A task that has failed for good fails its daemon; an early end
    /// is warned about.
    pub(super) async fn run(self) {
        let Self { life, name, .. } = self;
        life.ready.cancelled().await; // it is registered only when nothing can keep its daemon from running
        let mut history = History::default();
        loop {
            let began = Instant::now();
            let ended = caught(|| life.call(name, &self.work)).await;
            if life.cancel.is_cancelled() {
                if let Err(failure) = &ended {
                    life.failed(TaskKind::Task, name, failure);
                    life.link.daemon_failed(&life.daemon, life.number, format!("task `{name}`: {failure}"), false);
                }
                return;
            }
            let Some(after) = self.judge(&mut history, began, ended) else { return };
            tokio::select! {
                biased;
                () = life.intake.cancelled() => return, // which comes before all else of a stop
                () = tokio::time::sleep(after) => {}
            }
        }
    }

    /// Says after what delay the task runs again, if it does.
    fn judge(&self, history: &mut History, began: Instant, ended: Result<(), Failure>) -> Option<Duration> {
        let Self { life, name, finite, ref policy, .. } = *self;
        let ending = if ended.is_ok() { Ending::Done } else { Ending::Failed };
        if let Err(failure) = &ended {
            life.failed(TaskKind::Task, name, failure);
        }
        match history.decide(policy, ending, began, Instant::now(), chance()) {
            Decision::Restart { after } => {
                tracing::warn!(parent: &life.span, task = name, ?after, "the task is run again");
                Some(after)
            }
            Decision::Leave if finite => None,
            Decision::Leave => {
                let advice = "the task ended early; say `#[task(finite)]` if it may";
                tracing::warn!(parent: &life.span, daemon = &*life.daemon, task = name, "{advice}");
                None
            }
            Decision::GiveUp { exhausted } => {
                let why = ended.err().map_or_else(|| "it keeps ending".to_owned(), |failure| failure.to_string());
                let used = if exhausted { ", and its restarts are used up" } else { "" };
                life.link.daemon_failed(&life.daemon, life.number, format!("task `{name}`: {why}{used}"), false);
                None
            }
        }
    }
}
