use daemon_core::{DaemonBase, daemon};

#[daemon]
struct UserDaemon;

#[daemon]
impl UserDaemon {
    #[every("5s", nam = "tick")]
    async fn tick(&self) {
        self.helper();
    }

    #[every("5s")]
    async fn tock(&self)

    fn helper(&self) {}
}

impl DaemonBase for UserDaemon {}

fn main() {
    UserDaemon.helper();
}
