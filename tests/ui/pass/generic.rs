//! Type, lifetime-free and const parameters, and where clauses.
#![deny(warnings)]

use daemon_core::{Context, DaemonBase, Declared, Event, Result, daemon};
use std::time::Duration;

pub trait Store: Send + Sync + 'static {
    const SWEEP: Duration;
}
pub struct Disk;
impl Store for Disk {
    const SWEEP: Duration = Duration::from_secs(1);
}

#[derive(Event)]
#[event("store:changed", local)]
pub struct Changed<S>(S);

#[daemon(no_handlers)]
struct Plain;
impl DaemonBase for Plain {}

#[daemon(name = "cache", requires(Plain), wants(Pair<Plain, 3>))]
struct Cache<S: Store>
where
    S: Sized,
{
    store: S,
}

#[daemon]
impl<S: Store> Cache<S>
where
    S: Sized,
{
    #[on_event("store:changed")]
    async fn changed(&self, _event: &Changed<S>) {}

    #[every(S::SWEEP)]
    async fn sweep(&self, _: &Context) {
        let _ = &self.store;
    }

    #[every(Self::OWN)]
    async fn own(&self) {}

    #[on_ready(Pair<Plain, 3>)]
    async fn paired(&self) {}

    #[command]
    async fn size(&self) -> Result<u64> {
        Ok(0)
    }
}
impl<S: Store> Cache<S> {
    const OWN: Duration = Duration::from_secs(2);
}
impl<S: Store> DaemonBase for Cache<S> {}

#[daemon(name = "pair", no_handlers, requires(T))]
struct Pair<T: Declared, const N: usize>(T)
where
    T: Send;
impl<T: Declared, const N: usize> DaemonBase for Pair<T, N> {}

#[daemon(name = "log", requires(Cache<Disk>), no_handlers)]
struct Log;
impl DaemonBase for Log {}

fn main() {
    let _ = daemon_core::Definition::<Cache<Disk>>::of();
    let _ = daemon_core::Definition::<Pair<Plain, 3>>::of();
    let _ = (Pair::<Plain, 3>(Plain).0, Cache::<Disk> { store: Disk });
}
