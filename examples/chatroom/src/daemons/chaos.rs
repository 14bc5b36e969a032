//! `chaos`, which is there under `--chaos` only: strikes the other daemons at random for a time, restarts those that hang, and
//! ends the program once all have recovered.

use std::time::{Duration, Instant};

use daemon_core::{Context, DaemonBase, HostStatus, Plane, Result, State, TaskHandle, daemon};
use thiserror::Error;

use crate::chaos::{Fault, Next, Plan, Strike};

/// How long a daemon hangs before it is restarted.
const HANGS: Duration = Duration::from_secs(1);
/// How long the daemons may take to recover at the end. After a long chaos each waits for half a minute before it starts again, and then
/// meets the strikes that were kept for it meanwhile.
const PATIENCE: Duration = Duration::from_secs(300);
/// Between two looks at whether they have.
const LOOK: Duration = Duration::from_millis(250);

#[daemon(name = "chaos", restart(never))]
pub(crate) struct ChaosDaemon {
    seed: u64,
    lasts: Duration,
}

#[derive(Debug, Error)]
#[error("not recovered from chaos within {PATIENCE:?}: {who}")]
struct NotRecovered {
    who: String,
}

#[daemon]
impl ChaosDaemon {
    #[task(finite, restart(never))]
    async fn rage(&self, cx: &Context) -> Result<()> {
        tracing::info!("seed {}, for {:?}", self.seed, self.lasts);
        let daemons = cx.host().status().daemons.into_iter();
        // What runs beside the workers, such as the socket, knows nothing of strikes.
        let ours = daemons.filter(|daemon| daemon.plane == Plane::Workers && daemon.name != cx.name());
        let mut plan = Plan::new(self.seed, ours.map(|daemon| daemon.name).collect());
        let ends = Instant::now() + self.lasts;
        let (mut strikes, mut healing) = (0, Vec::new());
        loop {
            let Next { pause, victim, fault } = plan.next();
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = cx.cancelled() => return Ok(()),
            }
            if Instant::now() >= ends {
                break;
            }
            strikes += 1;
            tracing::info!("strike {strikes}: {fault:?} in `{victim}`");
            cx.publish(Strike { victim: victim.clone(), fault }).await?;
            if fault == Fault::Hang {
                healing.push(heal(cx, victim)?);
            }
        }
        for healed in healing {
            healed.await?;
        }
        recovered(cx).await?;
        let restarts: u64 = cx.host().status().daemons.iter().map(|daemon| daemon.restarts).sum();
        tracing::info!("over after {strikes} strikes and {restarts} restarts: every daemon runs");
        cx.request_shutdown();
        Ok(())
    }
}

impl DaemonBase for ChaosDaemon {}

impl ChaosDaemon {
    pub(crate) fn new(seed: u64, lasts: Duration) -> Self {
        Self { seed, lasts }
    }
}

/// Restarts a daemon that hangs, after a while.
fn heal(cx: &Context, victim: String) -> Result<TaskHandle<()>> {
    let host = cx.host();
    let restart = async move {
        tokio::time::sleep(HANGS).await;
        if let Err(error) = host.restart_daemon(&victim).await {
            tracing::warn!("the restart of `{victim}` was not seen through: {error}");
        }
    };
    Ok(cx.spawn("heal", restart)?)
}

/// Waits until every daemon runs and nothing is left to suffer, twice in a row: a failure takes a moment to show.
async fn recovered(cx: &Context) -> Result<()> {
    let (deadline, mut calm) = (Instant::now() + PATIENCE, 0);
    while calm < 2 {
        let suffers = suffering(&cx.host().status());
        calm = if suffers.is_empty() { calm + 1 } else { 0 };
        if Instant::now() >= deadline {
            return Err(NotRecovered { who: suffers.join(", ") }.into());
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            () = cx.cancelled() => return Ok(()),
        }
    }
    Ok(())
}

/// The daemons that do not run, or have a strike before them.
fn suffering(host: &HostStatus) -> Vec<String> {
    let struck = |daemon: &&daemon_core::DaemonStatus| {
        let waits = daemon
            .subscriptions
            .iter()
            .any(|handler| handler.name == "struck" && handler.queued + handler.in_flight > 0);
        daemon.state != State::Running || waits
    };
    host.daemons.iter().filter(struck).map(|daemon| format!("{} ({})", daemon.name, daemon.state)).collect()
}
