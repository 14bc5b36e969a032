use daemon_core::daemon;

#[daemon(restart(on_failure, limit = "0/1m"), no_handlers)]
struct A;

#[daemon(restart(on_failure, limit = "5/0s"), no_handlers)]
struct B;

#[daemon(restart(on_failure, limit = "5/m"), no_handlers)]
struct C;

#[daemon(restart(on_failure, limit = 5), no_handlers)]
struct D;

fn main() {}
