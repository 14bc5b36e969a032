use daemon_core::{DaemonBase, Result, daemon};

#[daemon]
struct Cache<S: Send + Sync + 'static>(S);

#[daemon]
impl<S: Send + Sync + 'static> Cache<S> {
    #[command]
    async fn put(&self, _value: S) -> Result<Option<S>> {
        Ok(None)
    }

    #[command]
    async fn me(&self) -> Result<Self> {
        Err("no".into())
    }
}

impl<S: Send + Sync + 'static> DaemonBase for Cache<S> {}

fn main() {}
