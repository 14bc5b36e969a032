use daemon_core::daemon;

#[daemon]
enum UserDaemon {}

fn main() {}
