//! The work of one life that is under way: a plain collection, without lock or runtime.
//!
//! Entering and leaving take constant time, and so does the question whether any work of a kind is left.
//!
//! Invariants:
//! 1. A record's `place` is where it is in `work`.
//! 2. `counts` has, for each kind there has ever been, how many of `work` are of it.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::record::Record;
use crate::status::TaskKind;

/// Room for fewer is never given back.
const SMALL: usize = 64;

/// The work under way.
#[derive(Debug, Default)]
pub(super) struct Live {
    work: Vec<Arc<Record>>,
    counts: Vec<(TaskKind, usize)>,
    entered: u64,
    latest_name: Option<Arc<str>>,
    /// Refuses what is asked for from outside the daemon.
    pub(super) sealed: bool,
    /// Refuses everything, until [`relented`](super::Tasks::relent).
    pub(super) aborting: bool,
    /// Refuses everything, for good.
    pub(super) closed: bool,
}

impl Live {
    pub(super) fn refuses(&self, kind: TaskKind) -> bool {
        self.is_shut() || (self.sealed && matches!(kind, TaskKind::Command | TaskKind::Check | TaskKind::Reload))
    }

    /// Whether work that had entered before is aborted, too.
    pub(super) fn is_shut(&self) -> bool {
        self.closed || self.aborting
    }

    /// A name to keep. Work that is started over and over under one name shares it.
    pub(super) fn name(&mut self, name: &str) -> Arc<str> {
        match &self.latest_name {
            Some(latest) if **latest == *name => latest.clone(),
            _ => self.latest_name.insert(name.into()).clone(),
        }
    }

    /// The number of the next piece of work.
    pub(super) fn next_number(&mut self) -> u64 {
        self.entered += 1;
        self.entered
    }

    pub(super) fn enter(&mut self, record: Arc<Record>) {
        match self.counts.iter_mut().find(|(kind, _)| *kind == record.kind) {
            Some((_, count)) => *count += 1,
            None => self.counts.push((record.kind, 1)),
        }
        place(&record, self.work.len());
        self.work.push(record);
    }

    /// Takes `record` out; returns whether it was the last of its kind.
    pub(super) fn leave(&mut self, record: &Record) -> bool {
        let at = record.place.load(Ordering::Relaxed) as usize;
        self.work.swap_remove(at);
        if let Some(moved) = self.work.get(at) {
            place(moved, at);
        }
        if self.work.len() < self.work.capacity() / 4 && self.work.capacity() > SMALL {
            self.work.shrink_to(self.work.capacity() / 2);
        }
        let count = self.counts.iter_mut().find(|(kind, _)| *kind == record.kind);
        count.is_none_or(|(_, count)| {
            *count -= 1;
            *count == 0
        })
    }

    /// Whether there is any work of the kinds that `of` picks.
    pub(super) fn any(&self, of: impl Fn(TaskKind) -> bool) -> bool {
        self.counts.iter().any(|(kind, count)| *count > 0 && of(*kind))
    }

    pub(super) fn has(&self, record: &Arc<Record>) -> bool {
        let at = record.place.load(Ordering::Relaxed) as usize;
        self.work.get(at).is_some_and(|here| Arc::ptr_eq(here, record))
    }

    /// The work that a thread polls right now; what may block is not meant.
    pub(super) fn polled(&self) -> Vec<Arc<Record>> {
        let polled = |record: &&Arc<Record>| record.is_polled() && record.kind != TaskKind::Blocking;
        self.work.iter().filter(polled).cloned().collect()
    }

    /// The work of the kinds that `of` picks, in the order in which it was started.
    pub(super) fn pick(&self, of: impl Fn(TaskKind) -> bool) -> Vec<Arc<Record>> {
        let mut picked: Vec<_> = self.work.iter().filter(|record| of(record.kind)).cloned().collect();
        picked.sort_unstable_by_key(|record| record.number);
        picked
    }
}

/// There is no memory for more places than fit.
fn place(record: &Record, at: usize) {
    record.place.store(u32::try_from(at).unwrap_or(u32::MAX), Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::panic::Location;

    fn enter(live: &mut Live, kind: TaskKind, name: &str) -> Arc<Record> {
        let (name, number) = (live.name(name), live.next_number());
        let record: Arc<Record> = Arc::new(Record::new(name, kind, Location::caller(), number, ()));
        live.enter(record.clone());
        record
    }

    #[test]
    fn what_leaves_in_any_order_leaves_the_rest_and_exact_counts() {
        let mut live = Live::default();
        let kinds = [TaskKind::Task, TaskKind::Interval];
        let mut all: Vec<_> = (0..1_000).map(|n| enter(&mut live, kinds[n % 2], "work")).collect();
        // A fixed order that touches the front, the back and the middle.
        while !all.is_empty() {
            let record = all.remove(all.len() * 7 / 11);
            assert!(live.has(&record));
            let last = !all.iter().any(|other| other.kind == record.kind);
            assert_eq!(live.leave(&record), last);
            assert!(!live.has(&record));
            assert!(all.iter().all(|other| live.has(other)));
            for kind in kinds {
                assert_eq!(live.any(|of| of == kind), all.iter().any(|other| other.kind == kind));
            }
        }
        assert!(!live.any(|_| true) && live.pick(|_| true).is_empty());
        assert!(live.work.capacity() <= SMALL, "room for {} is kept", live.work.capacity());
    }

    #[test]
    fn work_is_shown_in_the_order_of_its_start() {
        let mut live = Live::default();
        let all: Vec<_> = ["a", "b", "c", "d"].map(|name| enter(&mut live, TaskKind::Task, name)).into();
        live.leave(&all[0]);
        enter(&mut live, TaskKind::Task, "e");
        let names: Vec<_> = live.pick(|_| true).iter().map(|record| record.name.to_string()).collect();
        assert_eq!(names, ["b", "c", "d", "e"]);
    }

    #[test]
    fn one_name_used_over_and_over_is_kept_once() {
        let mut live = Live::default();
        let (first, second) = (live.name("unit"), live.name("unit"));
        assert!(Arc::ptr_eq(&first, &second));
        assert_eq!((&*live.name("other"), &*live.name("unit")), ("other", "unit"));
    }
}
