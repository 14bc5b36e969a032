use daemon_core::{DaemonBase, daemon};

#[daemon]
struct UserDaemon;

#[daemon]
impl UserDaemon {
    #[task(restart(always), finite)]
    async fn a(&self) {}

    #[task(restart(never, limit = "5/1m"))]
    async fn b(&self) {}

    #[task(on_error = restart)]
    async fn c(&self) {}
}

impl DaemonBase for UserDaemon {}

fn main() {}
