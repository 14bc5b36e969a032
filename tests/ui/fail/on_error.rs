use daemon_core::{DaemonBase, daemon};

#[daemon]
struct UserDaemon;

#[daemon]
impl UserDaemon {
    #[on_event("a:b", on_error = stop)]
    async fn a(&self) {}

    #[on_event("a:b", on_error = "fail")]
    async fn b(&self) {}

    #[every("5s", on_error = restrat)]
    async fn c(&self) {}

    #[every("5s", restart(always))]
    async fn d(&self) {}

    #[every("5s", on_error)]
    async fn e(&self) {}
}

impl DaemonBase for UserDaemon {}

fn main() {}
