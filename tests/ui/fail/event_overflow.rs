use daemon_core::{DaemonBase, daemon};

#[daemon]
struct UserDaemon;

#[daemon]
impl UserDaemon {
    #[on_event("a:b", overflow = latest)]
    async fn a(&self) {}

    #[on_event("a:b", overflow = drop)]
    async fn b(&self) {}

    #[on_event("a:b", overflow = latest(key = id))]
    async fn c(&self) {}
}

impl DaemonBase for UserDaemon {}

fn main() {}
