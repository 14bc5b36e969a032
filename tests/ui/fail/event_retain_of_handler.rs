use daemon_core::{DaemonBase, daemon};

#[daemon]
struct UserDaemon;

#[daemon]
impl UserDaemon {
    #[on_event("a:b", retain)]
    async fn a(&self) {}
}

impl DaemonBase for UserDaemon {}

fn main() {}
