//! What a new mailbox is made of: its lanes, the subscriptions in them, and the queues these use.

use super::QueueOptions;
use super::routes::TypeTag;

/// A mailbox to be made.
#[derive(Debug, Default)]
pub(crate) struct MailboxPlan {
    pub(crate) lanes: Vec<LanePlan>,
    pub(crate) queues: Vec<QueuePlan>,
    /// Whether its consumer runs one handler's calls only, or those of one shared queue.
    pub(crate) isolated: bool,
}

/// Subscriptions to one topic and type.
#[derive(Debug)]
pub(crate) struct LanePlan {
    pub(crate) topic: String,
    /// The type it takes; `None`: envelopes, whatever is in them.
    pub(crate) takes: Option<TypeTag>,
    /// Whether its queue keeps its events itself; such a lane has one subscription only.
    pub(crate) is_own: bool,
    pub(crate) seats: Vec<SeatPlan>,
}

/// One subscription.
#[derive(Debug)]
pub(crate) struct SeatPlan {
    pub(crate) name: String,
    /// Its queue, by its place in the plan.
    pub(crate) queue: u32,
}

/// A queue: of one subscription, or shared by name.
#[derive(Debug)]
pub(crate) struct QueuePlan {
    pub(crate) name: Option<&'static str>,
    pub(crate) options: QueueOptions,
    /// How many of its events may be in flight at once.
    pub(crate) width: u32,
    pub(crate) is_own: bool,
}

impl MailboxPlan {
    /// The bounds of the queue of a lane's first subscription, which is its only one if the queue keeps its own events.
    pub(crate) fn options_of(&self, lane: &LanePlan) -> Option<&QueueOptions> {
        let queue = lane.seats.first()?.queue;
        Some(&self.queues.get(queue as usize)?.options)
    }
}
