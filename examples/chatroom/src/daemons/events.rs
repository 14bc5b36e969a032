//! `events`: watches how fast every topic is published and names those that storm. It only counts; it drops nothing.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use daemon_core::{Context, DaemonBase, Envelope, Event, Result, daemon};
use serde::{Deserialize, Serialize};

use crate::chaos::Strike;
use crate::storm::{Rates, Turn};

/// A topic began or ceased to storm.
#[derive(Event, Debug, Serialize)]
#[event("events:storm")]
pub(crate) struct StormNews {
    pub(crate) topic: String,
    pub(crate) began: bool,
}

#[daemon(name = "events")]
pub(crate) struct EventsDaemon {
    rates: Mutex<Rates>,
    window_began: Mutex<Instant>,
    per_second: AtomicU64,
}

/// What is known of the traffic now.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Traffic {
    pub(crate) total: u64,
    pub(crate) per_second: u64,
    pub(crate) storms: Vec<String>,
}

#[daemon]
impl EventsDaemon {
    #[on_event("**")]
    fn any(&self, event: &Envelope) {
        self.rates().count(event.topic());
    }

    #[every("500ms", name = "rate-window")]
    async fn end_window(&self, cx: &Context) -> Result<()> {
        let length =
            std::mem::replace(&mut *self.window_began.lock().unwrap_or_else(PoisonError::into_inner), Instant::now())
                .elapsed();
        let (per_second, turns) = self.rates().end_window(length);
        self.per_second.store(per_second, Ordering::Relaxed);
        for turn in turns {
            let news = match turn {
                Turn::Began { topic, per_second } => {
                    tracing::info!("storm: `{topic}` comes {per_second} times per second");
                    StormNews { topic, began: true }
                }
                Turn::Ended { topic, events, lasted, peak_per_second } => {
                    tracing::info!(
                        "storm over: `{topic}` came {events} times in {lasted:.1?}, up to {peak_per_second} per second"
                    );
                    StormNews { topic, began: false }
                }
            };
            cx.publish(news).await?;
        }
        Ok(())
    }

    /// How many events there were, how fast they come now, and which topics storm.
    #[command]
    fn traffic(&self) -> Result<Traffic> {
        let rates = self.rates();
        let per_second = self.per_second.load(Ordering::Relaxed);
        Ok(Traffic { total: rates.total(), per_second, storms: rates.storms() })
    }

    /// What goes wrong under `--chaos`.
    #[on_event(on_error = restart)]
    async fn struck(&self, strike: &Strike, cx: &Context) -> Result<()> {
        strike.suffer(cx.name()).await
    }
}

impl DaemonBase for EventsDaemon {}

impl Default for EventsDaemon {
    fn default() -> Self {
        Self { rates: Mutex::default(), window_began: Mutex::new(Instant::now()), per_second: AtomicU64::new(0) }
    }
}

impl EventsDaemon {
    fn rates(&self) -> MutexGuard<'_, Rates> {
        self.rates.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
