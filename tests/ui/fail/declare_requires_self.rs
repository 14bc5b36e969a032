use daemon_core::daemon;

#[daemon(requires(Self), no_handlers)]
struct UserDaemon;

fn main() {}
