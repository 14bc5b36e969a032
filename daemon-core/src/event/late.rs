//! What a subscription that is late begins with: the retained events that it did not get from their publishers.
//!
//! Under the lock of the shelf it is found what these are, and from which moment on everything comes from publishers. Then the
//! subscription's gates are asked, without a lock, and what passes takes its place before what has come since. All this is over
//! before a consumer begins.

use super::after::After;
use super::event::{AnyEvent, discard};
use super::gate::Verdict;
use super::key::Hashed;
use super::mailbox::Mailbox;
use super::receipt::Tracked;
use super::registry::Interest;
use super::retained::{Kept, Shelf};
use super::state::{Phase, State, drop_entry};
use super::store::{Entry, Put};
use rustc_hash::FxHashSet;
use std::sync::Arc;

/// A retained event for one subscription.
#[derive(Debug)]
struct Late {
    to: u32,
    lane: u32,
    kept: Kept,
}

/// The retained events that the subscriptions of one mailbox are to begin with.
#[must_use]
#[derive(Debug, Default)]
pub(crate) struct Beginning {
    all: Vec<Late>,
    /// The place of the first kept event that came later.
    boundary: i64,
}

/// What is on the shelf for some lanes, in the order in which it was published.
pub(crate) fn find(shelf: &Shelf, lanes: &[Interest]) -> Vec<(u32, Kept)> {
    let mut all = Vec::new();
    for Interest { topic, route } in lanes.iter().filter(|interest| !interest.route.is_tap) {
        let found = shelf.find(topic, route.takes).into_iter();
        all.extend(found.map(|kept| (route.lane, kept)));
    }
    all.sort_by_key(|(lane, kept)| (kept.number, *lane));
    all
}

impl Mailbox {
    /// Notes what the subscriptions of a new mailbox, which nobody knows yet, are to begin with.
    pub(crate) fn begin(&self, found: Vec<(u32, Kept)>, lanes: &[Interest]) -> Beginning {
        if found.is_empty() { Beginning::default() } else { self.lock().begin(found, lanes, |_, _| true) }
    }

    /// As [`Mailbox::begin`], for another life: without what is kept for it already and, unless it is that of another value, what it has
    /// not missed.
    pub(crate) fn begin_again(&self, found: Vec<(u32, Kept)>, lanes: &[Interest], anew: bool) -> Beginning {
        let mut state = self.lock();
        let missed = std::mem::take(&mut state.missed);
        state.begin(found, lanes, |to, number| anew || missed.has(to, number))
    }

    /// Whether its subscriber has seen every retained event that came since it began to keep events, or has it queued.
    pub(crate) fn has_missed_nothing(&self) -> bool {
        self.lock().missed.is_none()
    }

    /// Notes which of these events, abandoned while they were queued, are the last of their topics: those that are `found`.
    pub(crate) fn missed(&self, abandoned: &[(u32, AnyEvent)], found: &[(u32, Kept)], lanes: &[Interest]) {
        let queued: FxHashSet<_> = abandoned.iter().map(|(to, event)| (*to, address(Tracked::inside(event)))).collect();
        let mut state = self.lock();
        let State { lanes: all, missed, .. } = &mut *state;
        for (lane, kept) in found {
            let address = address(kept.as_taken(lanes[*lane as usize].route.takes));
            let subscriptions = all[*lane as usize].subscriptions.clone();
            let lost = subscriptions.filter(|to| queued.contains(&(*to, address)));
            missed.queued.extend(lost.map(|to| (to, kept.number)));
        }
    }
}

impl Beginning {
    /// Asks the gates, and gives the mailbox what passes. Call without locks.
    pub(crate) fn hand_over(self, mailbox: &Mailbox, lanes: &[Interest]) {
        if self.all.is_empty() {
            return;
        }
        let judge = |late: &Late| {
            let Interest { route, .. } = &lanes[late.lane as usize];
            match (&route.gate, late.kept.source()) {
                (Some(gate), Some(source)) => {
                    gate.judge(source.topic(), late.kept.as_taken(route.takes), source.publisher())
                }
                _ => Verdict::Passes,
            }
        };
        let verdicts: Vec<_> = self.all.iter().map(judge).collect();
        let mut after = After::default();
        let mut state = mailbox.lock();
        for (late, verdict) in self.all.iter().zip(verdicts) {
            let key = match verdict {
                Verdict::Passes => 0,
                Verdict::PassesAs(key) => key,
                Verdict::TurnsAway => continue,
                Verdict::Panicked => {
                    let account = &mut state.accounts[late.to as usize];
                    account.offered += 1;
                    account.unasked += 1;
                    continue;
                }
            };
            let event = late.kept.as_queued(lanes[late.lane as usize].route.takes);
            state.slip_in(late.to, event, key, self.boundary, &mut after);
        }
        drop(state);
        after.run();
        for Kept { event, envelope, .. } in self.all.into_iter().map(|late| late.kept) {
            discard(event);
            discard(envelope);
        }
    }
}

impl State {
    fn begin(&mut self, found: Vec<(u32, Kept)>, lanes: &[Interest], wants: impl Fn(u32, u64) -> bool) -> Beginning {
        let known = self.known();
        let mut all = Vec::new();
        for (lane, kept) in found {
            let address = address(kept.as_taken(lanes[lane as usize].route.takes));
            let is_new = |to: &u32| !known.contains(&(*to, address)) && wants(*to, kept.number);
            let new = self.lanes[lane as usize].subscriptions.clone().filter(is_new);
            all.extend(new.map(|to| Late { to, lane, kept: kept.clone() }));
        }
        Beginning { all, boundary: self.boundary }
    }

    /// The events that are kept, by the subscriptions they are for.
    fn known(&self) -> FxHashSet<(u32, usize)> {
        let kept = self.queues.iter().flat_map(|queue| queue.early.iter());
        kept.map(|entry| (entry.to, address(Tracked::inside(&entry.event)))).collect()
    }

    /// Offers an event to a subscription whose consumer has not begun, whatever its bounds, before what came later. The event is not
    /// the last reference to what the user made.
    fn slip_in(&mut self, to: u32, event: AnyEvent, key: Hashed, boundary: i64, after: &mut After) {
        let account = &mut self.accounts[to as usize];
        account.offered += 1;
        if self.phase.stops() {
            account.abandoned += 1;
            return;
        }
        let queue = &mut self.queues[account.queue as usize];
        let store = if self.phase == Phase::Running {
            &mut queue.own
        } else {
            queue.kept += 1;
            &mut queue.early
        };
        // just below the boundary, where nothing else is
        let entry = Entry { to, order: boundary - 1, event };
        if let Put::Replaced(older) | Put::Evicted(older) = store.slip_in(entry, key, boundary) {
            drop_entry(&mut self.accounts, older, after);
        }
    }
}

fn address(event: &AnyEvent) -> usize {
    Arc::as_ptr(event).cast::<()>().addr()
}
