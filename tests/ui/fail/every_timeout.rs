use daemon_core::{DaemonBase, daemon};

#[daemon]
struct UserDaemon;

#[daemon]
impl UserDaemon {
    #[every("5s", timeout = "5s")]
    async fn a(&self) {}

    #[every("5s", timeout = "0s")]
    async fn b(&self) {}
}

impl DaemonBase for UserDaemon {}

fn main() {}
