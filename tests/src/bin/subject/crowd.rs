//! A dozen daemons that start in waves, tick, publish and listen, and never end by themselves.

use std::time::Duration;

use daemon_core::{Context, DaemonBase, Declared, Envelope, Event, Host, Result, daemon};

pub(crate) fn of(host: Host) -> Host {
    host.daemon_with(|| {
        println!("made"); // the host listens to signals by now
        Ok::<_, daemon_core::BoxError>(Data)
    })
    .daemon(Events)
    .daemon(Command)
    .daemon(Session)
    .daemon(User)
    .daemon(Training)
    .daemon(Rooms)
    .daemon(Widget)
    .daemon(Health)
    .daemon(Proxy)
    .daemon(Lease)
    .daemon(Console)
}

#[derive(Event, serde::Serialize)]
#[event("crowd:*:said")]
struct Said {
    by: String,
}

macro_rules! member {
    ($name:ident, starts in $start:literal, $($declared:tt)+) => {
        #[daemon($($declared)+)]
        struct $name;

        #[daemon]
        impl $name {
            #[on_event(capacity = 16, overflow = drop_oldest)]
            async fn said(&self, event: &Said) -> Result<()> {
                tokio::time::sleep(Duration::from_micros(100)).await;
                if event.by == Self::NAME { Err("talks to itself".into()) } else { Ok(()) }
            }

            #[on_event("crowd:**", capacity = 4)]
            fn anything(&self, _event: &Envelope) {}

            #[every("50ms", immediately)]
            async fn talk(&self, cx: &Context) -> Result<()> {
                cx.publish_to(&format!("crowd:{}:said", cx.name()), Said { by: cx.name().to_owned() }).await?;
                Ok(())
            }

            #[task]
            async fn wait(&self, cx: &Context) {
                cx.cancelled().await;
            }
        }

        impl DaemonBase for $name {
            async fn initialize(&self, cx: &Context) -> Result<()> {
                tokio::time::sleep(Duration::from_millis($start)).await;
                cx.register_interval("idle", Duration::from_millis(50), || async {})?;
                cx.register_subscription(|| ())?;
                Ok(())
            }

            async fn cleanup(&self, _cx: &Context) -> Result<()> {
                tokio::time::sleep(Duration::from_millis(5)).await;
                Ok(())
            }
        }
    };
}

member!(Data, starts in 200, name = "data");
member!(Events, starts in 50, name = "events");
member!(Command, starts in 100, name = "command", requires(Data, Events));
member!(Session, starts in 200, name = "session", requires(Data));
member!(User, starts in 150, name = "user", requires(Data, Command));
member!(Training, starts in 50, name = "training", requires(Data), wants(User));
member!(Rooms, starts in 150, name = "rooms", requires(User), wants(Session));
member!(Widget, starts in 100, name = "widget", wants(Rooms));
member!(Health, starts in 300, name = "health");
member!(Proxy, starts in 100, name = "proxy", requires(Health));
member!(Lease, starts in 200, name = "lease", requires(Data), wants(Proxy));
member!(Console, starts in 300, name = "console", wants(Widget, Rooms, Lease));
