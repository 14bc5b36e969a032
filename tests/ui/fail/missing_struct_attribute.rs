use daemon_core::{DaemonBase, daemon};

struct UserDaemon;

#[daemon]
impl UserDaemon {}

impl DaemonBase for UserDaemon {}

fn main() {}
