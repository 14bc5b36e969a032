//! From committed rows to events: what the data daemon publishes after a commit, in the order of the rows.

use daemon_core::{BoxFuture, Context, Event};
use tokio::sync::oneshot;

use crate::entity::{Created, Deleted, Updated};
use crate::store::{Entity, Outcome};

/// Rows whose events are published once they are committed.
pub(crate) trait Announce: Send {
    /// Publishes one event for each row that changed.
    fn announce<'a>(self: Box<Self>, outcomes: Vec<Outcome>, cx: &'a Context) -> BoxFuture<'a, ()>;
}

/// Rows that were put.
pub(crate) struct Rows<T> {
    pub(crate) rows: Vec<T>,
    pub(crate) announced: oneshot::Sender<()>,
}

/// Keys of rows that were deleted.
pub(crate) struct Removed<T> {
    pub(crate) events: Vec<Deleted<T>>,
    pub(crate) announced: oneshot::Sender<()>,
}

impl<T: Entity> Announce for Rows<T> {
    fn announce<'a>(self: Box<Self>, outcomes: Vec<Outcome>, cx: &'a Context) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            for (row, outcome) in self.rows.into_iter().zip(outcomes) {
                match outcome {
                    Outcome::Created => publish(cx, Created(row)).await,
                    Outcome::Updated => publish(cx, Updated(row)).await,
                    Outcome::Deleted | Outcome::Unchanged => {}
                }
            }
            // Most writers do not wait for this.
            self.announced.send(()).ok();
        })
    }
}

impl<T: Entity> Announce for Removed<T> {
    fn announce<'a>(self: Box<Self>, outcomes: Vec<Outcome>, cx: &'a Context) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            for (event, outcome) in self.events.into_iter().zip(outcomes) {
                if outcome == Outcome::Deleted {
                    publish(cx, event).await;
                }
            }
            self.announced.send(()).ok();
        })
    }
}

async fn publish<E: Event>(cx: &Context, event: E) {
    if let Err(error) = cx.publish(event).await {
        // The row is stored; the subscription that missed it has counted it as dropped.
        tracing::warn!("an event of `{}` did not reach everybody: {error}", E::TOPIC);
    }
}
