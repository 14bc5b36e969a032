use daemon_core::{DaemonBase, Result, daemon};

#[daemon]
struct UserDaemon;

#[daemon]
impl UserDaemon {
    #[command]
    async fn instance(&self) -> Result<()> {
        Ok(())
    }

    #[command]
    async fn timeout(&self) -> Result<()> {
        Ok(())
    }

    #[command]
    async fn client(&self) -> Result<()> {
        Ok(())
    }
}

impl DaemonBase for UserDaemon {}

fn main() {}
