use daemon_core::{DaemonBase, daemon};

#[daemon]
struct UserDaemon;

#[daemon]
impl UserDaemon {
    #[every("5s")]
    async fn tick(&self) {}

    #[every("6s", name = "tick")]
    async fn tock(&self) {}
}

impl DaemonBase for UserDaemon {}

fn main() {}
