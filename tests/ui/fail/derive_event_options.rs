use daemon_core::Event;

#[derive(Event)]
#[event("a:b", locl)]
struct A;

#[derive(Event)]
#[event("a:b", local, retain(key = id))]
struct B;

#[derive(Event)]
#[event("a:b", local)]
#[event("a:c", local)]
struct C;

fn main() {}
