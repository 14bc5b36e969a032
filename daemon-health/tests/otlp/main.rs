//! Spans as a collector gets them: over a real socket, decoded as OTLP.

#![cfg(feature = "otlp")]
#![allow(clippy::unwrap_used, reason = "in a test a panic is the report, also in what tests share")]

mod bounds;
mod collector;
mod links;

use daemon_core::{Context, DaemonBase, Event, Host, Result, RunningHost, daemon};
use daemon_health::otlp::Spans;
use tracing::subscriber::DefaultGuard;
use tracing_subscriber::layer::SubscriberExt;

#[derive(Event)]
#[event("mill:grain", local)]
struct Grain(u64);

#[derive(Event)]
#[event("mill:flour", retain, local)]
struct Flour;

#[daemon(name = "mill")]
struct Mill;

#[daemon]
impl Mill {
    #[on_event]
    async fn grind(&self, grain: &Grain, cx: &Context) -> Result<()> {
        tracing::info!("it turns");
        if grain.0 == 0 { Err("a stone".into()) } else { Ok(cx.publish(Flour).await?) }
    }

    #[every("1s", immediately)]
    async fn turn(&self) {}

    #[task]
    async fn carry(&self, cx: &Context) -> Result<()> {
        let mut flour = cx.subscribe::<Flour>()?;
        while flour.recv().await.is_some() {}
        Ok(())
    }
}

impl DaemonBase for Mill {}

#[daemon(name = "baker")]
struct Baker;

#[daemon]
impl Baker {
    #[on_event]
    async fn bake(&self, _flour: &Flour) {}
}

impl DaemonBase for Baker {}

/// A mill whose spans go to a collector. All runs on this thread.
async fn start(spans: &Spans) -> (RunningHost, DefaultGuard) {
    let guard = tracing::subscriber::set_default(tracing_subscriber::registry().with(spans.layer()));
    let host = Host::new("mills").daemon(spans.export()).daemon(Mill).start().await.unwrap();
    (host, guard)
}
