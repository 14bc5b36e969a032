//! What a new mailbox is made of: its lanes, the subscriptions in them, and the queues these use.

use super::filter::Filter;
use super::key::Key;
use super::routes::TypeTag;
use super::{Overflow, QueueOptions};

/// A mailbox to be made.
#[derive(Debug, Default)]
pub(crate) struct MailboxPlan {
    pub(crate) lanes: Vec<LanePlan>,
    pub(crate) queues: Vec<QueuePlan>,
    /// Whether its consumer runs one handler's calls only, or those of one shared queue.
    pub(crate) isolated: bool,
}

/// Subscriptions to one topic and type. A lane whose queue keeps its own events, or that has a filter, has one only.
#[derive(Debug)]
pub(crate) struct LanePlan {
    pub(crate) topic: String,
    /// The type it takes; `None`: envelopes, whatever is in them.
    pub(crate) takes: Option<TypeTag>,
    /// Whether its queue keeps its events itself.
    pub(crate) is_own: bool,
    /// Which events it wants.
    pub(crate) filter: Option<Filter>,
    /// Whether of each topic and key only the latest event waits.
    pub(crate) is_latest: bool,
    pub(crate) key: Option<Key>,
    /// Whether it merely looks on.
    pub(crate) is_tap: bool,
    pub(crate) seats: Vec<SeatPlan>,
}

impl LanePlan {
    /// A lane without seats, for subscriptions with such options.
    pub(crate) fn new(topic: &str, takes: Option<TypeTag>, options: &QueueOptions, is_own: bool) -> Self {
        Self {
            topic: topic.to_owned(),
            takes,
            is_own,
            filter: options.filter.clone(),
            is_latest: options.overflow == Overflow::Latest,
            key: options.key.clone(),
            is_tap: false,
            seats: Vec::new(),
        }
    }

    /// Whether more than one subscription may sit in it.
    pub(crate) fn is_common(&self) -> bool {
        !self.is_own && self.filter.is_none()
    }
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
    /// Whether nobody is warned of what it drops.
    pub(crate) is_quiet: bool,
}
