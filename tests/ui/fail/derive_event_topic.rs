use daemon_core::Event;

#[derive(Event)]
#[event("data::users", local)]
struct A;

#[derive(Event)]
struct B;

#[derive(Event)]
#[event]
struct C;

#[derive(Event)]
#[event(local)]
struct D;

fn main() {}
