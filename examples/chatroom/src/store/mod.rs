//! The store: rows in a database on a thread of its own, behind a bounded queue of jobs.
//!
//! It owns the connection, its transactions and the order of commits. It does not know events or daemons: each write
//! carries a payload `P` that is handed on, with what became of its rows, once it is committed.
//!
//! 1. A write that was answered `Ok` is committed; one that was answered `Err` changed nothing.
//! 2. Payloads leave in the order of their commits, each before its writer is answered.
//! 3. Writes that wait together share one transaction, so a storm costs few commits.
//! 4. Closing, or dropping the last handle, carries out every job queued before it.

mod error;
#[cfg(not(feature = "sqlite"))]
mod memory;
#[cfg(feature = "sqlite")]
mod sqlite;
mod table;
mod worker;

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use tokio::sync::{mpsc, oneshot};

pub(crate) use error::StoreError;
pub(crate) use table::{BadRow, Cell, Column, Entity, Row, Table, Value, entity};
use worker::{Job, Worker};

/// Jobs that may wait for the database thread.
const QUEUED_JOBS: usize = 256;

/// Where the rows are kept.
#[derive(Clone, Debug)]
pub(crate) enum Location {
    Memory,
    File(PathBuf),
}

/// What a write does to one row.
#[derive(Debug)]
pub(crate) enum Change {
    /// Insert the row, or replace the one with its key.
    Put(&'static Table, Row),
    /// Insert the row unless there is one with its key.
    Ensure(&'static Table, Row),
    /// Remove the row with this key.
    Delete(&'static Table, String),
}

/// What became of one row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Created,
    Updated,
    Deleted,
    Unchanged,
}

/// What a read asks for; the answer is rows.
#[derive(Debug)]
pub(crate) enum Query {
    /// All rows, oldest first.
    All(&'static Table),
    /// The keys only, one to a row: all, or those of the tree below a path.
    Keys(&'static Table, Option<String>),
    /// How many rows there are: one row of one integer.
    Count(&'static Table),
}

/// One kind of storage. Its methods block; only the store's thread calls them.
trait Backend: Send {
    /// Carries out all changes in one transaction: either every one or none.
    fn apply(&mut self, changes: &mut dyn Iterator<Item = &Change>) -> Result<Vec<Outcome>, StoreError>;
    fn read(&mut self, query: &Query) -> Result<Vec<Row>, StoreError>;
    fn close(self: Box<Self>) -> Result<(), StoreError>;
}

/// A committed write: its payload and what became of each of its rows.
#[derive(Debug)]
pub(crate) struct Committed<P> {
    pub(crate) payload: P,
    pub(crate) outcomes: Vec<Outcome>,
}

/// A handle on the database thread.
#[derive(Debug)]
pub(crate) struct Store<P> {
    jobs: Mutex<Option<mpsc::Sender<Job<P>>>>,
    closed: tokio::sync::Mutex<Option<oneshot::Receiver<Result<(), StoreError>>>>,
}

impl<P: Send + 'static> Store<P> {
    /// Opens the database on its own thread. What is committed goes to `committed`, which must be read: it is unbounded
    /// so that the database never waits for a reader who waits for the database.
    pub(crate) async fn open(
        location: Location,
        tables: &'static [&'static Table],
        committed: mpsc::UnboundedSender<Committed<P>>,
    ) -> Result<Self, StoreError> {
        let (jobs, queue) = mpsc::channel(QUEUED_JOBS);
        let (opened, answer) = oneshot::channel();
        let (ended, closed) = oneshot::channel();
        let worker = Worker { queue, committed };
        std::thread::Builder::new()
            .name("database".to_owned())
            .spawn(move || match backend(location, tables) {
                Ok(backend) => {
                    if opened.send(Ok(())).is_ok() {
                        // The receiver is gone only if nobody waits for the end, which is allowed.
                        ended.send(worker.run(backend)).ok();
                    }
                }
                Err(error) => drop(opened.send(Err(error))),
            })
            .map_err(|error| StoreError::CannotOpen {
                path: PathBuf::from("(its thread)"),
                source: std::sync::Arc::new(error),
            })?;
        answer.await.map_err(|_| StoreError::Closed)??;
        Ok(Self { jobs: Mutex::new(Some(jobs)), closed: tokio::sync::Mutex::new(Some(closed)) })
    }

    /// Carries out `changes` in one transaction and answers after its commit.
    pub(crate) async fn write(&self, changes: Vec<Change>, payload: P) -> Result<Vec<Outcome>, StoreError> {
        let (done, answer) = oneshot::channel();
        self.send(Job::Write { changes, payload, done }).await?;
        answer.await.map_err(|_| StoreError::Closed)?
    }

    /// Reads what every write answered so far has left.
    pub(crate) async fn read(&self, query: Query) -> Result<Vec<Row>, StoreError> {
        let (done, answer) = oneshot::channel();
        self.send(Job::Read { query, done }).await?;
        answer.await.map_err(|_| StoreError::Closed)?
    }

    /// Carries out what is queued, then closes the database. Later calls find it closed.
    pub(crate) async fn close(&self) -> Result<(), StoreError> {
        drop(self.jobs.lock().unwrap_or_else(PoisonError::into_inner).take());
        match self.closed.lock().await.take() {
            Some(closed) => closed.await.map_err(|_| StoreError::Closed)?,
            None => Ok(()),
        }
    }

    async fn send(&self, job: Job<P>) -> Result<(), StoreError> {
        let jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let jobs = jobs.ok_or(StoreError::Closed)?;
        jobs.send(job).await.map_err(|_| StoreError::Closed)
    }
}

#[cfg(feature = "sqlite")]
fn backend(location: Location, tables: &'static [&'static Table]) -> Result<Box<dyn Backend>, StoreError> {
    Ok(Box::new(sqlite::Sqlite::open(location, tables)?))
}

#[cfg(not(feature = "sqlite"))]
fn backend(location: Location, tables: &'static [&'static Table]) -> Result<Box<dyn Backend>, StoreError> {
    match location {
        Location::Memory => Ok(Box::new(memory::Memory::new(tables))),
        Location::File(path) => Err(StoreError::NoDatabase { path }),
    }
}

#[cfg(test)]
mod tests;
