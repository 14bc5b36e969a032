use daemon_core::{DaemonBase, daemon};

#[daemon]
struct UserDaemon;

#[daemon]
impl UserDaemon {
    #[on_event]
    async fn user_created(&self, _event: &String) {}
}

impl DaemonBase for UserDaemon {}

fn main() {}
