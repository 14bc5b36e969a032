//! `chaos`, which is there under `--chaos` only: strikes the other daemons at random for a time, restarts those that hang, and
//! ends the program once all have recovered.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use daemon_core::{Context, DaemonBase, DaemonStatus, HostStatus, Plane, Result, State, SubscriptionStatus, daemon};
use thiserror::Error;
use tokio::time::Instant;

use crate::chaos::{Next, Plan, Seen, Strike, Vigil};

/// How long the daemons may take to recover at the end: each may wait for half a minute before it starts again, and then meet the one strike
/// that came just before.
const PATIENCE: Duration = Duration::from_secs(120);
/// Between two looks at whether they have.
const LOOK: Duration = Duration::from_millis(250);

#[daemon(name = "chaos", restart(never))]
pub(crate) struct ChaosDaemon {
    seed: u64,
    lasts: Duration,
    vigil: Mutex<Vigil>,
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
        let mut strikes = 0;
        loop {
            let Next { pause, victim, fault } = plan.next();
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = cx.cancelled() => return Ok(()),
            }
            if Instant::now() >= ends {
                break;
            }
            // Who suffers already is spared: strikes that pile up would come long after.
            if cx.host().status().daemons.iter().any(|daemon| daemon.name == victim && suffers(daemon)) {
                continue;
            }
            strikes += 1;
            tracing::info!("strike {strikes}: {fault:?} in `{victim}`");
            cx.publish(Strike { victim, fault }).await?;
        }
        recovered(cx).await?;
        let restarts: u64 = cx.host().status().daemons.iter().map(|daemon| daemon.restarts).sum();
        tracing::info!("over after {strikes} strikes and {restarts} restarts: every daemon runs");
        cx.request_shutdown();
        Ok(())
    }

    /// Restarts who hangs, as an operator would.
    #[every("250ms")]
    fn heal(&self, cx: &Context) -> Result<()> {
        let host = cx.host().status();
        let running = host.daemons.iter().filter(|daemon| daemon.state == State::Running);
        let hang = {
            let mut vigil = self.vigil.lock().unwrap_or_else(PoisonError::into_inner);
            vigil.look(host.uptime, running.filter_map(seen))
        };
        for victim in hang {
            let host = cx.host();
            let restart = async move {
                if let Err(error) = host.restart_daemon(&victim).await {
                    tracing::warn!("the restart of `{victim}` was not seen through: {error}");
                }
            };
            drop(cx.spawn("restart", restart)?);
        }
        Ok(())
    }
}

impl DaemonBase for ChaosDaemon {}

impl ChaosDaemon {
    pub(crate) fn new(seed: u64, lasts: Duration) -> Self {
        Self { seed, lasts, vigil: Mutex::default() }
    }
}

/// How its strikes come down on a daemon; `None` if it knows nothing of them.
fn strikes(daemon: &DaemonStatus) -> Option<&SubscriptionStatus> {
    daemon.subscriptions.iter().find(|handler| handler.name == "struck")
}

fn seen(daemon: &DaemonStatus) -> Option<Seen> {
    let strikes = strikes(daemon)?;
    let over = strikes.handled + strikes.failed + strikes.abandoned;
    Some(Seen { name: daemon.name.clone(), over, suffers: strikes.in_flight > 0 })
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

/// Whether a daemon does not run, or has a strike before it.
fn suffers(daemon: &DaemonStatus) -> bool {
    let waits = strikes(daemon).is_some_and(|strikes| strikes.queued + strikes.in_flight > 0);
    daemon.state != State::Running || waits
}

fn suffering(host: &HostStatus) -> Vec<String> {
    let suffering = host.daemons.iter().filter(|daemon| suffers(daemon));
    suffering.map(|daemon| format!("{} ({})", daemon.name, daemon.state)).collect()
}

#[cfg(test)]
mod tests {
    use daemon_core::testing::TestHost;

    use super::*;
    use crate::chaos::Fault;
    use crate::daemons::ProxyDaemon;

    #[tokio::test]
    async fn who_hangs_is_restarted_whenever_its_strike_comes_to_it() {
        let proxy = || ProxyDaemon::new("http://127.0.0.1:8080".parse().unwrap());
        let host = TestHost::new("chatroom").daemon(proxy()).daemon(ChaosDaemon::new(7, Duration::ZERO)).start().await;
        let restarts = || host.status().daemons.iter().find(|daemon| daemon.name == "proxy").unwrap().restarts;
        // One waits behind the other, so it comes after the restart that the first is healed with.
        for fault in [Fault::Hang, Fault::Hang, Fault::Block] {
            host.publish(Strike { victim: "proxy".to_owned(), fault }).await;
        }
        assert_eq!(restarts(), 0);
        // Then all have recovered, and the program ends.
        host.advance("30s").await;
        assert_eq!(restarts(), 2);
        assert!(matches!(host.status().state, State::Stopping | State::Stopped));
        host.shutdown().await.assert_clean();
    }
}
