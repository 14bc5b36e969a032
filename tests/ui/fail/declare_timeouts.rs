use daemon_core::daemon;

#[daemon(start_timeout = "0s", stop_timeout = "5 parsecs", no_handlers)]
struct UserDaemon;

fn main() {}
