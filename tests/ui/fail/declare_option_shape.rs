use daemon_core::daemon;

#[daemon(name("a"), requires = Data, optional = true, start_timeout = 10, no_handlers)]
struct UserDaemon;

fn main() {}
