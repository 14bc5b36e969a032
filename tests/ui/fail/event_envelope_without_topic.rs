use daemon_core::{DaemonBase, Envelope, daemon};

#[daemon]
struct UserDaemon;

#[daemon]
impl UserDaemon {
    #[on_event]
    async fn any(&self, _event: &Envelope) {}
}

impl DaemonBase for UserDaemon {}

fn main() {}
