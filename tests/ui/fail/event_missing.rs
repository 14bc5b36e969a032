use daemon_core::{Context, DaemonBase, daemon};

#[daemon]
struct UserDaemon;

#[daemon]
impl UserDaemon {
    #[on_event]
    async fn a(&self) {}

    #[on_event]
    async fn b(&self, _cx: &Context) {}
}

impl DaemonBase for UserDaemon {}

fn main() {}
