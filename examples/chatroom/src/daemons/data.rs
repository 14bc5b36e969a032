//! `data`: owns the database and tells of every change as `data:<collection>:created`, `updated` or `deleted`.
//!
//! 1. A write that returned `Ok` is committed, and its event follows the commit; one that returned `Err` changed nothing.
//! 2. Events leave in the order of the commits.
//! 3. A full disk or a lock holds writers up; it is told once, and once when it is over.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use daemon_core::{Context, DaemonBase, Result, State, daemon};
use tokio::sync::{Mutex, mpsc, oneshot};

use crate::announce::{Announce, Removed, Rows};
use crate::chaos::Strike;
use crate::entity::{Deleted, TABLES};
use crate::store::{
    BadRow, Cell, Change, Committed, Entity, Location, Outcome, Query, Row, Store, StoreError, Table, Value,
};

/// Between two attempts of a write while the disk is full or the file is locked.
const RETRY: Duration = Duration::from_millis(500);

type Announcement = Box<dyn Announce>;

#[daemon(name = "data")]
pub(crate) struct DataDaemon {
    store: Store<Announcement>,
    commits: Mutex<mpsc::UnboundedReceiver<Committed<Announcement>>>,
    /// Writers that wait because the database refuses for now.
    refused: AtomicUsize,
}

#[daemon]
impl DataDaemon {
    /// Publishes what was committed, one write after the other.
    #[task]
    async fn announce(&self, cx: &Context) {
        let mut commits = self.commits.lock().await;
        loop {
            tokio::select! {
                biased;
                commit = commits.recv() => match commit {
                    Some(commit) => commit.payload.announce(commit.outcomes, cx).await,
                    None => return,
                },
                () = cx.cancelled() => return,
            }
        }
    }

    /// Writers wait while the disk is full or the file is locked; who only reads need not know.
    #[health(readiness, group = "stores", soft)]
    fn accepts_writes(&self) -> Result<()> {
        match self.refused.load(Ordering::Relaxed) {
            0 => Ok(()),
            waiting => Err(format!("the database refuses writes, and {waiting} wait").into()),
        }
    }

    /// How many rows each collection has.
    #[command]
    async fn count(&self) -> Result<BTreeMap<String, u64>> {
        let mut counts = BTreeMap::new();
        for table in TABLES {
            counts.insert(table.name.to_owned(), self.rows_of(table).await?);
        }
        Ok(counts)
    }

    /// What goes wrong under `--chaos`.
    #[on_event(on_error = restart)]
    async fn struck(&self, strike: &Strike, cx: &Context) -> Result<()> {
        strike.suffer(cx.name()).await
    }
}

impl DaemonBase for DataDaemon {
    async fn cleanup(&self, cx: &Context) -> Result<()> {
        let closed = self.store.close().await;
        let mut commits = self.commits.lock().await;
        while let Ok(commit) = commits.try_recv() {
            commit.payload.announce(commit.outcomes, cx).await;
        }
        Ok(closed?)
    }
}

impl DataDaemon {
    /// Opens the database, on a thread of its own.
    pub(crate) async fn open(location: Location) -> Result<Self> {
        let (committed, commits) = mpsc::unbounded_channel();
        let store = Store::open(location, &TABLES, committed).await?;
        Ok(Self { store, commits: Mutex::new(commits), refused: AtomicUsize::new(0) })
    }

    /// Inserts the rows or replaces those with their keys, all in one transaction.
    pub(crate) async fn put<T: Entity>(&self, cx: &Context, rows: &[T]) -> Result<Written, StoreError> {
        self.write_rows(cx, rows, Change::Put).await
    }

    /// Inserts the rows whose keys are not there yet, all in one transaction.
    pub(crate) async fn ensure<T: Entity>(&self, cx: &Context, rows: &[T]) -> Result<Written, StoreError> {
        self.write_rows(cx, rows, Change::Ensure).await
    }

    /// Deletes the rows with these keys, all in one transaction.
    pub(crate) async fn delete<T: Entity>(&self, cx: &Context, keys: &[String]) -> Result<Written, StoreError> {
        self.write(cx, |announced| {
            let changes = keys.iter().map(|key| Change::Delete(T::TABLE, key.clone())).collect();
            let events = keys.iter().cloned().map(Deleted::<T>::new).collect();
            (changes, Box::new(Removed { events, announced }))
        })
        .await
    }

    /// Every row of a collection, oldest first.
    pub(crate) async fn all<T: Entity>(&self) -> Result<Vec<T>, StoreError> {
        let rows = self.store.read(Query::All(T::TABLE)).await?;
        Ok(rows.into_iter().map(T::from_row).collect::<Result<_, _>>()?)
    }

    /// The keys of a collection: all, or those of what lies below a path.
    pub(crate) async fn keys<T: Entity>(&self, below: Option<&str>) -> Result<Vec<String>, StoreError> {
        let rows = self.store.read(Query::Keys(T::TABLE, below.map(str::to_owned))).await?;
        Ok(rows.into_iter().filter_map(key).collect())
    }

    /// How many rows a collection has, which takes no memory however many there are.
    pub(crate) async fn count_of<T: Entity>(&self) -> Result<u64, StoreError> {
        self.rows_of(T::TABLE).await
    }

    async fn rows_of(&self, table: &'static Table) -> Result<u64, StoreError> {
        let rows = self.store.read(Query::Count(table)).await?;
        let count = rows.into_iter().flatten().next().and_then(u64::from_value);
        Ok(count.ok_or(BadRow { table: table.name })?)
    }

    async fn write_rows<T: Entity>(
        &self,
        cx: &Context,
        rows: &[T],
        change: fn(&'static crate::store::Table, Row) -> Change,
    ) -> Result<Written, StoreError> {
        self.write(cx, |announced| {
            let changes = rows.iter().map(|row| change(T::TABLE, row.to_row())).collect();
            (changes, Box::new(Rows { rows: rows.to_vec(), announced }))
        })
        .await
    }

    /// Writes, and writes again while the database refuses for now. Gives up when the host stops: a stop does not wait for
    /// a disk.
    async fn write(
        &self,
        cx: &Context,
        prepare: impl Fn(oneshot::Sender<()>) -> (Vec<Change>, Announcement),
    ) -> Result<Written, StoreError> {
        let mut refused = None;
        loop {
            let (announced, heard) = oneshot::channel();
            let (changes, announcement) = prepare(announced);
            match self.store.write(changes, announcement).await {
                Ok(outcomes) => {
                    if refused.take().is_some_and(Refused::was_last) {
                        tracing::info!("the database takes rows again");
                    }
                    return Ok(Written { outcomes, announced: heard });
                }
                Err(error) if error.is_transient() && !is_stopping(cx) => {
                    if refused.is_none() && refused.insert(Refused::one_more(&self.refused)).is_first {
                        tracing::error!("{error}; what is to be written waits until then");
                    }
                    tokio::select! {
                        () = tokio::time::sleep(RETRY) => {}
                        () = cx.cancelled() => return Err(error),
                    }
                }
                Err(error) => return Err(error),
            }
        }
    }
}

/// One writer that waits because the database refuses for now; counted until it is dropped.
struct Refused<'a> {
    all: &'a AtomicUsize,
    is_first: bool,
}

impl<'a> Refused<'a> {
    fn one_more(all: &'a AtomicUsize) -> Self {
        Self { all, is_first: all.fetch_add(1, Ordering::Relaxed) == 0 }
    }

    fn was_last(self) -> bool {
        self.all.load(Ordering::Relaxed) == 1
    }
}

impl Drop for Refused<'_> {
    fn drop(&mut self) {
        self.all.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A committed write. A storm of writes waits for [`announced`](Self::announced), so that it never runs far ahead of
/// those who listen.
#[derive(Debug)]
pub(crate) struct Written {
    outcomes: Vec<Outcome>,
    announced: oneshot::Receiver<()>,
}

impl Written {
    /// How many rows are not as they were before.
    pub(crate) fn changed(&self) -> usize {
        self.outcomes.iter().filter(|outcome| **outcome != Outcome::Unchanged).count()
    }

    /// Waits until the events are published.
    ///
    /// For tasks only: a handler that waits here could wait for itself, since its own queue may be what holds the
    /// events up.
    pub(crate) async fn announced(self) {
        // The sender is dropped unsent only when `data` is gone, and then there is nobody to wait for.
        self.announced.await.ok();
    }
}

/// Asked only when a write is refused, so the cost of a whole status does not matter.
fn is_stopping(cx: &Context) -> bool {
    cx.is_cancelled() || cx.host().status().state == State::Stopping
}

fn key(row: Row) -> Option<String> {
    match row.into_iter().next() {
        Some(Value::Text(key)) => Some(key),
        _ => None,
    }
}
