use daemon_core::{DaemonBase, Result, daemon};

#[daemon]
struct UserDaemon;

#[daemon]
impl UserDaemon {
    #[every("5s")]
    async fn a(&self) -> Result<u32> {
        Ok(5)
    }
}

impl DaemonBase for UserDaemon {}

fn main() {}
