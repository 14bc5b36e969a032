use daemon_core::{DaemonBase, daemon};

#[daemon]
struct UserDaemon;

const PERIOD: std::time::Duration = std::time::Duration::from_secs(5);

#[daemon]
impl UserDaemon {
    #[every(PERIOD, timeout = "6s")]
    async fn a(&self) {}
}

impl DaemonBase for UserDaemon {}

fn main() {}
