use daemon_core::{DaemonBase, daemon};

struct Created;

#[daemon(publishes(Created), no_handlers)]
struct UserDaemon;

impl DaemonBase for UserDaemon {}

fn main() {}
