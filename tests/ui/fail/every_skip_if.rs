use daemon_core::{DaemonBase, daemon};

#[daemon]
struct UserDaemon;

#[daemon]
impl UserDaemon {
    #[every("5s", skip_if = Self::is_busy)]
    async fn a(&self) {}
}

impl UserDaemon {
    fn is_busy(&self) -> Option<bool> {
        None
    }
}

impl DaemonBase for UserDaemon {}

fn main() {}
