use daemon_core::{DaemonBase, daemon};

#[daemon]
struct UserDaemon;

#[daemon]
impl UserDaemon {
    #[on_event("a:b", queue = "users", capacity = 64, startup = 10)]
    async fn a(&self) {}

    #[on_event("a:b", queue = "users", capacity = 32, overflow = drop_oldest, startup = 10)]
    async fn b(&self) {}

    #[on_event("a:b", queue = "users", overflow = block, concurrency = 2)]
    async fn c(&self) {}

    #[on_event("a:b", queue = "rooms", overflow = latest)]
    async fn d(&self) {}

    #[on_event("a:b", queue = "rooms")]
    async fn e(&self) {}
}

impl DaemonBase for UserDaemon {}

fn main() {}
