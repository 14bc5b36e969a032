use daemon_core::{DaemonBase, daemon};

#[daemon]
struct UserDaemon;

#[daemon]
impl UserDaemon {
    #[health(readyness)]
    async fn a(&self) {}

    #[health(liveness, startup)]
    async fn b(&self) {}

    #[health(timeout = "0s")]
    async fn c(&self) {}

    #[health(name = "x")]
    async fn d(&self) {}

    #[health(name = "x")]
    async fn e(&self) {}
}

impl DaemonBase for UserDaemon {}

fn main() {}
