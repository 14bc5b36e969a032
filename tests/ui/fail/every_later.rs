use daemon_core::{DaemonBase, daemon};

#[daemon]
struct UserDaemon;

#[daemon]
impl UserDaemon {
    #[every(cron = "0 * * * *")]
    async fn a(&self) {}

    #[every("5s", skip_if = "busy")]
    async fn b(&self) {}
}

impl DaemonBase for UserDaemon {}

fn main() {}
