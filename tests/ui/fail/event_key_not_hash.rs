use daemon_core::{DaemonBase, Event, daemon};

#[derive(Event, serde::Serialize)]
#[event("a:b")]
struct Changed {
    id: u64,
    price: f64,
}

#[daemon]
struct UserDaemon;

#[daemon]
impl UserDaemon {
    #[on_event(overflow = latest(key = price))]
    async fn changed(&self, _event: &Changed) {}
}

impl DaemonBase for UserDaemon {}

fn main() {}
