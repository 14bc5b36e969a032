use daemon_core::{DaemonBase, daemon};

#[daemon]
struct UserDaemon;

#[daemon]
impl UserDaemon {
    #[on_event("a:b", queue = "users")]
    async fn a(&self) {}

    #[on_event("a:b", queue = "users")]
    async fn b(&self) {}

    #[on_event("a:b", queue = "user")]
    async fn c(&self) {}

    #[on_event("a:b", queue = "messages")]
    async fn d(&self) {}

    #[on_event("a:b", queue = "all of them")]
    async fn e(&self) {}

    #[on_event("a:b", queue = users)]
    async fn f(&self) {}
}

impl DaemonBase for UserDaemon {}

fn main() {}
