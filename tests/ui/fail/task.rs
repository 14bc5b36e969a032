use daemon_core::{DaemonBase, daemon};

#[daemon]
struct UserDaemon;

#[daemon]
impl UserDaemon {
    #[task(finit)]
    async fn a(&self) {}

    #[task(isolated)]
    async fn b(&self) {}

    #[task(name = "x")]
    async fn c(&self) {}

    #[task(name = "x")]
    async fn d(&self) {}
}

impl DaemonBase for UserDaemon {}

fn main() {}
