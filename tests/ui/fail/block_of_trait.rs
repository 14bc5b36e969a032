use daemon_core::{daemon, DaemonBase};

#[daemon(no_handlers)]
struct UserDaemon;

#[daemon]
impl DaemonBase for UserDaemon {}

fn main() {}
