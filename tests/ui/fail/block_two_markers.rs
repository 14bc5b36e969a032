use daemon_core::{DaemonBase, daemon};

#[daemon]
struct UserDaemon;

#[daemon]
impl UserDaemon {
    #[every("5s")]
    #[task]
    async fn tick(&self) {}

    #[every("5s")]
    #[every("6s")]
    async fn tock(&self) {}
}

impl DaemonBase for UserDaemon {}

fn main() {}
