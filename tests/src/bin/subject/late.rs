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
    Ok(match which {
        "start-again" => host.workers(1).daemon(Again::default()),
        "clean-up" => host.workers(1).daemon(Luckless(None)),
        "start-beside-a-clean-up" => {
            let turns = Arc::<Turns>::default();
            host.workers(1)
                .daemon(Luckless(Some(turns.clone())))
                .daemon(Again { turns: Some(turns), ..Again::default() })
        }
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

/// Breaks, and blocks when it starts again.
#[daemon(name = "again", restart(on_failure, backoff = "1ms..1ms"))]
#[derive(Default)]
struct Again {
    broke: AtomicBool,
    turns: Option<Arc<Turns>>,
}

#[daemon]
impl Again {
    #[task(restart(never))]
    async fn works(&self) -> Result<()> {
        self.broke.store(true, Ordering::Relaxed);
        Err("it broke".into())
    }
}

impl DaemonBase for Again {
    async fn initialize(&self, _cx: &Context) -> Result<()> {
        if self.broke.load(Ordering::Relaxed) {
            if let Some(turns) = &self.turns {
                turns.fails.notify_one();
                turns.cleans_up.notified().await;
            }
            println!("stuck");
            std::thread::sleep(FOR_EVER);
        }
        Ok(())
    }
}

/// Who is to go on, in this order.
#[derive(Default)]
struct Turns {
    fails: Notify,
    cleans_up: Notify,
}

/// Cannot start, and has not cleaned up when its time is up: by itself, or as the one whose turn comes then blocks its thread.
#[daemon(name = "luckless", start_timeout = "3s", stop_timeout = "100ms", no_handlers)]
struct Luckless(Option<Arc<Turns>>);

impl DaemonBase for Luckless {
    async fn initialize(&self, _cx: &Context) -> Result<()> {
        if let Some(turns) = &self.0 {
            turns.fails.notified().await;
        }
        Err("no luck".into())
    }

    async fn cleanup(&self, _cx: &Context) -> Result<()> {
        match &self.0 {
            Some(turns) => {
                turns.cleans_up.notify_one();
                std::future::pending::<()>().await;
            }
            None => std::thread::sleep(FOR_EVER),
        }
        Ok(())
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
