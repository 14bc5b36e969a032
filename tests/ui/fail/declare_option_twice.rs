use daemon_core::daemon;

#[daemon(name = "a", no_handlers, name = "b")]
struct UserDaemon;

fn main() {}
