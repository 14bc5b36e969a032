use daemon_core::{DaemonBase, Result, daemon};

#[daemon]
struct UserDaemon;

#[daemon]
impl UserDaemon {
    #[command]
    async fn stats(&self) -> Result<()> {
        Ok(())
    }

    #[command(name = "stats")]
    async fn more(&self) -> Result<()> {
        Ok(())
    }
}

impl DaemonBase for UserDaemon {}

fn main() {}
