use daemon_core::{DaemonBase, daemon};

#[daemon]
struct UserDaemon;

#[daemon]
impl UserDaemon {
    #[task]
    fn pump(&self) {}

    #[task(finite)]
    fn once(&self) {}

    #[task(restart(always))]
    fn again(&self) {}
}

impl DaemonBase for UserDaemon {}

fn main() {}
