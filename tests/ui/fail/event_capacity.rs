use daemon_core::{DaemonBase, daemon};

#[daemon]
struct UserDaemon;

#[daemon]
impl UserDaemon {
    #[on_event("a:b", capacity = 0)]
    async fn a(&self) {}

    #[on_event("a:b", capacity = "64", startup = -1)]
    async fn b(&self) {}
}

impl DaemonBase for UserDaemon {}

fn main() {}
