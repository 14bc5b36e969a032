//! Who says that checks can go on, and how the one hears it who polls them. It has a lock of its own, so that ten thousand wakers do not keep the
//! [board](crate::board) from whoever works there, and it takes no other.

use crate::board::Place;
use std::{
    mem,
    sync::{Mutex, MutexGuard, PoisonError},
    task::Waker,
};

/// Rung when there is something to poll.
#[derive(Default)]
pub(crate) struct Bell(Mutex<Rung>);

#[derive(Default)]
struct Rung {
    /// Whose checks can go on, each once.
    places: Vec<Place>,
    /// Of each place whether it is among them.
    is_there: Vec<bool>,
    /// Whether it was rung since somebody last listened.
    is_rung: bool,
    /// Who is to be woken by it.
    asleep: Option<Waker>,
}

impl Bell {
    fn rung(&self) -> MutexGuard<'_, Rung> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says that a check can go on.
    pub(crate) fn ring_for(&self, place: Place) {
        let asleep = {
            let mut rung = self.rung();
            rung.add(place);
            rung.asleep.take()
        };
        if let Some(asleep) = asleep {
            asleep.wake();
        }
    }

    /// Says that there is something to poll.
    pub(crate) fn ring(&self) {
        let asleep = {
            let mut rung = self.rung();
            rung.is_rung = true;
            rung.asleep.take()
        };
        if let Some(asleep) = asleep {
            asleep.wake();
        }
    }

    /// Takes the places of those that can go on, in exchange for a list that is empty.
    pub(crate) fn take(&self, places: &mut Vec<Place>) {
        self.rung().take(places);
    }

    /// As [`take`](Self::take), and has `waker` woken when it is rung next; unless it was rung since the last time: then nobody is, and this
    /// is `false`.
    pub(crate) fn sleep(&self, waker: &Waker, places: &mut Vec<Place>) -> bool {
        let mut rung = self.rung();
        if mem::take(&mut rung.is_rung) || !rung.places.is_empty() {
            rung.take(places);
            return false;
        }
        rung.asleep = Some(waker.clone());
        true
    }
}

impl Rung {
    fn add(&mut self, place: Place) {
        if self.is_there.len() <= place {
            self.is_there.resize(place + 1, false);
        }
        if !mem::replace(&mut self.is_there[place], true) {
            self.places.push(place);
        }
    }

    fn take(&mut self, places: &mut Vec<Place>) {
        mem::swap(&mut self.places, places);
        for place in places {
            self.is_there[*place] = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        sync::Arc,
        sync::atomic::{AtomicUsize, Ordering::Relaxed},
        task::Wake,
    };

    #[derive(Default)]
    struct Counts(AtomicUsize);

    impl Wake for Counts {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Relaxed);
        }
    }

    #[test]
    fn each_place_is_told_once_until_it_is_taken() {
        let (bell, mut places) = (Bell::default(), Vec::new());
        for place in [3, 0, 3, 70, 0] {
            bell.ring_for(place);
        }
        bell.take(&mut places);
        assert_eq!(places, [3, 0, 70]);
        places.clear();
        bell.ring_for(3);
        bell.take(&mut places);
        assert_eq!(places, [3]);
    }

    #[test]
    fn nobody_falls_asleep_who_was_rung_for_and_whoever_sleeps_is_woken_once() {
        let (bell, counts, mut places) = (Bell::default(), Arc::new(Counts::default()), Vec::new());
        let waker = Waker::from(counts.clone());
        bell.ring();
        assert!(!bell.sleep(&waker, &mut places), "it was rung before");
        bell.ring_for(1);
        assert!(!bell.sleep(&waker, &mut places), "one can go on");
        assert_eq!((mem::take(&mut places), counts.0.load(Relaxed)), (vec![1], 0));
        assert!(bell.sleep(&waker, &mut places));
        bell.ring_for(2);
        bell.ring_for(4);
        bell.ring();
        assert_eq!(counts.0.load(Relaxed), 1);
        assert!(!bell.sleep(&waker, &mut places));
        assert_eq!(places, [2, 4]);
    }
}
