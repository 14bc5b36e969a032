use daemon_core::{DaemonBase, daemon};

#[daemon]
struct UserDaemon;

#[daemon]
impl UserDaemon {
    #[every("5s")]
    async fn a(&self, _n: &u32) {}
}

impl DaemonBase for UserDaemon {}

fn main() {}
