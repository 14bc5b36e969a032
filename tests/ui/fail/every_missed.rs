use daemon_core::{DaemonBase, daemon};

#[daemon]
struct UserDaemon;

#[daemon]
impl UserDaemon {
    #[every("5s", missed = all)]
    async fn a(&self) {}

    #[every("5s", missed = "burst")]
    async fn b(&self) {}
}

impl DaemonBase for UserDaemon {}

fn main() {}
