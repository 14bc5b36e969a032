use daemon_core::{DaemonBase, daemon};

#[daemon]
struct UserDaemon;

#[daemon]
impl UserDaemon {
    #[every("5s", overlap = "skip")]
    async fn a(&self) {}

    #[every("5s", overlap = skp)]
    async fn b(&self) {}

    #[every("5s", overlap = queue(0))]
    async fn c(&self) {}

    #[every("5s", overlap = concurrent(1))]
    async fn d(&self) {}

    #[every("5s", overlap = skip(2))]
    async fn e(&self) {}
}

impl DaemonBase for UserDaemon {}

fn main() {}
