//! The endpoint as its clients see it: real sockets, real requests.

#![expect(clippy::unwrap_used, reason = "a test states what it expects")]

mod answers;
mod bounds;
mod client;
mod live;
mod one_truth;

use std::net::SocketAddr;

use daemon_core::{Context, DaemonBase, Event, Host, Result, RunningHost, daemon};
use daemon_health::HealthMonitor;
use daemon_health::http::HttpEndpoint;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

#[derive(Event, serde::Serialize)]
#[event("data:users:created")]
struct UserCreated {
    name: String,
}

/// A daemon whose check fails when it is told to.
#[daemon(name = "store")]
#[derive(Default)]
struct Store {
    full: Arc<AtomicBool>,
}

#[daemon]
impl Store {
    #[health(readiness, fails = 1, every = "10ms", cache = "0s", group = "stores")]
    async fn disk(&self) -> Result<()> {
        if self.full.load(Ordering::SeqCst) { Err("no byte left".into()) } else { Ok(()) }
    }

    #[on_event]
    async fn created(&self, event: &UserCreated, _cx: &Context) {
        assert!(!event.name.is_empty());
    }
}

impl DaemonBase for Store {}

fn endpoint() -> HttpEndpoint {
    HttpEndpoint::on(([127, 0, 0, 1], 0))
}

/// A host with an endpoint, and where that listens.
async fn start(endpoint: HttpEndpoint, store: Store) -> (RunningHost, SocketAddr) {
    let host = Host::new("shop").daemon(endpoint).daemon(store).daemon(HealthMonitor::new().with_limits(None));
    let host = host.start().await.unwrap();
    let address = host.handle().daemon::<HttpEndpoint>().unwrap().address().unwrap();
    (host, address)
}
