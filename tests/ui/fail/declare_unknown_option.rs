use daemon_core::daemon;

#[daemon(requirs(Data), no_handlers)]
struct UserDaemon;

#[daemon(no_handlers)]
struct Data;

fn main() {}
