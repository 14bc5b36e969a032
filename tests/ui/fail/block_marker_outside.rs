use daemon_core::every;

struct UserDaemon;

impl UserDaemon {
    #[every("5s")]
    async fn tick(&self) {}
}

fn main() {}
