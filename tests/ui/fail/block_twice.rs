use daemon_core::daemon;

#[daemon]
struct UserDaemon;

#[daemon]
impl UserDaemon {}

#[daemon]
impl UserDaemon {}

fn main() {}
