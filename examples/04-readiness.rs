//! Who waits for whom: `requires`, `wants`, `#[on_ready]`, `#[deferred]`.
//!
//! ```text
//! $ cargo run -p examples --example 04-readiness
//! audit: waits for nobody
//! 2026-11-22T02:34:47.249897Z ERROR daemon{name="cache"}: initialize failed daemon="cache" work="start" failure=no cache here
//! store: open
//! audit: the store is ready
//! api: the store is open, going on without a cache
//! readiness started: 4 daemons in 308 ms
//!   wave 1  audit  running      0 ms
//!   wave 1  cache  failed       0 ms  no cache here
//!   wave 1  store  running    301 ms
//!   wave 2  api    running      4 ms  after store, ready at 303 ms
//! api: warm
//! readiness stopped after 410 ms: asked for by daemon `api`; the stop took 1 ms, exit code 0
//!   wave 2  api    stopped      0 ms
//!   wave 1  store  stopped      0 ms
//!   wave 1  cache  failed       0 ms  1 error  no cache here
//!   wave 1  audit  stopped      0 ms
//!   left: 0 subscriptions, 0 intervals, 0 tasks
//! ```

use daemon_core::{Context, DaemonBase, Host, Result, daemon};
use std::{process::ExitCode, time::Duration};

#[daemon(no_handlers)]
struct Store;

impl DaemonBase for Store {
    async fn initialize(&self, _cx: &Context) -> Result<()> {
        tokio::time::sleep(Duration::from_millis(300)).await;
        println!("store: open");
        Ok(())
    }
}

/// The host goes on without an optional daemon, and so does who merely wants it.
#[daemon(optional, no_handlers)]
struct Cache;

impl DaemonBase for Cache {
    async fn initialize(&self, _cx: &Context) -> Result<()> {
        Err("no cache here".into())
    }
}

#[daemon(requires(Store), wants(Cache))]
struct Api;

#[daemon]
impl Api {
    /// Once this daemon runs, and a little later.
    #[deferred("100ms")]
    fn warm_up(&self, cx: &Context) {
        println!("api: warm");
        cx.request_shutdown();
    }
}

impl DaemonBase for Api {
    async fn initialize(&self, cx: &Context) -> Result<()> {
        let cache = if cx.try_daemon::<Cache>().is_some() { "with" } else { "without" };
        println!("api: the store is open, going on {cache} a cache");
        Ok(())
    }
}

/// Waits for nobody, and reacts to the store whenever that is ready, be it before or after.
#[daemon]
struct Audit;

#[daemon]
impl Audit {
    #[on_ready(Store)]
    fn store_is_ready(&self) {
        println!("audit: the store is ready");
    }
}

impl DaemonBase for Audit {
    async fn initialize(&self, _cx: &Context) -> Result<()> {
        println!("audit: waits for nobody");
        Ok(())
    }
}

fn main() -> ExitCode {
    Host::new("readiness").daemon(Api).daemon(Audit).daemon(Cache).daemon(Store).run()
}
