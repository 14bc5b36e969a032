use daemon_core::{DaemonBase, daemon};

#[daemon]
struct UserDaemon;

#[daemon]
impl UserDaemon {
    #[on_event("data/users")]
    async fn a(&self) {}

    #[on_event("data:**:x")]
    async fn b(&self) {}

    #[on_event(data:users)]
    async fn c(&self) {}
}

impl DaemonBase for UserDaemon {}

fn main() {}
