use daemon_core::{DaemonBase, daemon};

#[daemon]
struct UserDaemon;

#[daemon]
impl UserDaemon {
    #[on_event("a:b", concurrency = 0)]
    async fn a(&self) {}

    #[on_event("a:b", concurrency = many)]
    async fn b(&self) {}

    #[on_event("a:b", isolated = true)]
    async fn c(&self) {}
}

impl DaemonBase for UserDaemon {}

fn main() {}
