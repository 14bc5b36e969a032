use daemon_core::{DaemonBase, daemon};

#[daemon]
struct UserDaemon;

#[daemon]
impl UserDaemon {
    #[every(from = Self::period)]
    async fn a(&self) {}
}

impl UserDaemon {
    fn period(&self) -> u64 {
        5
    }
}

impl DaemonBase for UserDaemon {}

fn main() {}
