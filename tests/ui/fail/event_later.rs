use daemon_core::{DaemonBase, daemon};

#[daemon]
struct UserDaemon;

#[daemon]
impl UserDaemon {
    #[on_event("a:b", concurrency = 4)]
    async fn a(&self) {}

    #[on_event("a:b", queue = "users")]
    async fn b(&self) {}

    #[on_event("a:b", isolated)]
    async fn c(&self) {}
}

impl DaemonBase for UserDaemon {}

fn main() {}
