use daemon_core::{DaemonBase, Result, daemon};

#[daemon]
struct UserDaemon;

#[daemon]
impl UserDaemon {
    #[command(timeout = "0s")]
    async fn none(&self) -> Result<()> {
        Ok(())
    }
    #[command(timeout = 5)]
    async fn unquoted(&self) -> Result<()> {
        Ok(())
    }
    #[command(timeout = "5 parsecs")]
    async fn unknown(&self) -> Result<()> {
        Ok(())
    }
}

impl DaemonBase for UserDaemon {}

fn main() {}
