use daemon_core::{DaemonBase, daemon};

#[daemon]
struct UserDaemon;

#[daemon]
impl UserDaemon {
    #[cron]
    async fn a(&self) {}

    #[cron(tz = "UTC")]
    async fn b(&self) {}

    #[cron(0 3 * * *)]
    async fn c(&self) {}
}

impl DaemonBase for UserDaemon {}

fn main() {}
