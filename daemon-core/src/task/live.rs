//! The work of one life that is under way: a plain collection, without lock or runtime.
//!
//! Entering and leaving take constant time, and so does the question whether any work of a kind is left.
//!
//! Invariants:
//! 1. A record's `place` is where it is in `work`.
//! 2. `counts` has, for each kind there has ever been, how many of `work` are of it.

use std::panic::Location;
use std::sync::Arc;

use tokio::task::AbortHandle;

use super::places::Places;
use super::record::{Birth, End, Origin, Record};
use super::tasks::{Label, Tasks};
use crate::status::TaskKind;

/// A piece of work under way, and how it is aborted once it has been spawned.
#[derive(Clone, Debug)]
pub(super) struct Member {
    pub(super) record: Arc<Record>,
    pub(super) abort: Option<AbortHandle>,
}

/// The work under way.
#[derive(Debug, Default)]
pub(super) struct Live {
    work: Places<Member>,
    counts: Vec<(TaskKind, usize)>,
    entered: u64,
    /// Where the latest came from: work that is started over and over under one name shares it.
    latest: Option<Arc<Origin>>,
    /// Refuses what is asked for from outside the daemon.
    pub(super) sealed: bool,
    /// Refuses everything, until [`relented`](super::Tasks::relent).
    pub(super) aborting: bool,
    /// The number of the last work that is aborted, also if it is spawned only after that.
    aborted: u64,
    /// Refuses everything, for good.
    pub(super) closed: bool,
}

impl Live {
    pub(super) fn refuses(&self, kind: TaskKind) -> bool {
        self.is_shut() || (self.sealed && matches!(kind, TaskKind::Command | TaskKind::Check | TaskKind::Reload))
    }

    fn is_shut(&self) -> bool {
        self.closed || self.aborting
    }

    /// All that has entered so far is aborted.
    pub(super) fn abort(&mut self) -> Vec<Member> {
        self.aborted = self.entered;
        self.pick(|_| true)
    }

    /// Takes a piece of work in.
    pub(super) fn enter<E: End + 'static>(&mut self, tasks: &Arc<Tasks>, label: Label<'_>, end: E) -> Arc<Record<E>> {
        let Label { kind, name, at } = label;
        match self.counts.iter_mut().find(|(other, _)| *other == kind) {
            Some((_, count)) => *count += 1,
            None => self.counts.push((kind, 1)),
        }
        self.entered += 1;
        let (origin, number) = (self.origin(name, at), self.entered);
        self.work.take(|place| {
            let record = Arc::new(Record::new(tasks.clone(), origin, Birth { kind, number, place }, end));
            (Member { record: record.clone(), abort: None }, record)
        })
    }

    fn origin(&mut self, name: &str, at: &'static Location<'static>) -> Arc<Origin> {
        match &self.latest {
            Some(latest) if latest.name.is(name) && latest.at == at => latest.clone(),
            _ => self.latest.insert(Arc::new(Origin { name: name.into(), at })).clone(),
        }
    }

    /// Books how `record` is aborted, if it is still there; returns whether it is to be.
    pub(super) fn attach<E: ?Sized>(&mut self, record: &Record<E>, abort: &AbortHandle) -> bool {
        if let Some(member) = self.work.at_mut(record.place).filter(|member| member.record.number == record.number) {
            member.abort = Some(abort.clone());
        }
        record.number <= self.aborted
    }

    /// Lets `record` go; who was there, to be dropped, and whether it was the last of its kind.
    pub(super) fn leave(&mut self, record: &Record) -> (Option<Member>, bool) {
        let left = self.work.leave(record.place);
        let count = self.counts.iter_mut().find(|(kind, _)| *kind == record.kind());
        let was_last = count.is_none_or(|(_, count)| {
            *count -= 1;
            *count == 0
        });
        (left, was_last)
    }

    /// Whether there is any work of the kinds that `of` picks.
    pub(super) fn any(&self, of: impl Fn(TaskKind) -> bool) -> bool {
        self.counts.iter().any(|(kind, count)| *count > 0 && of(*kind))
    }

    pub(super) fn has(&self, record: &Arc<Record>) -> bool {
        self.work.at(record.place).is_some_and(|here| Arc::ptr_eq(&here.record, record))
    }

    /// Whether there is work of that number.
    pub(super) fn has_number(&self, number: u64) -> bool {
        self.work.iter().any(|member| member.record.number == number)
    }

    /// The work that `of` picks, in the order in which it was started.
    pub(super) fn pick(&self, of: impl Fn(&Record) -> bool) -> Vec<Member> {
        let mut picked: Vec<_> = self.work.iter().filter(|member| of(&member.record)).cloned().collect();
        picked.sort_unstable_by_key(|member| member.record.number);
        picked
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::Owner;

    /// A collection, and the registry that its work names.
    fn live() -> (Live, Arc<Tasks>) {
        (Live::default(), Tasks::new(tokio::runtime::Handle::current(), Owner::nobody()))
    }

    #[tokio::test]
    async fn what_leaves_in_any_order_leaves_the_rest_and_exact_counts() {
        let (mut live, tasks) = live();
        let kinds = [TaskKind::Task, TaskKind::Interval];
        let mut enter = |n: usize| -> Arc<Record> { live.enter(&tasks, Label::new(kinds[n % 2], "work"), ()) };
        let mut all: Vec<_> = (0..1_000).map(&mut enter).collect();
        // A fixed order that touches the front, the back and the middle.
        while !all.is_empty() {
            let record = all.remove(all.len() * 7 / 11);
            assert!(live.has(&record));
            let last = !all.iter().any(|other| other.kind() == record.kind());
            assert_eq!(live.leave(&record).1, last);
            assert!(!live.has(&record));
            assert!(all.iter().all(|other| live.has(other)));
            for kind in kinds {
                assert_eq!(live.any(|of| of == kind), all.iter().any(|other| other.kind() == kind));
            }
        }
        assert!(!live.any(|_| true) && live.pick(|_| true).is_empty());
    }

    #[tokio::test]
    async fn work_is_shown_in_the_order_of_its_start() {
        let (mut live, tasks) = live();
        let mut enter = |name| live.enter(&tasks, Label::new(TaskKind::Task, name), ());
        let first = ["a", "b", "c", "d"].map(&mut enter)[0].clone();
        live.leave(&*first);
        live.enter(&tasks, Label::new(TaskKind::Task, "e"), ());
        let names: Vec<_> = live.pick(|_| true).iter().map(|member| member.record.name().to_owned()).collect();
        assert_eq!(names, ["b", "c", "d", "e"]);
    }

    #[tokio::test]
    async fn one_name_used_over_and_over_is_kept_once() {
        let (mut live, _) = live();
        let here = Location::caller();
        let (first, second) = (live.origin("unit", here), live.origin("unit", here));
        assert!(Arc::ptr_eq(&first, &second));
        assert_eq!((&*live.origin("other", here).name, &*live.origin("unit", here).name), ("other", "unit"));
        assert_ne!(live.origin("unit", Location::caller()).at, here);
    }
}
