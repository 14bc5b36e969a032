use daemon_core::Event;

#[derive(Event)]
#[event("a:b")]
struct A;

fn main() {}
