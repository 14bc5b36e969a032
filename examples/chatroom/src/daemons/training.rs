//! `training`: turns conversations into training examples and says when there are enough of them for a dataset.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use daemon_core::{Context, DaemonBase, Event, Result, daemon};
use serde::Serialize;

use super::DataDaemon;
use crate::chaos::Strike;
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
    work: Mutex<Work>,
    examples: AtomicU64,
}

/// Messages on their way to an example, and examples on their way to the database.
#[derive(Debug, Default)]
struct Work {
    windows: Windows,
    ready: Vec<TrainingExample>,
}

#[daemon]
impl TrainingDaemon {
    #[on_event]
    async fn message_created(&self, message: &Created<ChatMessage>, cx: &Context) -> Result<()> {
        let enough = {
            let mut work = self.work();
            let full = work.windows.add(message).map(|turns| example(&message.room, turns));
            work.ready.extend(full);
            work.ready.len() as u64 >= DATASET
        };
        if enough { self.keep(cx).await } else { Ok(()) }
    }

    #[every("1s", name = "keep-examples")]
    async fn keep_in_time(&self, cx: &Context) -> Result<()> {
        self.keep(cx).await
    }

    /// How many examples there are.
    #[command]
    fn examples(&self) -> Result<u64> {
        Ok(self.examples.load(Ordering::Relaxed))
    }

    /// What goes wrong under `--chaos`.
    #[on_event(on_error = restart)]
    async fn struck(&self, strike: &Strike, cx: &Context) -> Result<()> {
        strike.suffer(cx.name()).await
    }
}

impl DaemonBase for TrainingDaemon {
    async fn initialize(&self, cx: &Context) -> Result<()> {
        let known = cx.daemon::<DataDaemon>().count_of::<TrainingExample>().await?;
        self.examples.store(known, Ordering::Relaxed);
        Ok(())
    }

    /// Keeps what is left, with the conversations that did not fill a window.
    async fn cleanup(&self, cx: &Context) -> Result<()> {
        {
            let mut work = self.work();
            let rest = work.windows.take_rest().into_iter().map(|(room, turns)| example(&room, turns));
            work.ready.extend(rest);
        }
        self.keep(cx).await
    }
}

impl TrainingDaemon {
    /// Stores the examples that are ready, in one transaction, and publishes every dataset they complete.
    async fn keep(&self, cx: &Context) -> Result<()> {
        let ready = std::mem::take(&mut self.work().ready);
        if ready.is_empty() {
            return Ok(());
        }
        cx.daemon::<DataDaemon>().put(cx, &ready).await?;
        let added = ready.len() as u64;
        let before = self.examples.fetch_add(added, Ordering::Relaxed);
        for dataset in before / DATASET + 1..=(before + added) / DATASET {
            let example_count = dataset * DATASET;
            tracing::info!("{example_count} training examples: a dataset is ready");
            let (source, trigger) = ("auto-threshold", "training-daemon");
            cx.publish(DatasetReady { example_count, source, trigger, timestamp: now_ms() }).await?;
        }
        Ok(())
    }

    fn work(&self) -> MutexGuard<'_, Work> {
        self.work.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An example is known by its room, its time, and a number that tells those of one moment apart.
fn example(room: &str, turns: Vec<Turn>) -> TrainingExample {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let created_ms = now_ms();
    let id = format!("{room}-{created_ms}-{}", NEXT.fetch_add(1, Ordering::Relaxed));
    TrainingExample { id, room: room.to_owned(), turns, created_ms }
}

#[cfg(test)]
mod tests {
    use daemon_core::testing::TestHost;

    use super::*;
    use crate::testing::{hold, start, stop, until};

    async fn say(host: &TestHost, messages: usize) {
        let message = |n: usize| ChatMessage {
            id: n.to_string(),
            room: "general".into(),
            sender: "you".into(),
            text: n.to_string(),
            sent_ms: 0,
        };
        for n in 0..messages {
            hold(host.publish(Created(message(n)))).await;
        }
    }

    fn datasets(host: &mut TestHost) -> Vec<u64> {
        host.published::<DatasetReady>().iter().map(|ready| ready.example_count).collect()
    }

    #[tokio::test]
    async fn a_dataset_is_ready_at_every_fifty_examples() {
        let mut host = start(|host| host.daemon(TrainingDaemon::default())).await;
        let training = host.daemon::<TrainingDaemon>();
        let kept = async |examples| {
            until("kept", async || training.examples.load(Ordering::Relaxed) == examples).await;
        };
        // Ten messages make an example, and fifty examples need no tick.
        say(&host, 499).await;
        assert!(datasets(&mut host).is_empty());
        say(&host, 1).await;
        kept(50).await;
        say(&host, 700).await;
        kept(100).await;
        host.settle().await;
        assert_eq!(datasets(&mut host), [50, 100]);

        // Fewer are kept by a tick, and count for the next dataset.
        host.advance("1s").await;
        kept(120).await;
        say(&host, 290).await;
        host.advance("1s").await;
        kept(149).await;
        host.settle().await;
        assert_eq!(datasets(&mut host), [50, 100]);
        say(&host, 10).await;
        host.advance("1s").await;
        kept(150).await;
        host.settle().await;
        assert_eq!(datasets(&mut host), [50, 100, 150]);
        assert_eq!(host.expect_event::<DatasetReady>().await.trigger, "training-daemon");
        stop(host).await;
    }
}
