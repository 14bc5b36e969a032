//! `lease`: who may change which file, and until when. Leases survive a restart; expired ones are swept away.

use std::collections::BTreeMap;
use std::time::Duration;

use daemon_core::{Context, DaemonBase, Result, daemon};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use tokio::sync::Mutex;

use super::DataDaemon;
use crate::chaos::Strike;
use crate::entity::{Lease, now_ms};

/// The longest time a lease is given for.
const LONGEST: Duration = Duration::from_secs(3600);

#[daemon(name = "lease", requires(DataDaemon))]
#[derive(Default)]
pub(crate) struct LeaseDaemon {
    leases: Mutex<BTreeMap<String, Lease>>,
}

/// A wish to change a file.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Acquire {
    pub(crate) path: String,
    pub(crate) holder: String,
    pub(crate) seconds: u64,
}

/// The end of such a wish.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Release {
    pub(crate) path: String,
    pub(crate) holder: String,
}

#[derive(Debug, Error)]
#[error("`{path}` is leased to {holder} for another {seconds} s")]
struct Held {
    path: String,
    holder: String,
    seconds: u64,
}

#[daemon]
impl LeaseDaemon {
    #[every("10s", name = "lease-expiry")]
    async fn sweep(&self, cx: &Context) -> Result<()> {
        let mut leases = self.leases.lock().await;
        let now = now_ms();
        let expired: Vec<String> =
            leases.values().filter(|lease| lease.expires_ms <= now).map(|lease| lease.path.clone()).collect();
        if !expired.is_empty() {
            let written = cx.daemon::<DataDaemon>().delete::<Lease>(cx, &expired).await?;
            tracing::info!("{} leases expired", written.changed());
            leases.retain(|path, _| !expired.contains(path));
        }
        Ok(())
    }

    /// Takes or renews the lease of a file; refused while somebody else holds it.
    #[command]
    async fn acquire(&self, wish: Acquire, cx: &Context) -> Result<Lease> {
        let mut leases = self.leases.lock().await;
        let now = now_ms();
        if let Some(held) = leases.get(&wish.path).filter(|held| held.holder != wish.holder && held.expires_ms > now) {
            let seconds = (held.expires_ms - now).div_ceil(1000);
            return Err(Held { path: wish.path, holder: held.holder.clone(), seconds }.into());
        }
        let expires_ms = now + 1000 * wish.seconds.min(LONGEST.as_secs());
        let lease = Lease { path: wish.path, holder: wish.holder, expires_ms };
        cx.daemon::<DataDaemon>().put(cx, std::slice::from_ref(&lease)).await?;
        leases.insert(lease.path.clone(), lease.clone());
        Ok(lease)
    }

    /// Gives a lease back; tells whether the holder had it.
    #[command]
    async fn release(&self, wish: Release, cx: &Context) -> Result<bool> {
        let mut leases = self.leases.lock().await;
        if leases.get(&wish.path).is_none_or(|lease| lease.holder != wish.holder) {
            return Ok(false);
        }
        cx.daemon::<DataDaemon>().delete::<Lease>(cx, std::slice::from_ref(&wish.path)).await?;
        leases.remove(&wish.path);
        Ok(true)
    }

    /// The leases there are.
    #[command]
    async fn list(&self) -> Result<Vec<Lease>> {
        Ok(self.leases.lock().await.values().cloned().collect())
    }

    /// What goes wrong under `--chaos`.
    #[on_event(on_error = restart)]
    async fn struck(&self, strike: &Strike, cx: &Context) -> Result<()> {
        strike.suffer(cx.name()).await
    }
}

impl DaemonBase for LeaseDaemon {
    async fn initialize(&self, cx: &Context) -> Result<()> {
        let leases = cx.daemon::<DataDaemon>().all::<Lease>().await?;
        *self.leases.lock().await = leases.into_iter().map(|lease| (lease.path.clone(), lease)).collect();
        Ok(())
    }
}
