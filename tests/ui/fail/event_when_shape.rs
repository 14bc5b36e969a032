use daemon_core::{DaemonBase, Event, daemon};

#[derive(Event, serde::Serialize)]
#[event("data:users:created")]
struct UserCreated;

#[daemon]
struct UserDaemon;

#[daemon]
impl UserDaemon {
    #[on_event(when = "is_new")]
    async fn created(&self, _event: &UserCreated) {}

    #[on_event(when = |event| true)]
    async fn too(&self, _event: &UserCreated) {}

    #[on_event(when)]
    async fn also(&self, _event: &UserCreated) {}
}

impl DaemonBase for UserDaemon {}

fn main() {}
