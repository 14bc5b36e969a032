use daemon_core::{DaemonBase, daemon};

#[daemon]
struct UserDaemon;

#[daemon]
impl UserDaemon {
    #[on_ready]
    async fn a(&self) {}

    #[on_ready("data")]
    async fn b(&self) {}

    #[on_ready(Data as "Data")]
    async fn c(&self) {}

    #[on_ready(Data, once)]
    async fn d(&self) {}
}

impl DaemonBase for UserDaemon {}

fn main() {}
