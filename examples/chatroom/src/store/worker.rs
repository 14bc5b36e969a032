//! The database thread: takes jobs in order, gathers writes that wait together into one transaction, answers them.

use tokio::sync::{mpsc, oneshot};

use super::{Backend, Change, Committed, Outcome, Query, Row, StoreError};

/// Rows one transaction may gather; a bound on how long its first writer waits for the others.
const ROWS_PER_TRANSACTION: usize = 4096;

type Answer<T> = oneshot::Sender<Result<T, StoreError>>;

#[derive(Debug)]
pub(super) enum Job<P> {
    Write { changes: Vec<Change>, payload: P, done: Answer<Vec<Outcome>> },
    Read { query: Query, done: Answer<Vec<Row>> },
}

struct Write<P> {
    changes: Vec<Change>,
    payload: P,
    done: Answer<Vec<Outcome>>,
}

pub(super) struct Worker<P> {
    pub(super) queue: mpsc::Receiver<Job<P>>,
    pub(super) committed: mpsc::UnboundedSender<Committed<P>>,
}

impl<P> Worker<P> {
    /// Works until every handle is gone and the queue is empty, then closes the database.
    pub(super) fn run(mut self, mut backend: Box<dyn Backend>) -> Result<(), StoreError> {
        let mut next = self.queue.blocking_recv();
        while let Some(job) = next {
            next = match job {
                Job::Read { query, done } => {
                    // A reader that stopped waiting needs no answer; the same goes for writers below.
                    done.send(backend.read(&query)).ok();
                    None
                }
                Job::Write { changes, payload, done } => {
                    let (group, other) = self.gather(Write { changes, payload, done });
                    self.commit(backend.as_mut(), group);
                    other
                }
            }
            .or_else(|| self.queue.blocking_recv());
        }
        backend.close()
    }

    /// The writes that already wait behind `first`, and the job that ended the row of writes.
    fn gather(&mut self, first: Write<P>) -> (Vec<Write<P>>, Option<Job<P>>) {
        let mut rows = first.changes.len();
        let mut group = vec![first];
        while rows < ROWS_PER_TRANSACTION {
            match self.queue.try_recv() {
                Ok(Job::Write { changes, payload, done }) => {
                    rows += changes.len();
                    group.push(Write { changes, payload, done });
                }
                Ok(read) => return (group, Some(read)),
                Err(_) => break,
            }
        }
        (group, None)
    }

    fn commit(&self, backend: &mut dyn Backend, group: Vec<Write<P>>) {
        let outcomes = backend.apply(&mut group.iter().flat_map(|write| &write.changes));
        let mut outcomes = outcomes.map(Vec::into_iter);
        for Write { changes, payload, done } in group {
            let answer = match &mut outcomes {
                Ok(all) => {
                    let own: Vec<Outcome> = all.take(changes.len()).collect();
                    // Nobody listens for commits once the owner of the store is gone; the rows are stored all the same.
                    self.committed.send(Committed { payload, outcomes: own.clone() }).ok();
                    Ok(own)
                }
                Err(error) => Err(error.clone()),
            };
            done.send(answer).ok();
        }
    }
}
