use daemon_core::{DaemonBase, daemon};

#[daemon]
struct UserDaemon;

const PERIOD: u64 = 5;

#[daemon]
impl UserDaemon {
    #[every(PERIOD)]
    async fn a(&self) {}
}

impl DaemonBase for UserDaemon {}

fn main() {}
