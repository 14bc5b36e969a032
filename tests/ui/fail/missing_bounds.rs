use daemon_core::{DaemonBase, daemon};

#[daemon]
struct Cache<S: Send + Sync + 'static>(S);

#[daemon]
impl Cache<u8> {}

impl<S: Send + Sync + 'static> DaemonBase for Cache<S> {}

fn main() {}
