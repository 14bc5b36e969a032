use daemon_core::daemon;

#[daemon]
fn user() {}

fn main() {}
