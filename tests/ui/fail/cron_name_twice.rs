use daemon_core::{DaemonBase, daemon};

#[daemon]
struct UserDaemon;

#[daemon]
impl UserDaemon {
    #[every("5s")]
    async fn sweep(&self) {}

    #[cron("@daily", name = "sweep")]
    async fn b(&self) {}
}

impl DaemonBase for UserDaemon {}

fn main() {}
