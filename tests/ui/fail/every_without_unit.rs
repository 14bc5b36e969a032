use daemon_core::{DaemonBase, daemon};

#[daemon]
struct UserDaemon;

#[daemon]
impl UserDaemon {
    #[every("30")]
    async fn a(&self) {}

    #[every(30)]
    async fn b(&self) {}
}

impl DaemonBase for UserDaemon {}

fn main() {}
