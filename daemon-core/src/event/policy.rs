//! How much a subscription keeps, and what happens to an event that finds no room.

use super::filter::Filter;
use super::key::Key;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What happens to an event whose subscription is full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Overflow {
    /// `publish` waits until there is room; only for a subscriber that is running.
    #[default]
    Block,
    /// The oldest queued event makes room, and is counted as dropped.
    DropOldest,
    /// The new event is counted as dropped.
    DropNewest,
    /// At most one event waits of each topic, or of each topic and [`Key`]: a newer one takes the place of the older in the queue,
    /// which is counted as dropped. Where too many different ones wait, the oldest is dropped.
    Latest,
}

impl fmt::Display for Overflow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Block => "block",
            Self::DropOldest => "drop_oldest",
            Self::DropNewest => "drop_newest",
            Self::Latest => "latest",
        })
    }
}

/// Which events a subscription wants, and the bounds of its queue.
///
/// ```
/// use daemon_core::{Overflow, QueueOptions};
///
/// let small = QueueOptions::default().capacity(64).overflow(Overflow::DropOldest);
/// assert_eq!(small.startup, 8192);
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct QueueOptions {
    /// How many events wait at most, the one being handled not counted \[1024\]. At least 1.
    pub capacity: usize,
    /// What happens to an event beyond that \[block\].
    pub overflow: Overflow,
    /// How many events are kept at most while the subscriber starts or backs off \[8192\]; the oldest makes room.
    pub startup: usize,
    /// What tells events apart beside their topic, for [`Overflow::Latest`] \[nothing\].
    pub key: Option<Key>,
    /// Which events it wants \[all\]; the others are not offered to it.
    pub filter: Option<Filter>,
}

impl Default for QueueOptions {
    fn default() -> Self {
        Self { capacity: 1024, overflow: Overflow::Block, startup: 8192, key: None, filter: None }
    }
}

impl QueueOptions {
    /// Sets how many events wait at most; 0 counts as 1.
    #[must_use]
    pub fn capacity(mut self, events: usize) -> Self {
        self.capacity = events.max(1);
        self
    }

    /// Sets what happens to an event that finds the queue full.
    #[must_use]
    pub fn overflow(mut self, overflow: Overflow) -> Self {
        self.overflow = overflow;
        self.key = self.key.filter(|_| overflow == Overflow::Latest);
        self
    }

    /// Keeps only the latest event of each topic and key: [`Overflow::Latest`] with a key.
    #[must_use]
    pub fn latest_by(mut self, key: Key) -> Self {
        self.key = Some(key);
        self.overflow(Overflow::Latest)
    }

    /// Sets how many events are kept while the subscriber starts or backs off; with 0 none is.
    #[must_use]
    pub fn startup(mut self, events: usize) -> Self {
        self.startup = events;
        self
    }

    /// Offers it only the events that pass a filter.
    #[must_use]
    pub fn when(mut self, filter: Filter) -> Self {
        self.filter = Some(filter);
        self
    }
}
