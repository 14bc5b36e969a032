use daemon_core::{DaemonBase, daemon};

#[daemon]
struct UserDaemon;

#[daemon]
impl UserDaemon {
    #[command]
    async fn a(&self) -> u32 {
        5
    }
}

impl DaemonBase for UserDaemon {}

fn main() {}
