use daemon_core::{DaemonBase, daemon};

#[daemon]
struct UserDaemon;

#[daemon]
impl UserDaemon {
    #[cron("0 3 * * *", tz = "Europe/Berln")]
    async fn a(&self) {}

    #[cron("0 3 * * *", zone = "UTC")]
    async fn b(&self) {}
}

impl DaemonBase for UserDaemon {}

fn main() {}
