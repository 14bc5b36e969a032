use daemon_core::{DaemonBase, Host, daemon, daemons};

#[daemon(no_handlers)]
#[derive(Default)]
struct Data;
impl DaemonBase for Data {}

#[daemon(requires(Data), no_handlers)]
#[derive(Default)]
struct User;
impl DaemonBase for User {}

fn main() {
    let _ = Host::new("chat").daemons(daemons![User]);
}
