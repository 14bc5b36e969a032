use daemon_core::{DaemonBase, daemon};

#[daemon]
struct UserDaemon;

#[daemon]
impl UserDaemon {
    #[every = "5s"]
    async fn tick(&self) {}
}

impl DaemonBase for UserDaemon {}

fn main() {}
