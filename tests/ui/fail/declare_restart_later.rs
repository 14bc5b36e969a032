use daemon_core::daemon;

#[daemon(restart(on_failure, backoff = "100ms..30s", limit = "5/1m"), no_handlers)]
struct UserDaemon;

fn main() {}
