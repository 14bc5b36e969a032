//! Hosts in which user code fails, and ends.

use std::time::Duration;

use daemon_core::{BoxError, Context, DaemonBase, Event, Host, Result, daemon};

use super::{FOR_EVER, unknown};

pub(crate) fn of(host: Host, which: &str) -> Result<Host> {
    Ok(match which {
        "start" => host.daemon(Data).daemon(Store).daemon(Web),
        "later" => host.daemon(Data).daemon(Pump { panics: false }),
        "task-panics" => host.daemon(Data).daemon(Pump { panics: true }),
        "panics" => host.daemon(Jumpy),
        "start-panics" => host.daemon(Data).daemon(BadStarter),
        "task-drop-panics" => host.daemon(Data).daemon(Dropper { heeds: true }),
        "deaf-task-drop-panics" => host.daemon(Data).daemon(Dropper { heeds: false }),
        "cleanup-panics" => host.daemon(BadCleaner),
        "cleanup-overruns" => host.daemon(SlowCleaner),
        "later-and-cut" => host.daemon(Data).daemon(Pump { panics: false }).daemon(SlowCleaner),
        "optional" => host.daemon(Data).daemon(Optional),
        "optional-cleaner" => host.daemon(Data).daemon(OptionalCleaner),
        "late" => host.daemon(Data).daemon(Late),
        "value-drop-panics" => host.daemon(Data).daemon(Explosive(Bomb)),
        "handler" => host.daemon(Data).on_shutdown(|| async { Err::<(), BoxError>("the last word failed".into()) }),
        "handler-overruns" => {
            let last = || async { std::future::pending::<()>().await };
            host.daemon(Data).on_shutdown(last).shutdown_timeout(Duration::from_millis(100))
        }
        "refused" => host.daemon(Web).daemon(Data).daemon(Data).daemon_as("No Name", Store),
        _ => return Err(unknown(which)),
    })
}

#[daemon(name = "data", no_handlers)]
struct Data;

impl DaemonBase for Data {
    async fn cleanup(&self, _cx: &Context) -> Result<()> {
        println!("data cleaned up");
        Ok(())
    }
}

#[daemon(name = "store", no_handlers, requires(Data))]
struct Store;

impl DaemonBase for Store {
    async fn initialize(&self, _cx: &Context) -> Result<()> {
        Err("the disk is full".into())
    }

    async fn cleanup(&self, _cx: &Context) -> Result<()> {
        println!("store cleaned up");
        Ok(())
    }
}

#[daemon(name = "web", no_handlers, requires(Store))]
struct Web;

impl DaemonBase for Web {
    async fn initialize(&self, _cx: &Context) -> Result<()> {
        println!("web started without its store");
        Ok(())
    }
}

/// Runs well for a moment.
#[daemon(name = "pump", requires(Data), restart(never))]
struct Pump {
    panics: bool,
}

#[daemon]
impl Pump {
    #[task(restart(never))]
    async fn flow(&self) -> Result<()> {
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert!(!self.panics, "the pipe burst");
        Err("the well is dry".into())
    }
}

impl DaemonBase for Pump {}

/// Fails at its start, which its host can bear.
#[daemon(name = "optional", optional, no_handlers, requires(Data))]
struct Optional;

impl DaemonBase for Optional {
    async fn initialize(&self, _cx: &Context) -> Result<()> {
        Err("it is not needed".into())
    }
}

/// Cannot clean up, which its host can bear.
#[daemon(name = "optional-cleaner", optional, no_handlers, requires(Data))]
struct OptionalCleaner;

impl DaemonBase for OptionalCleaner {
    async fn cleanup(&self, _cx: &Context) -> Result<()> {
        Err("it is not missed".into())
    }
}

/// Never gets ready.
#[daemon(name = "late", no_handlers, requires(Data), start_timeout = "100ms")]
struct Late;

impl DaemonBase for Late {
    async fn initialize(&self, _cx: &Context) -> Result<()> {
        tokio::time::sleep(FOR_EVER).await;
        Ok(())
    }
}

/// Its destructor panics.
#[daemon(name = "explosive", no_handlers, requires(Data))]
struct Explosive(Bomb);

impl DaemonBase for Explosive {}

#[derive(Event)]
#[event("jumpy:poked", local)]
struct Poked;

/// Panics wherever that harms nothing but the work at hand.
#[daemon(name = "jumpy")]
struct Jumpy;

#[daemon]
impl Jumpy {
    #[on_event]
    async fn poked(&self, _event: &Poked) {
        panic!("in a handler");
    }

    #[on_event("jumpy:*")]
    fn seen(&self, _event: &daemon_core::Envelope) {
        println!("the other handler goes on");
    }

    #[every("100ms")]
    async fn tick(&self) {
        panic!("in a tick");
    }

    #[every("100ms")]
    async fn poke(&self, cx: &Context) -> Result<()> {
        Ok(cx.publish(Poked).await?)
    }
}

impl DaemonBase for Jumpy {
    async fn initialize_deferred(&self, cx: &Context) -> Result<()> {
        drop(cx.spawn("spawned", async { panic!("in a spawned task") })?);
        drop(cx.spawn_blocking("blocking", || panic!("in blocking work"))?);
        panic!("in a hook");
    }
}

/// Its task holds what panics when it is dropped.
#[daemon(name = "dropper", requires(Data))]
struct Dropper {
    heeds: bool,
}

#[daemon]
impl Dropper {
    #[task]
    async fn hold(&self, cx: &Context) {
        let _bomb = Bomb;
        println!("holding");
        cx.cancelled().await;
        if !self.heeds {
            std::future::pending::<()>().await;
        }
    }
}

impl DaemonBase for Dropper {
    async fn cleanup(&self, _cx: &Context) -> Result<()> {
        println!("dropper cleaned up");
        Ok(())
    }
}

struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("in a destructor");
    }
}

#[daemon(name = "bad-starter", no_handlers)]
struct BadStarter;

impl DaemonBase for BadStarter {
    async fn initialize(&self, _cx: &Context) -> Result<()> {
        panic!("in initialize");
    }

    async fn cleanup(&self, _cx: &Context) -> Result<()> {
        println!("cleaned up after the panic");
        Ok(())
    }
}

#[daemon(name = "bad-cleaner", no_handlers)]
struct BadCleaner;

impl DaemonBase for BadCleaner {
    async fn cleanup(&self, _cx: &Context) -> Result<()> {
        panic!("in cleanup");
    }
}

#[daemon(name = "slow-cleaner", no_handlers)]
struct SlowCleaner;

impl DaemonBase for SlowCleaner {
    async fn cleanup(&self, _cx: &Context) -> Result<()> {
        println!("cleaning up");
        tokio::time::sleep(FOR_EVER).await;
        Ok(())
    }
}
