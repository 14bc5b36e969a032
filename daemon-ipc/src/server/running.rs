//! Handlers that did not answer at once. Owns their futures and polls those that were woken, each behind a guard against its
//! panics; what an answer means is not its affair.
//!
//! Invariants:
//! 1. A wake of one future costs the poll of that one, however many there are.
//! 2. A future is polled at most once for each call of [`Running::poll`], so that one that wakes itself starves nobody.
//! 3. No panic of a future leaves this module, that of its destructor included.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

/// A handler at work.
pub(super) type Work<'h, T> = Pin<Box<dyn Future<Output = T> + Send + 'h>>;

/// What a panic says, as text.
fn text_of(panic: Box<dyn Any + Send>) -> String {
    let text = match panic.downcast_ref::<&'static str>() {
        Some(text) => (*text).to_owned(),
        None => panic.downcast_ref::<String>().cloned().unwrap_or_else(|| "no text".to_owned()),
    };
    // A payload whose destructor panics is left alone.
    let dropped = catch_unwind(AssertUnwindSafe(|| drop(panic)));
    if dropped.is_err() { format!("{text} (and so did what it panicked with)") } else { text }
}

/// Runs; a panic is a value.
#[inline]
pub(super) fn guarded<T>(run: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(run)).map_err(text_of)
}

/// Drops; a panic is a value.
pub(super) fn drop_guarded<T>(value: T) -> Result<(), String> {
    guarded(|| drop(value))
}

/// A set of futures, each with what its owner wants to know of it.
pub(super) struct Running<'h, T, N> {
    slots: Vec<Slot<'h, T, N>>,
    free: Vec<usize>,
    /// What was woken since it was last looked at; made when there is a first future.
    woken: Option<Arc<Woken>>,
    /// Kept to be used again.
    polled: Vec<usize>,
}

struct Slot<'h, T, N> {
    work: Option<(Work<'h, T>, N)>,
    bell: Arc<Bell>,
}

/// Wakes one slot.
struct Bell {
    slot: usize,
    rung: AtomicBool,
    woken: Arc<Woken>,
}

#[derive(Default)]
struct Woken(Mutex<(Vec<usize>, Option<Waker>)>);

impl Woken {
    fn with<R>(&self, f: impl FnOnce(&mut Vec<usize>, &mut Option<Waker>) -> R) -> R {
        let mut guard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (slots, task) = &mut *guard;
        f(slots, task)
    }
}

impl Bell {
    fn ring(&self) -> Option<Waker> {
        if self.rung.swap(true, Ordering::AcqRel) {
            return None;
        }
        self.woken.with(|slots, task| {
            slots.push(self.slot);
            task.take()
        })
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if let Some(task) = self.ring() {
            task.wake();
        }
    }
}

impl<'h, T, N> Running<'h, T, N> {
    pub(super) fn new() -> Self {
        Self { slots: Vec::new(), free: Vec::new(), woken: None, polled: Vec::new() }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds one, to be polled at the next [`poll`](Self::poll).
    pub(super) fn insert(&mut self, work: Work<'h, T>, note: N) {
        let slot = self.free.pop().unwrap_or_else(|| {
            let woken = self.woken.get_or_insert_default();
            let slot = self.slots.len();
            let bell = Arc::new(Bell { slot, rung: AtomicBool::new(false), woken: Arc::clone(woken) });
            self.slots.push(Slot { work: None, bell });
            slot
        });
        self.slots[slot].work = Some((work, note));
        self.slots[slot].bell.ring();
    }

    /// The notes of all of them.
    pub(super) fn notes_mut(&mut self) -> impl Iterator<Item = &mut N> {
        self.slots.iter_mut().filter_map(|slot| slot.work.as_mut()).map(|(_, note)| note)
    }

    /// Drops those whose note says so, and returns the notes, with the text of a panic on the way.
    pub(super) fn drop_if(&mut self, mut gone: impl FnMut(&N) -> bool) -> Vec<(N, Result<(), String>)> {
        let mut dropped = Vec::new();
        for (at, slot) in self.slots.iter_mut().enumerate() {
            if let Some((work, note)) = slot.work.take_if(|(_, note)| gone(note)) {
                self.free.push(at);
                dropped.push((note, drop_guarded(work)));
            }
        }
        dropped
    }

    /// Polls those that were woken, and hands over each that is done.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, mut done: impl FnMut(N, Result<T, String>)) {
        let Some(woken) = &self.woken else { return };
        let mut polled = std::mem::take(&mut self.polled);
        woken.with(|slots, task| {
            std::mem::swap(slots, &mut polled);
            if !task.as_ref().is_some_and(|task| task.will_wake(cx.waker())) {
                *task = Some(cx.waker().clone());
            }
        });
        for at in polled.drain(..) {
            let slot = &mut self.slots[at];
            slot.bell.rung.store(false, Ordering::Release);
            let Some((work, _)) = &mut slot.work else { continue };
            let waker = Waker::from(Arc::clone(&slot.bell));
            let outcome = match guarded(|| work.as_mut().poll(&mut Context::from_waker(&waker))) {
                Ok(Poll::Pending) => continue,
                Ok(Poll::Ready(value)) => Ok(value),
                Err(panic) => Err(panic),
            };
            if let Some((work, note)) = slot.work.take() {
                self.free.push(at);
                let dropped = drop_guarded(work);
                done(note, outcome.and_then(|value| dropped.map(|()| value)));
            }
        }
        self.polled = polled;
    }
}

impl<T, N> Drop for Running<'_, T, N> {
    fn drop(&mut self) {
        for (_, dropped) in self.drop_if(|_| true) {
            if let Err(text) = dropped {
                tracing::error!(panic = text, "a handler panicked when it was dropped");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;
    use tokio::sync::oneshot;

    async fn next(running: &mut Running<'_, u8, char>) -> (char, Result<u8, String>) {
        poll_fn(|cx| {
            let mut found = None;
            running.poll(cx, |note, outcome| found = Some((note, outcome)));
            found.map_or(Poll::Pending, Poll::Ready)
        })
        .await
    }

    #[tokio::test]
    async fn each_is_handed_over_when_it_is_done_and_its_place_used_again() {
        let mut running = Running::new();
        for round in 0..3 {
            let (first, one) = oneshot::channel();
            let (second, two) = oneshot::channel();
            running.insert(Box::pin(async { one.await.unwrap() }), 'a');
            running.insert(Box::pin(async { two.await.unwrap() }), 'b');
            second.send(round).unwrap();
            assert_eq!(next(&mut running).await, ('b', Ok(round)));
            first.send(round + 10).unwrap();
            assert_eq!(next(&mut running).await, ('a', Ok(round + 10)));
            assert!(running.is_empty());
        }
        assert_eq!(running.slots.len(), 2);
    }

    #[tokio::test]
    async fn one_that_wakes_itself_is_polled_once_a_turn() {
        let mut running = Running::new();
        let mut polls = 0;
        let work = poll_fn(move |cx| {
            polls += 1;
            cx.waker().wake_by_ref();
            if polls == 5 { Poll::Ready(polls) } else { Poll::Pending }
        });
        running.insert(Box::pin(work), 'a');
        let mut turns = 0;
        let outcome = poll_fn(|cx| {
            turns += 1;
            let mut found = None;
            running.poll(cx, |_, outcome| found = Some(outcome));
            found.map_or(Poll::Pending, Poll::Ready)
        });
        assert_eq!((outcome.await, turns), (Ok(5), 5));
    }

    #[tokio::test]
    async fn a_panic_is_an_outcome() {
        struct Bomb;
        impl Drop for Bomb {
            fn drop(&mut self) {
                panic!("on the way out");
            }
        }
        let mut running = Running::new();
        running.insert(Box::pin(async { panic!("at work") }), 'a');
        assert_eq!(next(&mut running).await, ('a', Err("at work".to_owned())));
        let bomb = Bomb;
        running.insert(
            Box::pin(async move {
                let _bomb = &bomb;
                std::future::pending().await
            }),
            'b',
        );
        let dropped = running.drop_if(|_| true);
        assert_eq!(dropped, [('b', Err("on the way out".to_owned()))]);
    }
}
