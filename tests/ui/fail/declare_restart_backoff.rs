use daemon_core::daemon;

#[daemon(restart(on_failure, backoff = "30s..100ms"), no_handlers)]
struct A;

#[daemon(restart(on_failure, backoff = "0s..30s"), no_handlers)]
struct B;

#[daemon(restart(on_failure, backoff = ".."), no_handlers)]
struct C;

#[daemon(restart(on_failure, backoff = "5s"), no_handlers)]
struct D;

#[daemon(restart(on_failure, backoff = 5), no_handlers)]
struct E;

fn main() {}
