use daemon_core::{DaemonBase, daemon};

#[daemon]
struct UserDaemon;

#[daemon]
impl UserDaemon {
    #[every]
    async fn a(&self) {}

    #[every(name = "b")]
    async fn b(&self) {}
}

impl DaemonBase for UserDaemon {}

fn main() {}
