use daemon_core::daemon;

#[daemon(no_handlers)]
struct Größe;

fn main() {}
