use daemon_core::{DaemonBase, daemon};

#[daemon]
struct UserDaemon;

#[daemon]
impl UserDaemon {
    #[every("5s")]
    async fn tick(&self) {
        let shared = std::rc::Rc::new(());
        std::future::ready(()).await;
        drop(shared);
    }
}

impl DaemonBase for UserDaemon {}

fn main() {}
