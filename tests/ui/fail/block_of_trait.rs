use daemon_core::{DaemonBase, daemon};

#[daemon(no_handlers)]
struct UserDaemon;

#[daemon]
impl DaemonBase for UserDaemon {}

fn main() {}
