//! What the macros write, written by hand, beside its annotated twin.
//!
//! ```text
//! $ cargo run -p examples --example 06-by-hand
//! twins started: 3 daemons in 7 ms
//!   wave 1  annotated  running      0 ms
//!   wave 1  by-hand    running      0 ms
//!   wave 1  stop       running      0 ms
//! annotated: tick
//! by-hand: tick
//! by-hand: tick
//! annotated: tick
//! by-hand: pinged by a twin
//! annotated: pinged by a twin
//! annotated: pinged by a twin
//! by-hand: pinged by a twin
//! by-hand: tick
//! annotated: tick
//! by-hand: tick
//! annotated: tick
//! twins stopped after 357 ms: asked for by daemon `stop`; the stop took 2 ms, exit code 0
//!   wave 1  stop       stopped      0 ms
//!   wave 1  by-hand    stopped      0 ms
//!   wave 1  annotated  stopped      0 ms
//!   events              offered   handled  failed dropped abandoned
//!   annotated.pinged          2         2       0       0         0
//!   by-hand.pinged            2         2       0       0         0
//!   left: 0 subscriptions, 0 intervals, 0 tasks
//! ```

use daemon_core::{
    Context, DaemonBase, Declaration, Declared, Deferred, Definition, Event, EventHandler, Host, Interval, Result,
    Schedule, Wired, daemon, place,
};
use std::{process::ExitCode, sync::Arc, time::Duration};

#[derive(Event)]
#[event("twins:pinged", local)]
struct Pinged(&'static str);

// The annotated twin.
#[daemon(name = "annotated", stop_timeout = "2s")]
struct Annotated;

#[daemon]
impl Annotated {
    #[on_event(capacity = 8)]
    async fn pinged(&self, event: &Pinged, cx: &Context) {
        println!("{}: pinged by {}", cx.name(), event.0);
    }

    #[every("100ms", immediately)]
    async fn tick(&self, cx: &Context) {
        println!("{}: tick", cx.name());
    }

    #[deferred("150ms")]
    async fn ping(&self, cx: &Context) -> Result<()> {
        Ok(cx.publish(Pinged("a twin")).await?)
    }
}

impl DaemonBase for Annotated {}

// The twin by hand: a declaration, rows that call methods, and the hooks, which are by hand in both.
struct ByHand;

impl ByHand {
    async fn pinged(&self, event: &Pinged, cx: &Context) {
        println!("{}: pinged by {}", cx.name(), event.0);
    }

    async fn tick(&self, cx: &Context) {
        println!("{}: tick", cx.name());
    }

    async fn ping(&self, cx: &Context) -> Result<()> {
        Ok(cx.publish(Pinged("a twin")).await?)
    }
}

impl Declared for ByHand {
    const DECLARATION: Declaration = Declaration::new("by-hand").stop_timeout(Duration::from_secs(2));
}

impl Wired for ByHand {
    fn wire(definition: &mut Definition<Self>) {
        let pinged = EventHandler::typed::<Pinged>("pinged", |daemon: &ByHand, cx: &Context| {
            place(move |event: Arc<Pinged>| async move {
                daemon.pinged(&event, cx).await;
                (event, Ok(()))
            })
        });
        let often = Schedule::every(Duration::from_millis(100)).immediately();
        let tick = Interval::new("tick", often, |daemon: &ByHand, cx| {
            Box::pin(async move {
                daemon.tick(cx).await;
                Ok(())
            })
        });
        let ping = Duration::from_millis(150);
        definition.on_event(pinged.capacity(8));
        definition.every(tick);
        definition.deferred(Deferred::new("ping", ping, |daemon: &ByHand, cx| Box::pin(daemon.ping(cx))));
    }
}

impl DaemonBase for ByHand {}

#[daemon]
struct Stop;

#[daemon]
impl Stop {
    #[deferred("350ms")]
    fn now(&self, cx: &Context) {
        cx.request_shutdown();
    }
}

impl DaemonBase for Stop {}

fn main() -> ExitCode {
    Host::new("twins").daemon(Annotated).daemon(ByHand).daemon(Stop).run()
}
