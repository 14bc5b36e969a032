use daemon_core::{DaemonBase, daemon};

#[daemon]
struct UserDaemon;

#[daemon]
impl UserDaemon {
    #[every("5s", from = Self::period)]
    async fn a(&self) {}

    #[every(from = "5s")]
    async fn b(&self) {}

    #[every(cron = "0 3 * * *")]
    async fn c(&self) {}
}

impl DaemonBase for UserDaemon {}

fn main() {}
