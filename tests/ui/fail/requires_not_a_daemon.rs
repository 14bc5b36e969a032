use daemon_core::daemon;

struct Plain;

#[daemon(requires(Plain), no_handlers)]
struct UserDaemon;

fn main() {}
