//! The time for the calls of one dispatcher. Reading it costs as much as a short call, so what suspends is content with a time
//! that was read a few polls ago.

use tokio::time::Instant;

/// For how many polls the time that was read serves.
const POLLS: u32 = 8;

/// A time that is at most a few polls of handlers old.
#[derive(Debug, Default)]
pub(super) struct Clock {
    read: Option<Instant>,
    polls: u32,
}

impl Clock {
    /// What was read no longer serves: the dispatcher was elsewhere, or somebody wants to know exactly.
    #[inline]
    pub(super) fn reset(&mut self) {
        self.read = None;
    }

    /// A handler is polled.
    pub(super) fn polled(&mut self) {
        self.polls += 1;
        if self.polls >= POLLS {
            self.reset();
        }
    }

    pub(super) fn now(&mut self) -> Instant {
        self.reset();
        self.roughly()
    }

    /// A time not long ago.
    pub(super) fn roughly(&mut self) -> Instant {
        *self.read.get_or_insert_with(|| {
            self.polls = 0;
            Instant::now()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Clock, POLLS};
    use std::time::Duration;

    #[tokio::test(start_paused = true)]
    async fn what_was_read_serves_for_a_few_polls() {
        let mut clock = Clock::default();
        let mut read = clock.roughly();
        for _ in 0..2 {
            tokio::time::advance(Duration::from_secs(1)).await;
            for _ in 1..POLLS {
                clock.polled();
                assert_eq!(clock.roughly(), read);
            }
            clock.polled();
            assert_eq!(clock.roughly(), read + Duration::from_secs(1));
            read = clock.roughly();
        }
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(clock.now(), read + Duration::from_secs(1));
        assert_eq!(clock.roughly(), read + Duration::from_secs(1));
    }
}
