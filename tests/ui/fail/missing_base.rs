use daemon_core::{DaemonBase, daemon};

#[daemon(no_handlers)]
struct UserDaemon;

fn host<D: DaemonBase>(_: D) {}

fn main() {
    host(UserDaemon);
}
