use daemon_core::{DaemonBase, daemon};

#[daemon]
struct UserDaemon;

#[daemon(name = "user")]
impl UserDaemon {}

impl DaemonBase for UserDaemon {}

fn main() {}
