use daemon_core::daemon;

#[daemon(plane = operation, no_handlers)]
struct A;

#[daemon(plane = "operations", no_handlers)]
struct B;

#[daemon(plane(operations), no_handlers)]
struct C;

#[daemon(plane, no_handlers)]
struct D;

fn main() {}
