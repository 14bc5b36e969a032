//! The connections a server has at the moment.

use super::shared::Shared;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

#[derive(Default)]
pub(super) struct Registry(Mutex<Connections>);

#[derive(Default)]
struct Connections {
    open: HashMap<u64, Arc<Shared>>,
    next: u64,
}

/// One connection's entry, for as long as it is held.
pub(super) struct Entry<'a> {
    registry: &'a Registry,
    number: u64,
}

impl Registry {
    fn lock(&self) -> MutexGuard<'_, Connections> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn enter(&self, connection: &Arc<Shared>) -> Entry<'_> {
        let mut connections = self.lock();
        let number = connections.next;
        connections.next += 1;
        connections.open.insert(number, Arc::clone(connection));
        Entry { registry: self, number }
    }

    pub(super) fn len(&self) -> usize {
        self.lock().open.len()
    }

    fn all(&self) -> Vec<Arc<Shared>> {
        self.lock().open.values().cloned().collect()
    }

    /// Asks each to answer what it has and end.
    pub(super) fn close(&self) {
        self.all().iter().for_each(|connection| connection.close());
    }

    /// Puts an event in the mail of each that takes it. How many do.
    pub(super) fn push(&self, event: &[u8]) -> usize {
        self.all().iter().filter(|connection| connection.push(event.to_vec()).is_ok()).count()
    }
}

impl Drop for Entry<'_> {
    fn drop(&mut self) {
        self.registry.lock().open.remove(&self.number);
    }
}
