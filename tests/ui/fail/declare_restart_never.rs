use daemon_core::daemon;

#[daemon(restart(never, backoff = "100ms..30s", limit = "5/1m"), no_handlers)]
struct UserDaemon;

fn main() {}
