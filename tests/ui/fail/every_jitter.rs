use daemon_core::{DaemonBase, daemon};

#[daemon]
struct UserDaemon;

#[daemon]
impl UserDaemon {
    #[every("5s", jitter = "10")]
    async fn a(&self) {}

    #[every("5s", jitter = "200%")]
    async fn b(&self) {}
}

impl DaemonBase for UserDaemon {}

fn main() {}
