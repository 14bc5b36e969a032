use daemon_core::{DaemonBase, daemon};

#[daemon]
struct UserDaemon;

#[daemon]
impl UserDaemon {
    #[cron("0 25 * * *")]
    async fn a(&self) {}

    #[cron("0 0 31 2 *")]
    async fn b(&self) {}

    #[cron("0 3 * *")]
    async fn c(&self) {}

    #[cron("@nightly")]
    async fn d(&self) {}
}

impl DaemonBase for UserDaemon {}

fn main() {}
