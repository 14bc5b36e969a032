//! What a host knows of its configuration: the one in force, what loads it anew, and the work that takes.
//!
//! Invariant: what is the user's, the configuration and what loads it, is run and dropped on the workers.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::BoxFuture;
use crate::configuration::{Configuration, Configured};
use crate::error::Result;
use crate::status::{TaskKind, TaskStatus};
use crate::task::{Failure, Label, Owner, Tasks, caught, drop_quietly};

/// Loads the host's configuration anew.
pub(crate) type Load = Arc<dyn Fn() -> BoxFuture<'static, Result<Configuration>> + Send + Sync>;

/// What a host knows of its configuration.
#[derive(Default)]
pub(crate) struct Settings {
    current: Mutex<Configured>,
    /// How often it has changed.
    changes: AtomicU64,
    /// How often it was to change: what was tried has a number that nothing else had.
    tries: AtomicU64,
    /// Without it there is nothing to load: daemons are told to reload what they have.
    load: Mutex<Option<Load>>,
    /// How long a step may take of a daemon that does not say how long its start may.
    limit: Duration,
    turn: tokio::sync::Mutex<()>,
    runtime: OnceLock<Handle>,
    /// The loading of a configuration, and at the end its destructor.
    work: OnceLock<Arc<Tasks>>,
    /// Whose destructors were under way when the configuration was to be dropped.
    behind: OnceLock<Vec<String>>,
}

impl Settings {
    pub(crate) fn new(first: Configuration, load: Option<Load>, limit: Duration) -> Self {
        let current = Mutex::new(Configured { number: 0, configuration: first });
        Self { current, load: Mutex::new(load), limit, ..Self::default() }
    }

    fn current(&self) -> MutexGuard<'_, Configured> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn loader(&self) -> MutexGuard<'_, Option<Load>> {
        self.load.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The configuration in force.
    pub(super) fn in_force(&self) -> Configured {
        self.current().clone()
    }

    /// How often it has changed.
    pub(super) fn changes(&self) -> u64 {
        self.changes.load(Ordering::Relaxed)
    }

    /// The next to be tried. Its number is never used again: a daemon may keep for a while what was not put in force.
    pub(super) fn next(&self, configuration: Configuration) -> Configured {
        Configured { number: self.tries.fetch_add(1, Ordering::Relaxed) + 1, configuration }
    }

    /// Puts `next` in force, if that `may` be; nobody else changes it while that is asked. Returns whether it was.
    pub(super) fn replace(&self, next: &Configured, may: impl FnOnce() -> bool) -> bool {
        let mut current = self.current();
        let before = may().then(|| std::mem::replace(&mut *current, next.clone()));
        drop(current); // before what it was, which is the user's
        let replaced = before.is_some();
        self.changes.fetch_add(u64::from(replaced), Ordering::Relaxed);
        replaced
    }

    /// Whose turn it is to reload.
    pub(super) fn turn(&self) -> &tokio::sync::Mutex<()> {
        &self.turn
    }

    /// How long a step of a reload may take of a daemon that does not say how long its start may.
    pub(super) fn limit(&self) -> Duration {
        self.limit
    }

    /// Where reloads run, once that is known.
    pub(super) fn runtime(&self) -> Option<&Handle> {
        self.runtime.get()
    }

    /// Says where reloads run.
    pub(super) fn run_on(&self, runtime: &Handle) {
        let _: &Handle = self.runtime.get_or_init(|| runtime.clone());
    }

    fn work(&self) -> Option<&Arc<Tasks>> {
        let runtime = self.runtime.get()?;
        Some(self.work.get_or_init(|| Tasks::new(runtime.clone(), Owner::nobody())))
    }

    /// Loads the configuration in a task of its own, since that is user code.
    pub(super) async fn load(&self, before: &Configured) -> Result<Configuration, Failure> {
        let load = self.loader().clone();
        let (Some(load), Some(tasks)) = (load, self.work()) else { return Ok(before.configuration.clone()) };
        let (sender, loaded) = oneshot::channel();
        let name = TaskKind::Load.to_string();
        let work = async move {
            let mut value = None;
            let ended = caught(|| async {
                value = Some(load().await?);
                Ok(())
            });
            let ended = ended.await;
            drop(sender.send(ended.map(|()| value))); // given up
        };
        let loading = tasks.spawn(Label::new(TaskKind::Load, &name), work);
        match timeout(self.limit, loaded).await {
            Ok(Ok(Ok(Some(value)))) => Ok(value),
            Ok(Ok(Err(failure))) => Err(failure),
            Ok(_) => Err(Failure::Error("its loading was aborted".into())),
            Err(_) => {
                if let Some(loading) = loading {
                    loading.abort();
                }
                Err(Failure::Timeout(self.limit))
            }
        }
    }

    /// What of that a thread polls right now.
    pub(super) fn polled(&self) -> Vec<(u64, TaskStatus)> {
        self.work.get().map(|work| work.polled()).unwrap_or_default()
    }

    /// What loads the configuration, or drops it.
    pub(super) fn under_way(&self) -> Vec<TaskStatus> {
        self.work.get().map(|work| work.statuses()).unwrap_or_default()
    }

    /// Whose destructors were under way when the configuration was to be dropped.
    pub(super) fn behind(&self) -> Vec<String> {
        self.behind.get().cloned().unwrap_or_default()
    }

    /// Gives up loading, and drops the configuration and what loads it on the workers, since both are the user's. It comes `behind`
    /// destructors of these daemons, which are under way.
    pub(super) async fn release(&self, behind: Vec<String>) {
        let _: &Vec<_> = self.behind.get_or_init(|| behind);
        let Some(work) = self.work() else { return };
        drop(work.abort(TaskKind::Load));
        let (current, load) = (std::mem::take(&mut self.current().configuration), self.loader().take());
        let gone = work.spawn(Label::new(TaskKind::Load, "destructor of the configuration"), async move {
            drop(current);
            drop_quietly(load);
        });
        drop(gone); // never closed: it cannot be refused
        work.idle(&|_| true).await;
    }
}
