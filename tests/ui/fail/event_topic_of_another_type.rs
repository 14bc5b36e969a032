use daemon_core::{DaemonBase, Event, daemon};

#[daemon]
struct UserDaemon;

#[derive(Event)]
#[event("data:users:created", local)]
struct UserCreated;

#[daemon]
impl UserDaemon {
    #[on_event("data:users:deleted")]
    async fn user_created(&self, _event: &UserCreated) {}
}

impl DaemonBase for UserDaemon {}

fn main() {}
