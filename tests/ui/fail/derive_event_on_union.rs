use daemon_core::Event;

#[derive(Event)]
#[event("a:b", local)]
union A {
    a: u32,
}

fn main() {}
