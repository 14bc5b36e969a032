use daemon_core::{DaemonBase, daemon};

#[daemon]
struct UserDaemon;

#[daemon]
impl UserDaemon {
    #[task]
    async fn a(&mut self) {}

    #[task]
    async fn b(self) {}

    #[task]
    async fn c() {}

    #[task]
    async fn d(self: std::sync::Arc<Self>) {}
}

impl DaemonBase for UserDaemon {}

fn main() {}
