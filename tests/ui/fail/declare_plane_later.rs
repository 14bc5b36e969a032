use daemon_core::daemon;

#[daemon(plane = operations, no_handlers)]
struct UserDaemon;

fn main() {}
