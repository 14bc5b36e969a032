use daemon_core::{DaemonBase, Result, daemon};

#[daemon]
struct UserDaemon;

struct Request;

#[daemon]
impl UserDaemon {
    #[command]
    async fn a(&self, _request: Request) -> Result<()> {
        Ok(())
    }
}

impl DaemonBase for UserDaemon {}

fn main() {}
