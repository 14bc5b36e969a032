use daemon_core::{DaemonBase, daemon};

#[daemon]
struct UserDaemon;

#[daemon]
impl UserDaemon {
    #[health(readyness)]
    async fn a(&self) {}

    #[health(liveness, startup)]
    async fn b(&self) {}

    #[health(timeout = "0s")]
    async fn c(&self) {}

    #[health(name = "x")]
    async fn d(&self) {}

    #[health(name = "x")]
    async fn e(&self) {}
}

#[daemon]
struct DataDaemon;

#[daemon]
impl DataDaemon {
    #[health(every = "0s")]
    async fn a(&self) {}

    #[health(cache = "soon")]
    async fn b(&self) {}

    #[health(fails = 0)]
    async fn c(&self) {}

    #[health(passes = "2")]
    async fn d(&self) {}

    #[health(group = "no group")]
    async fn e(&self) {}

    #[health(soft = true)]
    async fn f(&self) {}

    #[health(soft, on_error = restart)]
    async fn g(&self) {}

    #[health(on_error = stop)]
    async fn h(&self) {}

    #[health(readiness, restart(always))]
    async fn i(&self) {}
}

impl DaemonBase for DataDaemon {}

impl DaemonBase for UserDaemon {}

fn main() {}
