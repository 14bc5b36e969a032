use daemon_core::{DaemonBase, daemon};

#[daemon]
struct UserDaemon;

impl DaemonBase for UserDaemon {}

fn main() {}
