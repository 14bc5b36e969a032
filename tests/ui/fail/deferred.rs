use daemon_core::{DaemonBase, daemon};

#[daemon]
struct UserDaemon;

#[daemon]
impl UserDaemon {
    #[deferred]
    async fn a(&self) {}

    #[deferred("2")]
    async fn b(&self) {}

    #[deferred("2s", name = "x")]
    async fn c(&self) {}
}

impl DaemonBase for UserDaemon {}

fn main() {}
