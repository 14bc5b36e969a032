//! Hosts in a runtime of the program's own. A line on standard input asks for the shutdown, from a thread that is none of the runtime's;
//! a second line unblocks what blocks.

use std::process::ExitCode;
use std::sync::{Arc, Barrier};

use daemon_core::{Context, DaemonBase, Host, Result, daemon};
use tokio::sync::Notify;

use super::unknown;

pub(crate) fn run(host: Host, which: &str) -> Result<ExitCode> {
    let (started, unblock) = (Arc::new(Notify::new()), Arc::new(Barrier::new(2)));
    let host = match which {
        "hangs" => host.daemon(Hangs),
        "blocks" => host.daemon(Blocks { started: started.clone(), unblock: unblock.clone() }),
        _ => return Err(unknown(which)),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let report = runtime.block_on(async move {
        let host = host.start().await?;
        let handle = host.handle();
        started.notify_one();
        std::thread::spawn(move || {
            let mut lines = std::io::stdin().lines();
            lines.next();
            handle.request_shutdown();
            println!("asked");
            lines.next();
            unblock.wait();
        });
        host.wait().await
    })?;
    println!("{}", serde_json::to_string(&report)?);
    Ok(ExitCode::from(report.exit_code))
}

/// Its task never ends by itself, but yields.
#[daemon(name = "hangs")]
struct Hangs;

#[daemon]
impl Hangs {
    #[task]
    async fn hang(&self) {
        println!("stuck");
        std::future::pending::<()>().await;
    }
}

impl DaemonBase for Hangs {}

/// Blocks the one thread there is.
#[daemon(name = "blocks")]
struct Blocks {
    /// Told once there is a handle to stop the host by.
    started: Arc<Notify>,
    unblock: Arc<Barrier>,
}

#[daemon]
impl Blocks {
    #[task]
    async fn block(&self, cx: &Context) {
        self.started.notified().await;
        println!("stuck");
        self.unblock.wait();
        cx.cancelled().await;
    }
}

impl DaemonBase for Blocks {}
