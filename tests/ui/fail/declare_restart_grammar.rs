use daemon_core::daemon;

#[daemon(restart(on_failure, backoff = "30s..100ms", limit = "5/m"), no_handlers)]
struct A;

#[daemon(restart(never, always), no_handlers)]
struct B;

#[daemon(restart(never, limit = "5/1m"), no_handlers)]
struct C;

#[daemon(restart(on_failur), no_handlers)]
struct D;

fn main() {}
