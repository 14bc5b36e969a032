//! How much may go on at once, for each name.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Room for so many of each name. There is one entry for each name that was ever asked for, so names must be of a known few.
#[derive(Debug)]
pub(super) struct Room {
    most: usize,
    names: Mutex<HashMap<String, Arc<Semaphore>>>,
}

impl Room {
    pub(super) fn new(most: usize) -> Self {
        Self { most: most.min(Semaphore::MAX_PERMITS), names: Mutex::default() }
    }

    /// Takes a place until the permit is dropped; `None` if there is none.
    pub(super) fn enter(&self, name: &str) -> Option<OwnedSemaphorePermit> {
        let room = {
            let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
            match names.get(name) {
                Some(room) => Arc::clone(room),
                None => Arc::clone(names.entry(name.to_owned()).or_insert_with(|| Arc::new(Semaphore::new(self.most)))),
            }
        };
        room.try_acquire_owned().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_has_room_of_its_own() {
        let room = Room::new(1);
        let one = room.enter("a");
        assert!(one.is_some() && room.enter("a").is_none() && room.enter("b").is_some());
        drop(one);
        assert!(room.enter("a").is_some());
        assert!(Room::new(usize::MAX).enter("a").is_some());
    }
}
