use daemon_core::{DaemonBase, Envelope, Event, daemon};

#[derive(Event, serde::Serialize)]
#[event("data:users:created")]
struct UserCreated;

#[derive(Event, serde::Serialize)]
#[event("data:users:deleted")]
struct UserDeleted;

fn is_new(_: &UserDeleted) -> bool {
    true
}

fn says_nothing(_: &Envelope) {}

#[daemon]
struct UserDaemon;

#[daemon]
impl UserDaemon {
    #[on_event(when = is_new)]
    async fn created(&self, _event: &UserCreated) {}

    #[on_event("data:**", when = says_nothing)]
    async fn any(&self, _event: &Envelope) {}
}

impl DaemonBase for UserDaemon {}

fn main() {}
