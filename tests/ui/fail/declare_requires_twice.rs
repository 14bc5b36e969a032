use daemon_core::daemon;

#[daemon(no_handlers)]
struct Data;

#[daemon(requires(Data, Data), wants(Data), no_handlers)]
struct UserDaemon;

fn main() {}
