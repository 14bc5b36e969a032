//! Those who are woken at once, because an answer came for each of them.
//!
//! A worker that has more than one task to do wakes another worker, which takes half of them. Woken one by one, they would wake it for
//! the first, which is all it finds; it sleeps again before the next is woken, and so on for each. So they are woken once their
//! worker has nothing else to do, as a task is that yields: all of them are there before another worker is told.
//!
//! Invariant: whoever is put off is woken, also if the worker never comes to it: whoever put them off wakes them when it runs again, or ends.

use std::{
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Wake, Waker},
};
use tokio::{runtime::Handle, task::yield_now};

#[derive(Debug, Default)]
pub(super) struct Crowd(Mutex<Vec<Waker>>);

impl Crowd {
    /// If there is another worker that could be woken.
    pub(super) fn of(runtime: &Handle) -> Option<Arc<Self>> {
        (runtime.metrics().num_workers() > 1).then(Arc::default)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Waker>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes them in their order when this worker has nothing else to do. Where there is no worker, they are woken now.
    pub(super) fn put_off(self: &Arc<Self>, wakers: &mut Vec<Waker>) {
        self.lock().append(wakers);
        // It asks for its waker to be called then, and not whose it is.
        let yielding = pin!(yield_now()).poll(&mut Context::from_waker(&Arc::clone(self).into()));
        debug_assert!(yielding.is_pending(), "the first turn ends in every case");
    }

    /// Wakes those who are not woken yet.
    pub(super) fn wake_all(&self) {
        let mut all = std::mem::take(&mut *self.lock());
        all.drain(..).for_each(Waker::wake);
        // The memory is kept for the next time.
        let mut wakers = self.lock();
        if wakers.capacity() == 0 {
            *wakers = all;
        }
    }
}

impl Wake for Crowd {
    fn wake(self: Arc<Self>) {
        self.wake_all();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.wake_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::runtime::Builder;

    /// Notes its number when it is woken.
    struct Noted(u8, Arc<Mutex<Vec<u8>>>);

    impl Wake for Noted {
        fn wake(self: Arc<Self>) {
            self.1.lock().unwrap().push(self.0);
        }
    }

    fn three() -> (Vec<Waker>, Arc<Mutex<Vec<u8>>>) {
        let noted = Arc::default();
        let wakers = (1..=3).map(|number| Arc::new(Noted(number, Arc::clone(&noted))).into()).collect();
        (wakers, noted)
    }

    #[test]
    fn there_is_one_only_where_another_worker_could_be_woken() {
        let one = Builder::new_current_thread().build().unwrap();
        assert!(Crowd::of(one.handle()).is_none());
        for (workers, is_some) in [(1, false), (2, true)] {
            let runtime = Builder::new_multi_thread().worker_threads(workers).build().unwrap();
            assert_eq!(Crowd::of(runtime.handle()).is_some(), is_some, "{workers}");
        }
    }

    #[test]
    fn they_are_woken_in_their_order_once_the_worker_has_nothing_else_to_do() {
        let runtime = Builder::new_multi_thread().worker_threads(2).build().unwrap();
        let (mut wakers, noted) = three();
        let seen = Arc::clone(&noted);
        let task = runtime.spawn(async move {
            Arc::<Crowd>::default().put_off(&mut wakers);
            assert!(wakers.is_empty());
            assert!(seen.lock().unwrap().is_empty(), "the worker is at work");
            yield_now().await;
        });
        runtime.block_on(task).unwrap();
        while noted.lock().unwrap().len() < 3 {
            std::thread::yield_now();
        }
        assert_eq!(*noted.lock().unwrap(), [1, 2, 3]);
    }

    #[test]
    fn without_a_worker_they_are_woken_at_once() {
        let (mut wakers, noted) = three();
        Arc::<Crowd>::default().put_off(&mut wakers);
        assert_eq!(*noted.lock().unwrap(), [1, 2, 3]);
    }

    #[test]
    fn whoever_put_them_off_can_wake_them_before_and_nobody_is_woken_twice() {
        let runtime = Builder::new_multi_thread().worker_threads(2).build().unwrap();
        let (mut wakers, noted) = three();
        let seen = Arc::clone(&noted);
        let task = runtime.spawn(async move {
            let crowd = Arc::<Crowd>::default();
            crowd.put_off(&mut wakers);
            crowd.wake_all();
            assert_eq!(*seen.lock().unwrap(), [1, 2, 3]);
            yield_now().await;
        });
        runtime.block_on(task).unwrap();
        drop(runtime);
        assert_eq!(*noted.lock().unwrap(), [1, 2, 3]);
    }
}
