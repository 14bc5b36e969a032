use daemon_core::{DaemonBase, daemon};

#[daemon]
struct UserDaemon;

#[daemon]
impl UserDaemon {
    #[cfg_attr(unix, every("5s"))]
    async fn tick(&self) {}
}

impl DaemonBase for UserDaemon {}

fn main() {}
