//! `console`: keeps the newest lines of the log while it runs, and restores the log in `cleanup`.

use std::sync::Arc;

use daemon_core::{Context, DaemonBase, Result, daemon};

use crate::chaos::Strike;
use crate::log::{Entry, Ring, Tap};

/// Lines that are kept.
const KEPT: usize = 1000;

#[daemon(name = "console")]
pub(crate) struct ConsoleDaemon {
    tap: Tap,
    ring: Arc<Ring>,
}

#[daemon]
impl ConsoleDaemon {
    /// The newest lines of the log, oldest first.
    #[command]
    fn tail(&self, lines: usize) -> Result<Vec<Entry>> {
        Ok(self.ring.tail(lines))
    }

    /// What goes wrong under `--chaos`.
    #[on_event(on_error = restart)]
    async fn struck(&self, strike: &Strike, cx: &Context) -> Result<()> {
        strike.suffer(cx.name()).await
    }
}

impl DaemonBase for ConsoleDaemon {
    async fn initialize(&self, _: &Context) -> Result<()> {
        self.tap.attach(Some(self.ring.clone()));
        Ok(())
    }

    async fn cleanup(&self, _: &Context) -> Result<()> {
        self.tap.attach(None);
        Ok(())
    }
}

impl ConsoleDaemon {
    pub(crate) fn new(tap: Tap) -> Self {
        Self { tap, ring: Arc::new(Ring::new(KEPT)) }
    }
}
