use daemon_core::{DaemonBase, daemon};

#[daemon]
struct UserDaemon;

#[daemon]
impl UserDaemon {
    #[every("5s", overlap = queue)]
    async fn a(&self) {}

    #[every("5s", overlap = "skip")]
    async fn b(&self) {}

    #[every("5s", overlap = skp)]
    async fn c(&self) {}
}

impl DaemonBase for UserDaemon {}

fn main() {}
