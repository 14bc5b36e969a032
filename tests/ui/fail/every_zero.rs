use daemon_core::{DaemonBase, daemon};

#[daemon]
struct UserDaemon;

#[daemon]
impl UserDaemon {
    #[every("0s")]
    async fn a(&self) {}
}

impl DaemonBase for UserDaemon {}

fn main() {}
