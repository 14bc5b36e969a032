use daemon_core::{DaemonBase, daemon};

#[daemon]
struct UserDaemon;

#[daemon]
impl UserDaemon {
    #[every(from = period)]
    async fn a(&self) {}
}

fn period(text: &str) -> daemon_core::Period {
    text.parse().unwrap()
}

impl DaemonBase for UserDaemon {}

fn main() {}
