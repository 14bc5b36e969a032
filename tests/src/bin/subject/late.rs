//! Hosts in which something comes late, since the only worker is blocked meanwhile.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use daemon_core::{Context, DaemonBase, Host, Result, daemon};

use super::{FOR_EVER, unknown};

/// How long the worker and the shutdown handler may take to stop, both together.
const OTHERS: Duration = Duration::from_millis(1_100);

pub(crate) fn of(host: Host, which: &str) -> Result<Host> {
    Ok(match which {
        "start-again" => host.workers(1).daemon(Again::default()),
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
struct Again(AtomicBool);

#[daemon]
impl Again {
    #[task(restart(never))]
    async fn works(&self) -> Result<()> {
        self.0.store(true, Ordering::Relaxed);
        Err("it broke".into())
    }
}

impl DaemonBase for Again {
    async fn initialize(&self, _cx: &Context) -> Result<()> {
        if self.0.load(Ordering::Relaxed) {
            println!("stuck");
            std::thread::sleep(FOR_EVER);
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
