use daemon_core::{DaemonBase, daemon};

#[daemon]
struct UserDaemon;

#[daemon]
impl UserDaemon {
    #[every("5 parsecs")]
    async fn a(&self) {}

    #[on_event("data::users")]
    async fn b(&self) {}

    #[every("5s", jiter = "10%")]
    async fn c(&mut self) {}

    #[task(finite, finite)]
    async fn d(self) {}

    fn helper(&self) {}
}

impl UserDaemon {
    fn uses_helper(&self) {
        self.helper();
    }
}

impl DaemonBase for UserDaemon {}

fn main() {}
