use daemon_core::daemon;

#[daemon(requires(UserDaemon), no_handlers)]
struct UserDaemon;

fn main() {}
