use daemon_core::{DaemonBase, daemon};

#[daemon]
struct UserDaemon;

#[daemon]
impl UserDaemon {
    #[every("99999999999999999999d")]
    async fn a(&self) {}
}

impl DaemonBase for UserDaemon {}

fn main() {}
