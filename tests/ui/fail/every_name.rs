use daemon_core::{DaemonBase, daemon};

#[daemon]
struct UserDaemon;

#[daemon]
impl UserDaemon {
    #[every("5s", name = "")]
    async fn a(&self) {}

    #[every("5s")]
    async fn _b(&self) {}
}

impl DaemonBase for UserDaemon {}

fn main() {}
