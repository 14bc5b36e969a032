//! A host to measure in.

use std::sync::OnceLock;

use daemon_core::{Context, DaemonBase, Host, Result, RunningHost, daemon};

/// The daemon in whose name all is done.
#[daemon(name = "speaker", no_handlers)]
#[derive(Default)]
struct Speaker(OnceLock<Context>);

impl DaemonBase for Speaker {
    async fn initialize(&self, cx: &Context) -> Result<()> {
        drop(self.0.set(cx.clone()));
        Ok(())
    }
}

/// Starts a host, with one daemon more: its context.
///
/// # Panics
/// If something in the host fails.
pub async fn start(host: Host) -> (RunningHost, Context) {
    let host = host.daemon(Speaker::default()).start().await.expect("nothing in it can fail");
    let speaker = host.handle().daemon::<Speaker>().expect("it runs");
    let cx = speaker.0.get().expect("it was initialised").clone();
    (host, cx)
}
