use daemon_core::daemon;

#[daemon(no_handlers)]
#[cfg(all())]
struct UserDaemon;

fn main() {}
