//! `training`: turns conversations into training examples and says when there are enough of them for a dataset.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use daemon_core::{Context, DaemonBase, Event, Result, daemon};
use serde::Serialize;

use super::DataDaemon;
use crate::entity::{ChatMessage, Created, TrainingExample, Turn, now_ms};
use crate::window::Windows;

/// A dataset is ready at every multiple of this many examples.
const DATASET: u64 = 50;

/// There are enough examples for another dataset.
#[derive(Event, Debug, Serialize)]
#[event("training:dataset-ready")]
pub(crate) struct DatasetReady {
    pub(crate) example_count: u64,
    pub(crate) source: &'static str,
    pub(crate) trigger: &'static str,
    pub(crate) timestamp: u64,
}

#[daemon(name = "training", requires(DataDaemon))]
#[derive(Default)]
pub(crate) struct TrainingDaemon {
    windows: Mutex<Windows>,
    examples: AtomicU64,
}

#[daemon]
impl TrainingDaemon {
    #[on_event]
    async fn message_created(&self, message: &Created<ChatMessage>, cx: &Context) -> Result<()> {
        let full = self.windows().add(message);
        match full {
            Some(turns) => self.keep(cx, vec![example(&message.room, turns)]).await,
            None => Ok(()),
        }
    }

    /// How many examples there are.
    #[command]
    fn examples(&self) -> Result<u64> {
        Ok(self.examples.load(Ordering::Relaxed))
    }
}

impl DaemonBase for TrainingDaemon {
    async fn initialize(&self, cx: &Context) -> Result<()> {
        let known = cx.daemon::<DataDaemon>().keys::<TrainingExample>(None).await?;
        self.examples.store(known.len() as u64, Ordering::Relaxed);
        Ok(())
    }

    /// Keeps the conversations that did not fill a window.
    async fn cleanup(&self, cx: &Context) -> Result<()> {
        let rest = self.windows().take_rest();
        self.keep(cx, rest.into_iter().map(|(room, turns)| example(&room, turns)).collect()).await
    }
}

impl TrainingDaemon {
    async fn keep(&self, cx: &Context, examples: Vec<TrainingExample>) -> Result<()> {
        if examples.is_empty() {
            return Ok(());
        }
        cx.daemon::<DataDaemon>().put(cx, &examples).await?;
        let added = examples.len() as u64;
        let before = self.examples.fetch_add(added, Ordering::Relaxed);
        for datasets in before / DATASET + 1..=(before + added) / DATASET {
            let example_count = datasets * DATASET;
            tracing::info!("{example_count} training examples: a dataset is ready");
            let (source, trigger) = ("auto-threshold", "training-daemon");
            cx.publish(DatasetReady { example_count, source, trigger, timestamp: now_ms() }).await?;
        }
        Ok(())
    }

    fn windows(&self) -> MutexGuard<'_, Windows> {
        self.windows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An example is known by its room, its time, and a number that tells those of one moment apart.
fn example(room: &str, turns: Vec<Turn>) -> TrainingExample {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let created_ms = now_ms();
    let id = format!("{room}-{created_ms}-{}", NEXT.fetch_add(1, Ordering::Relaxed));
    TrainingExample { id, room: room.to_owned(), turns, created_ms }
}
