use daemon_core::{DaemonBase, daemon};

#[daemon]
struct UserDaemon;

const PERIOD: std::time::Duration = std::time::Duration::ZERO;

#[daemon]
impl UserDaemon {
    #[every(PERIOD)]
    async fn a(&self) {}
}

impl DaemonBase for UserDaemon {}

fn main() {}
