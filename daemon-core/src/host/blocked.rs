//! Which work blocks a worker while the host runs: a decision of what was seen at one look and at the next, without clock
//! or I/O.
//!
//! A worker that neither slept nor said how long it had been at work since the look before is stuck in something. Only then is
//! it asked what is being polled, so that looking costs next to nothing while all is well.

use std::time::Duration;

use tokio::time::Instant;

use crate::status::BlockedWork;

/// What a worker shows of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Worker {
    /// How often it fell asleep or woke; odd while it sleeps.
    pub(super) naps: u64,
    /// How long it has been at work in all, as it last said: between two of its rounds.
    pub(super) busy: Duration,
}

impl Worker {
    fn is_asleep(self) -> bool {
        !self.naps.is_multiple_of(2)
    }
}

/// One poll: the life whose work it is, the number of the work there, and how often that had been polled.
pub(super) type Poll = (u64, u64, u64);

/// Work that is being polled.
#[derive(Clone, Debug)]
pub(super) struct Polled {
    pub(super) poll: Poll,
    pub(super) work: BlockedWork,
}

/// What there is to tell.
#[derive(Clone, Debug)]
pub(super) enum Word {
    /// This work blocks a worker.
    Blocks(BlockedWork),
    /// It no longer does, having blocked it for as long as it was seen to, or up to `at_most`.
    Ended { work: BlockedWork, at_most: Duration },
    /// So many workers are blocked by something that was not spawned through the host.
    Unknown { workers: usize },
    /// They no longer are.
    UnknownEnded,
    /// All workers are blocked: nothing else runs.
    All { workers: usize },
}

/// Work that has been told of.
#[derive(Debug)]
struct Told {
    poll: Poll,
    work: BlockedWork,
    since: Instant,
}

/// What was seen at the look before, and what has been told of.
#[derive(Debug)]
pub(super) struct Watch {
    limit: Duration,
    at: Instant,
    workers: Vec<Worker>,
    told: Vec<Told>,
    unknown: usize,
    all: bool,
    /// How many workers were stuck at the look before.
    stuck: usize,
}

impl Watch {
    /// A watch that tells of whatever blocks a worker for `limit`.
    pub(super) fn new(limit: Duration, now: Instant) -> Self {
        Self { limit, at: now, workers: Vec::new(), told: Vec::new(), unknown: 0, all: false, stuck: 0 }
    }

    /// Begins to look, or begins anew after a time without looks.
    pub(super) fn begin(&mut self, now: Instant, workers: Vec<Worker>) {
        self.at = now;
        self.workers = workers;
    }

    /// How many workers are blocked by what was not spawned through the host, as far as told.
    pub(super) fn unknown(&self) -> usize {
        self.unknown
    }

    /// Whether a worker was stuck at the latest look.
    pub(super) fn is_stuck(&self) -> bool {
        self.stuck > 0
    }

    /// Looks at the workers, and, if one is stuck, at what is `polled` for that long and for less.
    pub(super) fn look(
        &mut self,
        now: Instant,
        workers: Vec<Worker>,
        polled: impl FnOnce() -> Vec<Polled>,
    ) -> Vec<Word> {
        // A look that comes this late tells that the whole process did not run, and nothing of its workers.
        let late = now.saturating_duration_since(self.at) > self.limit * 2;
        let (stuck, total) = (if late { 0 } else { self.stuck(&workers) }, workers.len());
        self.begin(now, workers);
        self.stuck = stuck;
        if late {
            return Vec::new();
        }
        let polled = if stuck > 0 { polled() } else { Vec::new() };
        let mut words = self.ended(now, &polled);
        for Polled { poll, work } in &polled {
            if work.blocked >= self.limit && !self.told.iter().any(|told| told.poll == *poll) {
                let since = now.checked_sub(work.blocked).unwrap_or(now);
                self.told.push(Told { poll: *poll, work: work.clone(), since });
                words.push(Word::Blocks(work.clone()));
            }
        }
        words.extend(self.beyond(stuck, polled.len()));
        let all = stuck == total && self.told.len() + self.unknown >= total;
        if all && !self.all {
            words.push(Word::All { workers: total });
        }
        self.all = all;
        words
    }

    /// How many workers have been in one thing since the look before.
    fn stuck(&self, workers: &[Worker]) -> usize {
        let pairs = self.workers.iter().zip(workers);
        pairs.filter(|(before, now)| before == now && !now.is_asleep()).count()
    }

    /// Forgets, and tells, what is no longer polled.
    fn ended(&mut self, now: Instant, polled: &[Polled]) -> Vec<Word> {
        let mut words = Vec::new();
        self.told.retain_mut(|told| {
            let still = polled.iter().find(|polled| polled.poll == told.poll);
            match still {
                Some(still) => told.work.blocked = still.work.blocked,
                None => {
                    let at_most = now.saturating_duration_since(told.since);
                    words.push(Word::Ended { work: told.work.clone(), at_most });
                }
            }
            still.is_some()
        });
        words
    }

    /// Counts the stuck workers that no polled work accounts for.
    fn beyond(&mut self, stuck: usize, polled: usize) -> Option<Word> {
        if stuck <= self.told.len() {
            return (std::mem::take(&mut self.unknown) > 0).then_some(Word::UnknownEnded);
        }
        let unknown = stuck.saturating_sub(polled);
        if unknown <= self.unknown {
            return None; // what is polled just now may be on another worker
        }
        self.unknown = unknown;
        Some(Word::Unknown { workers: unknown })
    }
}

#[cfg(test)]
mod tests;
