use daemon_core::{DaemonBase, Envelope, Event, daemon};

#[derive(Event, serde::Serialize)]
#[event("a:b")]
struct Changed {
    id: u64,
}

#[daemon]
struct UserDaemon;

#[daemon]
impl UserDaemon {
    #[on_event("a:b", overflow = drop)]
    async fn a(&self) {}

    #[on_event(overflow = latest())]
    async fn b(&self, _event: &Changed) {}

    #[on_event(overflow = latest(key = "id"))]
    async fn c(&self, _event: &Changed) {}

    #[on_event("a:*", overflow = latest(key = topic))]
    async fn d(&self, _event: &Envelope) {}

    #[on_event(overflow = drop_oldest(key = id))]
    async fn e(&self, _event: &Changed) {}
}

impl DaemonBase for UserDaemon {}

fn main() {}
