use daemon_core::{DaemonBase, daemon};

#[daemon]
struct UserDaemon;

#[daemon]
impl UserDaemon {
    #[evry("5s")]
    async fn tick(&self) {}

    #[tasks]
    async fn pump(&self) {}
}

impl DaemonBase for UserDaemon {}

fn main() {}
