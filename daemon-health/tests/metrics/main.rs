//! The figures of a host, as text and in a recorder of the `metrics` facade.

#![cfg(feature = "metrics")]
#![allow(clippy::unwrap_used, reason = "in a test a panic is the report, also in what tests share")]

mod bounds;
mod facade;
mod text;

use daemon_core::{Context, DaemonBase, Event, Result, daemon};
use std::sync::Mutex;
use std::time::Duration;

#[derive(Event)]
#[event("garden:rain", local)]
pub(crate) struct Rain(pub(crate) u32);

/// A daemon with one of everything that is shown.
#[daemon(name = "garden", restart(on_failure, backoff = "1s..1s", limit = "9/1h"))]
#[derive(Default)]
pub(crate) struct Garden(Mutex<Option<Context>>);

#[daemon]
impl Garden {
    #[on_event(capacity = 8)]
    async fn drink(&self, rain: &Rain) -> Result<()> {
        match rain.0 {
            0 => Err("a drought".into()),
            millis => {
                tokio::time::sleep(Duration::from_millis(millis.into())).await;
                Ok(())
            }
        }
    }

    #[every("10s", timeout = "9s")]
    async fn water(&self) -> Result<()> {
        tokio::time::sleep(Duration::from_secs(2)).await;
        Ok(())
    }

    #[on_event(on_error = restart)]
    async fn wither(&self, rain: &Rain) -> Result<()> {
        if rain.0 == 9_999 { Err("a flood".into()) } else { Ok(()) }
    }
}

impl DaemonBase for Garden {
    async fn initialize(&self, cx: &Context) -> Result<()> {
        *self.0.lock().unwrap() = Some(cx.clone());
        Ok(())
    }
}

impl Garden {
    pub(crate) fn context(&self) -> Context {
        self.0.lock().unwrap().clone().unwrap()
    }
}
