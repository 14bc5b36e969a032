use daemon_core::daemon;

#[daemon(name = "User Daemon", no_handlers)]
struct UserDaemon;

fn main() {}
