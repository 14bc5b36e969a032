use daemon_core::daemon;

#[daemon(name = "data", requires(Metrics), no_handlers)]
struct Data;

#[daemon(name = "metrics", wants(User), no_handlers)]
struct Metrics;

#[daemon(name = "user", requires(Data), no_handlers)]
struct User;

fn main() {}
