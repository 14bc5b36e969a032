use daemon_core::daemon;

#[daemon(requires("data"), wants(Cache as "Cache EU"), no_handlers)]
struct UserDaemon;

fn main() {}
