use daemon_core::{DaemonBase, Result, daemon};

#[daemon]
struct UserDaemon;

#[daemon]
impl UserDaemon {
    #[task]
    async fn a<T>(&self) {}

    #[command]
    async fn b(&self, _request: impl Clone) -> Result<()> {
        Ok(())
    }
}

impl DaemonBase for UserDaemon {}

fn main() {}
