use daemon_core::{DaemonBase, Event, daemon};

#[daemon]
struct UserDaemon;

#[derive(Event)]
#[event("data:users:created", local)]
struct UserCreated;

#[daemon]
impl UserDaemon {
    #[on_event]
    async fn user_created(&self, _event: UserCreated) {}

    #[on_event]
    async fn changed(&self, _event: &mut UserCreated) {}
}

impl DaemonBase for UserDaemon {}

fn main() {}
