//! The work of a life: what is spawned while everything is aborted, who waits for its end, and the place of its result.

use std::sync::atomic::AtomicUsize;

use super::*;
use crate::status::TaskKind;
use crate::task::{Answer, End, Label, Owner, Tasks};

/// A runtime that runs nothing until it is told to, and nothing of what a model is about.
fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().build().unwrap()
}

/// Lets the runtime do what it has been asked for.
pub(super) fn drive(runtime: &tokio::runtime::Runtime) {
    runtime.block_on(async {
        for _ in 0..8 {
            tokio::task::yield_now().await;
        }
    });
}

/// Work is spawned by one thread and all is aborted by another: it is refused or aborted, and never left running.
///
/// Caught: work that does not look, once it can be aborted, whether all is.
#[test]
fn nothing_slips_through_an_abort() {
    explore(|| {
        let runtime = runtime();
        let tasks = Tasks::new(runtime.handle().clone(), Owner::nobody());
        let spawning = tasks.clone();
        let other = thread::spawn(move || {
            drop(spawning.spawn(Label::new(TaskKind::Task, "first"), std::future::pending()));
            drop(spawning.spawn(Label::new(TaskKind::Task, "second"), std::future::pending()));
        });
        drop(tasks.abort_all());
        other.join().unwrap();
        drive(&runtime);
        assert!(tasks.statuses().is_empty(), "{:?}", tasks.statuses());
    });
}

/// As [`nothing_slips_through_an_abort`], for good, and beside the work that ends by itself.
///
/// Caught: the same, and an end that is forgotten once work is taken again for `cleanup`.
#[test]
fn nothing_slips_through_the_end() {
    explore(|| {
        let runtime = runtime();
        let tasks = Tasks::new(runtime.handle().clone(), Owner::nobody());
        let spawning = tasks.clone();
        let other = thread::spawn(move || {
            drop(spawning.spawn(Label::new(TaskKind::Task, "hangs"), std::future::pending()));
            drop(spawning.spawn(Label::new(TaskKind::Task, "ends"), async {}));
        });
        tasks.relent();
        tasks.close();
        tasks.relent();
        other.join().unwrap();
        assert!(tasks.spawn(Label::new(TaskKind::Task, "late"), async {}).is_none());
        drive(&runtime);
        assert!(tasks.statuses().is_empty(), "{:?}", tasks.statuses());
    });
}

/// The last work ends while somebody waits for that, and other work begins and ends meanwhile.
///
/// Caught: one who waits from after it has looked whether any work is left, and work that tells of its end before it has left.
#[test]
fn who_waits_for_the_last_work_hears_of_its_end() {
    explore(|| {
        let runtime = runtime();
        let tasks = Tasks::new(runtime.handle().clone(), Owner::nobody());
        drop(tasks.spawn(Label::new(TaskKind::Task, "first"), async {}));
        let spawning = tasks.clone();
        let other = thread::spawn(move || {
            drop(spawning.spawn(Label::new(TaskKind::Task, "second"), async {}));
            drive(&runtime);
        });
        block_on(tasks.idle(&|_| true));
        other.join().unwrap();
    });
}

/// A value that counts how often it is dropped.
struct Value(Arc<AtomicUsize>);

impl Drop for Value {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// A place for a value, and the count of its drops.
fn answer() -> (Arc<Answer<Value>>, Value, Arc<AtomicUsize>) {
    let dropped = Arc::new(AtomicUsize::new(0));
    (Arc::default(), Value(dropped.clone()), dropped)
}

/// Work gives its result and is gone; who waits gets it.
///
/// Caught: a waker left under another lock than that under which no result was found.
#[test]
fn a_result_reaches_who_waits() {
    explore(|| {
        let (answer, value, dropped) = answer();
        let giver = answer.clone();
        let other = thread::spawn(move || {
            drop(giver.give(value));
            giver.gone();
        });
        let result = block_on(std::future::poll_fn(|cx| answer.poll(cx)));
        assert!(result.is_some());
        other.join().unwrap();
        drop(result);
        assert_eq!(dropped.load(Ordering::Relaxed), 1);
    });
}

/// Work is aborted; who waits hears of it.
///
/// Caught: the same, and an end that wakes nobody.
#[test]
fn who_waits_for_work_that_is_aborted_hears_of_its_end() {
    explore(|| {
        let (answer, ..) = answer();
        let gone = answer.clone();
        let other = thread::spawn(move || gone.gone());
        assert!(block_on(std::future::poll_fn(|cx| answer.poll(cx))).is_none());
        other.join().unwrap();
    });
}

/// Nobody wants the result any more while it is given: it is dropped once, at once.
///
/// Caught: a place that takes a result though it was given up before.
#[test]
fn a_result_that_nobody_wants_is_dropped_at_once() {
    explore(|| {
        let (answer, value, dropped) = answer();
        let giver = answer.clone();
        let other = thread::spawn(move || {
            drop(giver.give(value));
            giver.gone();
        });
        once(std::future::poll_fn(|cx| answer.poll(cx)));
        answer.abandon();
        other.join().unwrap();
        assert_eq!(dropped.load(Ordering::Relaxed), 1);
    });
}
