//! What was published while nobody heard it. Told once, in an audit; until then it costs a count.

use rustc_hash::FxHashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// How many topics are remembered that have no entry of their own.
const REMEMBERED: usize = 256;

/// The events of one topic that nobody heard.
#[derive(Debug, Default)]
pub(crate) struct Silence {
    events: AtomicU64,
    /// Who published the first.
    publisher: OnceLock<Arc<str>>,
}

impl Silence {
    #[cold]
    pub(crate) fn by(&self, publisher: &Arc<str>) {
        self.events.fetch_add(1, Ordering::Relaxed);
        let _: &Arc<str> = self.publisher.get_or_init(|| publisher.clone());
    }

    /// Who published the first, and how many there were; nothing if there was none.
    pub(crate) fn read(&self) -> Option<(String, u64)> {
        Some((self.publisher.get()?.to_string(), self.events.load(Ordering::Relaxed)))
    }
}

type First = (Arc<str>, u64);

/// The topics made up at run time on which something was published that nobody heard; those beyond a bound are not
/// remembered.
#[derive(Debug, Default)]
pub(crate) struct Unheard {
    /// Of each who published first, and how often something was.
    topics: Mutex<FxHashMap<Box<str>, First>>,
    is_full: AtomicBool,
}

impl Unheard {
    #[cold]
    pub(crate) fn on(&self, topic: &str, publisher: &Arc<str>) {
        if self.is_full.load(Ordering::Relaxed) {
            return; // of what is remembered the count stays short, so that a flood of topics takes no lock
        }
        let mut topics = self.topics.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, events)) = topics.get_mut(topic) {
            *events += 1;
        } else {
            topics.insert(topic.into(), (publisher.clone(), 1));
            self.is_full.store(topics.len() == REMEMBERED, Ordering::Relaxed);
        }
    }

    pub(crate) fn of_no_entry(&self) -> Vec<(String, String, u64)> {
        let topics = self.topics.lock().unwrap_or_else(PoisonError::into_inner);
        topics.iter().map(|(topic, (publisher, events))| (topic.to_string(), publisher.to_string(), *events)).collect()
    }
}
