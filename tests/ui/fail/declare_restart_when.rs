use daemon_core::daemon;

#[daemon(restart(), no_handlers)]
struct A;

#[daemon(restart(backoff = "100ms..30s"), no_handlers)]
struct B;

#[daemon(restart(never, always), no_handlers)]
struct C;

#[daemon(restart(on_failur), no_handlers)]
struct D;

#[daemon(restart = always, no_handlers)]
struct E;

fn main() {}
