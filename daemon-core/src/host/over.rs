//! How a thread that may not wait for long hears that another is done: of the standard library's channels a program would have
//! the code of all kinds.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

type Shared = Arc<(Mutex<bool>, Condvar)>;

/// Tells that something is over, by being dropped.
#[derive(Debug)]
pub(super) struct Over(Shared);

/// Hears that something is over.
#[derive(Debug)]
pub(super) struct Hears(Shared);

/// The two ends.
pub(super) fn over() -> (Over, Hears) {
    let shared = Shared::default();
    (Over(shared.clone()), Hears(shared))
}

impl Drop for Over {
    fn drop(&mut self) {
        let Self(shared) = self;
        *shared.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        shared.1.notify_all();
    }
}

impl Hears {
    /// Waits until it is over, for no longer than `patience`; returns whether it is.
    pub(super) fn wait(self, patience: Duration) -> bool {
        let Self(shared) = self;
        let over = shared.0.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = shared.1.wait_timeout_while(over, patience, |over| !*over);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_waits_hears_of_the_end_whenever_it_comes() {
        let (before, hears) = over();
        drop(before);
        assert!(hears.wait(Duration::ZERO));

        let (during, hears) = over();
        let other = std::thread::spawn(move || drop(during));
        assert!(hears.wait(Duration::MAX));
        assert!(other.join().is_ok());
    }

    #[test]
    fn nobody_waits_longer_than_his_patience() {
        let (late, hears) = over();
        assert!(!hears.wait(Duration::from_millis(1)));
        drop(late);
    }
}
