use daemon_core::{DaemonBase, daemon};

#[daemon]
struct UserDaemon;

#[daemon]
impl UserDaemon {
    #[command]
    async fn a(&self) {}
}

impl DaemonBase for UserDaemon {}

fn main() {}
