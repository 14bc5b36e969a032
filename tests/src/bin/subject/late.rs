//! Hosts in which something comes late, since the only worker is blocked meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use daemon_core::{Context, DaemonBase, Host, Result, daemon};
use tokio::sync::Notify;

use super::{FOR_EVER, unknown};

/// How long the worker and the shutdown handler may take to stop, both together.
const OTHERS: Duration = Duration::from_millis(1_100);

pub(crate) fn of(host: Host, which: &str) -> Result<Host> {
    let again = |breaks: &Arc<Notify>| Again { breaks: breaks.clone(), has_broken: AtomicBool::new(false) };
    let breaks = Arc::new(Notify::new());
    Ok(match which {
        "start-again" => {
            breaks.notify_one();
            host.workers(1).daemon(again(&breaks))
        }
        "start-of-another" => host.workers(1).daemon(again(&breaks)).daemon(Refuses(breaks)),
        "last-words" => host
            .workers(1)
            .stop_budget(FOR_EVER + OTHERS)
            .shutdown_timeout(OTHERS - InTask::STOPS_WITHIN)
            .on_shutdown(|| async { println!("last words") })
            .daemon(InTask)
            .daemon(Operator),
        _ => return Err(unknown(which)),
    })
}

/// Breaks when it is told to, and blocks when it starts again.
#[daemon(name = "again", restart(on_failure, backoff = "1ms..1ms"))]
struct Again {
    breaks: Arc<Notify>,
    has_broken: AtomicBool,
}

#[daemon]
impl Again {
    #[task(restart(never))]
    async fn works(&self) -> Result<()> {
        self.breaks.notified().await;
        self.has_broken.store(true, Ordering::Relaxed);
        Err("it broke".into())
    }
}

impl DaemonBase for Again {
    async fn initialize(&self, _cx: &Context) -> Result<()> {
        if self.has_broken.load(Ordering::Relaxed) {
            println!("stuck");
            std::thread::sleep(FOR_EVER);
        }
        Ok(())
    }
}

/// Does not start, and never has done cleaning up.
#[daemon(name = "refuses", no_handlers, start_timeout = "500ms", stop_timeout = "100ms")]
struct Refuses(Arc<Notify>);

impl DaemonBase for Refuses {
    async fn initialize(&self, _cx: &Context) -> Result<()> {
        self.0.notify_one();
        Err("refused".into())
    }

    async fn cleanup(&self, _cx: &Context) -> Result<()> {
        std::future::pending().await
    }
}

/// Blocks until there is a line on standard input.
#[daemon(name = "in-task", stop_timeout = "100ms")]
struct InTask;

#[daemon]
impl InTask {
    const STOPS_WITHIN: Duration = Duration::from_millis(100);

    #[task]
    async fn block(&self) {
        super::blocked::block();
    }
}

impl DaemonBase for InTask {}

/// Has so much time to stop that its plane is told to long before the host has to have stopped.
#[daemon(name = "operator", plane = operations, no_handlers, stop_timeout = "1h")]
struct Operator;

impl DaemonBase for Operator {
    async fn cleanup(&self, _cx: &Context) -> Result<()> {
        println!("operator stops");
        Ok(())
    }
}
