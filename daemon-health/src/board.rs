//! All checks of a checker, as data: what they answered, which calls are under way, which are in line to be polled, and when they are given
//! up. Pure: no clock, no user code, and no lock but the one that is around it.
//!
//! Invariants:
//! 1. Names are unique.
//! 2. Of one check at most one call is under way. Who asks meanwhile joins it.
//! 3. A call has one answer: what it returned, or, once its time is up, that there was none. What comes later does not count.
//! 4. A future is with one hand at a time. While one blocks its thread though its time is up, its check is not called again, so that
//!    it blocks one thread and no more.
//! 5. What users wrote is neither called nor dropped here: it is handed out, to be called and dropped where no lock is held.

use crate::{
    HealthQuery, Verdict,
    entry::{Asking, Change, Entry, Running},
};
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, BinaryHeap, VecDeque},
    mem,
    sync::Arc,
    task::Waker,
};
use tokio::time::Instant;

#[cfg(test)]
mod tests;

/// Where an entry is. Used again once that is over.
pub(crate) type Place = usize;

/// All checks of a checker.
#[derive(Default)]
pub(crate) struct Board {
    entries: Vec<Option<Entry>>,
    free: Vec<Place>,
    names: BTreeMap<Arc<str>, Place>,
    /// How many were unregistered so far.
    epoch: u64,
    /// How many questions there are from each epoch.
    questions: BTreeMap<u64, usize>,
    /// Those that are kept for questions of their epoch and before.
    kept: VecDeque<(u64, Place)>,
    /// When those that are asked in the background are looked at.
    plan: BTreeSet<(Instant, Place)>,
    /// The number of the last call, or hand.
    number: u64,
    under_way: usize,
    /// Those in line to be polled.
    ready: VecDeque<Place>,
    /// When calls are given up; some may have their answer.
    deadlines: BinaryHeap<Reverse<(Instant, u64, Place)>>,
    hand: Option<Hand>,
    /// Whether somebody looks that calls are given up, and a hand that is blocked is relieved.
    pub(crate) is_watched: bool,
}

/// Who polls now.
struct Hand {
    number: u64,
    /// How many it was given to poll.
    polls: u64,
    state: Polling,
}

enum Polling {
    /// It is on its way to poll.
    Coming,
    /// It is in a poll.
    Busy,
    /// There is nothing to poll.
    Asleep(Waker),
}

/// Which checks somebody wants to tell of.
pub(crate) struct Question {
    epoch: u64,
    pub(crate) places: Vec<Place>,
}

/// What a call waits for.
#[derive(Clone, Copy)]
pub(crate) struct Awaited {
    place: Place,
    number: u64,
    pub(crate) until: Instant,
}

/// A future to be polled.
pub(crate) struct Work {
    pub(crate) place: Place,
    pub(crate) number: u64,
    pub(crate) asking: Asking,
    pub(crate) waker: Waker,
}

/// A future that was polled: it goes on, or here is its answer and when it came.
pub(crate) struct Polled {
    pub(crate) place: Place,
    pub(crate) number: u64,
    pub(crate) waker: Waker,
    pub(crate) came_to: Result<Asking, (Verdict, Instant)>,
}

/// What is to be done where no lock is held: user code is called, woken, or dropped.
#[derive(Default)]
pub(crate) struct After {
    pub(crate) changes: Vec<Change>,
    pub(crate) wake: Vec<Waker>,
    pub(crate) drop: Vec<Gone>,
    /// Whether something is to be asked in the background sooner than was said.
    pub(crate) is_sooner: bool,
}

/// What nobody needs any more. It is kept only to be dropped.
pub(crate) enum Gone {
    Running(#[expect(dead_code, reason = "it is dropped")] Running),
    Entry(#[expect(dead_code, reason = "it is dropped")] Box<Entry>),
}

impl After {
    pub(crate) fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.wake.is_empty() && self.drop.is_empty() && !self.is_sooner
    }
}

/// What a hand does next.
pub(crate) enum Step {
    Poll(Work),
    /// Not to poll, but this.
    Do(After),
    Sleep,
    /// Nothing is under way, or another hand has taken over.
    End,
}

impl Board {
    /// Adds a check, to be asked in the background from now on; `false` if there is one of its name.
    pub(crate) fn register(&mut self, mut entry: Entry, now: Instant, waker: impl FnOnce(Place) -> Waker) -> bool {
        if self.names.contains_key(&entry.name) {
            return false;
        }
        let place = self.free.pop().unwrap_or_else(|| {
            self.entries.push(None);
            self.entries.len() - 1
        });
        entry.waker = Some(waker(place));
        self.names.insert(entry.name.clone(), place);
        self.entries[place] = Some(entry);
        self.plan(place, now);
        true
    }

    /// Removes a check; `false` if there is none of that name.
    pub(crate) fn unregister(&mut self, name: &str, after: &mut After) -> bool {
        let Some(place) = self.names.remove(name) else { return false };
        if let Some(entry) = self.at(place) {
            (entry.is_registered, entry.is_kept) = (false, true);
            if let Some(at) = entry.planned.take() {
                self.plan.remove(&(at, place));
            }
        }
        self.kept.push_back((self.epoch, place));
        self.epoch += 1;
        self.clear_kept(after);
        true
    }

    /// Lets go of those that no question is left of that may want to tell of them.
    fn clear_kept(&mut self, after: &mut After) {
        let oldest = self.questions.keys().next().copied();
        while let Some((epoch, place)) = self.kept.front().copied() {
            if oldest.is_some_and(|oldest| oldest <= epoch) {
                return;
            }
            self.kept.pop_front();
            if let Some(entry) = self.at(place) {
                entry.is_kept = false;
            }
            self.clear_away(place, after);
        }
    }

    /// Removes all checks.
    pub(crate) fn unregister_all(&mut self, after: &mut After) {
        while let Some(name) = self.names.keys().next().cloned() {
            self.unregister(&name, after);
        }
    }

    /// The registered checks, by name.
    pub(crate) fn registered(&self) -> impl Iterator<Item = &Entry> {
        self.names.values().filter_map(|place| self.entries[*place].as_ref())
    }

    /// The checks that a query picks, by name. They are kept until the question is [over](Self::let_go).
    pub(crate) fn pick(&mut self, query: &HealthQuery) -> Question {
        *self.questions.entry(self.epoch).or_default() += 1;
        let picks = |place: &Place| self.entries[*place].as_ref().is_some_and(|entry| query.picks(&entry.options));
        let mut places = Vec::with_capacity(self.names.len());
        places.extend(self.names.values().copied().filter(|place| query.is_all() || picks(place)));
        Question { epoch: self.epoch, places }
    }

    /// The checks that a question is about.
    pub(crate) fn picked(&self, question: &Question) -> impl Iterator<Item = &Entry> {
        question.places.iter().filter_map(|place| self.entries[*place].as_ref())
    }

    /// Ends a question.
    pub(crate) fn let_go(&mut self, question: &Question, after: &mut After) {
        if let Some(count) = self.questions.get_mut(&question.epoch) {
            *count -= 1;
            if *count == 0 {
                self.questions.remove(&question.epoch);
            }
        }
        self.clear_kept(after);
    }

    /// Asks those of a question that are to be asked. What has to be waited for is returned.
    pub(crate) fn ask(
        &mut self,
        question: &Question,
        now: Instant,
        is_due: impl Fn(&Entry) -> bool,
        after: &mut After,
    ) -> Vec<Awaited> {
        let mut awaited = Vec::with_capacity(question.places.len());
        for place in &question.places {
            if self.at(*place).is_some_and(|entry| is_due(entry)) {
                awaited.extend(self.ask_one(*place, now, after));
            }
        }
        self.wake_hand(after);
        awaited
    }

    /// Asks those whose time in the background has come, and says when to look again.
    pub(crate) fn ask_planned(&mut self, now: Instant, after: &mut After) -> Option<Instant> {
        while let Some((at, place)) = self.plan.first().copied().filter(|(at, _)| *at <= now) {
            self.plan.remove(&(at, place));
            let Some(entry) = self.at(place) else { continue };
            entry.planned = None;
            if entry.due(now).is_some_and(|due| due <= now) {
                self.ask_one(place, now, after);
            }
            self.plan(place, now);
        }
        self.wake_hand(after);
        self.plan.first().map(|(at, _)| *at)
    }

    fn plan(&mut self, place: Place, now: Instant) {
        let Some(entry) = self.at(place) else { return };
        let due = entry.due(now);
        entry.planned = due;
        self.plan.extend(due.map(|due| (due, place)));
    }

    fn ask_one(&mut self, place: Place, now: Instant, after: &mut After) -> Option<Awaited> {
        let number = self.number + 1;
        let entry = self.at(place)?;
        if let Some(call) = &entry.call {
            return Some(Awaited { place, number: call.number, until: call.until });
        }
        if entry.blocks() {
            after.changes.extend(entry.could_not_be_asked(now));
            return None;
        }
        let until = entry.begin(number, now);
        self.number = number;
        self.under_way += 1;
        self.deadlines.push(Reverse((until, number, place)));
        self.queue(place);
        if self.deadlines.len() > 64 + 2 * self.under_way {
            self.forget_deadlines();
        }
        Some(Awaited { place, number, until })
    }

    /// Forgets when to give up what has been answered.
    fn forget_deadlines(&mut self) {
        let entries = &self.entries;
        self.deadlines.retain(|Reverse((_, number, place))| is_under_way(entries, *place, *number));
    }

    /// Puts a check in line to be polled.
    fn queue(&mut self, place: Place) {
        let Some(entry) = self.at(place) else { return };
        if entry.held {
            entry.again = true;
        } else if !mem::replace(&mut entry.queued, true) {
            self.ready.push_back(place);
        }
    }

    /// Puts a check in line whose future said that it can go on.
    pub(crate) fn woken(&mut self, place: Place) -> Option<Waker> {
        self.at(place)?.call.as_ref()?;
        self.queue(place);
        self.hand_to_wake()
    }

    fn hand_to_wake(&mut self) -> Option<Waker> {
        let hand = self.hand.as_mut().filter(|_| !self.ready.is_empty())?;
        match mem::replace(&mut hand.state, Polling::Coming) {
            Polling::Asleep(waker) => Some(waker),
            state => {
                hand.state = state;
                None
            }
        }
    }

    fn wake_hand(&mut self, after: &mut After) {
        after.wake.extend(self.hand_to_wake());
    }

    /// The number of a hand to come, if there is something to poll and none that does.
    pub(crate) fn needs_hand(&mut self) -> Option<u64> {
        (self.hand.is_none() && !self.ready.is_empty()).then(|| self.next_hand())
    }

    fn next_hand(&mut self) -> u64 {
        self.number += 1;
        self.hand = Some(Hand { number: self.number, polls: 0, state: Polling::Coming });
        self.number
    }

    /// The number of a hand to take over, if others wait while the one there is has been in the same poll since it was `seen`.
    pub(crate) fn relief(&mut self, seen: &mut Option<(u64, u64)>) -> Option<u64> {
        let hand = self.hand.as_ref().filter(|hand| matches!(hand.state, Polling::Busy));
        let now = hand.map(|hand| (hand.number, hand.polls));
        let is_stuck = now.is_some() && mem::replace(seen, now) == now;
        (is_stuck && !self.ready.is_empty()).then(|| self.next_hand())
    }

    /// Takes what a hand polled, and gives it what to do next.
    pub(crate) fn step(&mut self, number: u64, polled: Option<Polled>, asleep: &Waker) -> Step {
        let mut after = After::default();
        if let Some(polled) = polled {
            self.take_back(polled, &mut after);
        }
        let is_it = self.hand.as_ref().is_some_and(|hand| hand.number == number);
        if !is_it {
            // What it was held up by may be in line again, for the hand that took over.
            self.wake_hand(&mut after);
        }
        if !after.is_empty() {
            self.set(Polling::Coming, number);
            return Step::Do(after);
        }
        if !is_it {
            return Step::End;
        }
        while let Some(place) = self.ready.pop_front() {
            if let Some(work) = self.begin_poll(place, &mut after) {
                self.set(Polling::Busy, number);
                return Step::Poll(work);
            }
            if !after.is_empty() {
                return Step::Do(after);
            }
        }
        if self.under_way == 0 {
            self.hand = None;
            return Step::End;
        }
        self.set(Polling::Asleep(asleep.clone()), number);
        Step::Sleep
    }

    /// Takes what a hand polled that lets others run now.
    pub(crate) fn pause(&mut self, number: u64, polled: Option<Polled>) -> After {
        let mut after = After::default();
        if let Some(polled) = polled {
            self.take_back(polled, &mut after);
        }
        self.set(Polling::Coming, number);
        after
    }

    fn set(&mut self, state: Polling, number: u64) {
        if let Some(hand) = self.hand.as_mut().filter(|hand| hand.number == number) {
            hand.polls += u64::from(matches!(state, Polling::Busy));
            hand.state = state;
        }
    }

    fn begin_poll(&mut self, place: Place, after: &mut After) -> Option<Work> {
        let entry = self.at(place)?;
        entry.queued = false;
        if entry.held {
            entry.again = true;
            return None;
        }
        let wanted = entry.call.as_ref().map(|call| call.number);
        // One whose time is up makes place for the next.
        let late = entry.running.take_if(|running| Some(running.number) != wanted);
        after.drop.extend(late.map(Gone::Running));
        let Some(number) = wanted else {
            self.clear_away(place, after);
            return None;
        };
        if !after.drop.is_empty() {
            self.queue(place);
            return None;
        }
        let waker = entry.waker.take()?;
        entry.held = true;
        let asking = entry.running.take().map_or_else(|| entry.asking(), |running| running.asking);
        Some(Work { place, number, asking, waker })
    }

    fn take_back(&mut self, polled: Polled, after: &mut After) {
        let Polled { place, number, waker, came_to } = polled;
        let Some(entry) = self.at(place) else { return };
        (entry.waker, entry.held) = (Some(waker), false);
        let is_again = mem::take(&mut entry.again) && entry.call.is_some();
        let is_wanted = entry.call.as_ref().is_some_and(|call| call.number == number);
        match came_to {
            Ok(asking) if is_wanted => entry.running = Some(Running { number, asking }),
            Ok(asking) => after.drop.push(Gone::Running(Running { number, asking })),
            Err((verdict, at)) if is_wanted => self.end(place, Some(verdict), at, after),
            Err(_) => {}
        }
        if is_again {
            self.queue(place);
        }
        self.clear_away(place, after);
    }

    /// Books the end of the call under way of a check.
    fn end(&mut self, place: Place, verdict: Option<Verdict>, at: Instant, after: &mut After) {
        let Some(entry) = self.at(place) else { return };
        let Some(mut call) = entry.call.take() else { return };
        after.changes.extend(entry.end(&call, verdict, at));
        after.wake.append(&mut call.waiters);
        if let Some(planned) = entry.planned.filter(|_| entry.does_not_know()) {
            self.plan.remove(&(planned, place));
            self.plan(place, at);
            after.is_sooner = true;
        }
        self.under_way -= 1;
        if self.under_way == 0 {
            self.deadlines.clear();
        }
    }

    /// When the next call is given up; `None`: nothing is under way.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.deadlines.peek().map(|Reverse((at, ..))| *at)
    }

    /// Gives up the calls whose time is up.
    pub(crate) fn give_up(&mut self, now: Instant, after: &mut After) {
        while self.next_deadline().is_some_and(|at| at <= now) {
            let Some(Reverse((_, number, place))) = self.deadlines.pop() else { return };
            if is_under_way(&self.entries, place, number) {
                self.end(place, None, now, after);
                // A hand drops its future, on the runtime it ran on.
                self.queue(place);
            }
        }
        self.wake_hand(after);
    }

    /// Ends all that is under way, since the runtime of a hand is shutting down.
    pub(crate) fn abandon(&mut self, hand: u64, now: Instant, after: &mut After) {
        if self.hand.as_ref().is_none_or(|now| now.number != hand) {
            return;
        }
        self.hand = None;
        self.ready.clear();
        for place in 0..self.entries.len() {
            self.end(place, Some(Verdict::unknown("the runtime is shutting down")), now, after);
            if let Some(entry) = self.at(place) {
                (entry.queued, entry.again) = (false, false);
                after.drop.extend(entry.running.take().map(Gone::Running));
            }
            self.clear_away(place, after);
        }
    }

    /// Whether a call has its answer. If not, `waker` is told of it.
    pub(crate) fn is_answered(&mut self, awaited: &Awaited, waker: Option<&Waker>) -> bool {
        let call = self.at(awaited.place).and_then(|entry| entry.call.as_mut());
        let Some(call) = call.filter(|call| call.number == awaited.number) else { return true };
        call.waiters.extend(waker.cloned());
        false
    }

    /// Whether nothing is under way.
    pub(crate) fn is_idle(&self) -> bool {
        self.under_way == 0 && self.hand.is_none()
    }

    fn at(&mut self, place: Place) -> Option<&mut Entry> {
        self.entries.get_mut(place)?.as_mut()
    }

    /// Frees the place of a check that nobody needs any more.
    fn clear_away(&mut self, place: Place, after: &mut After) {
        if let Some(entry) = self.entries[place].take_if(|entry| entry.is_over() && !entry.queued) {
            self.free.push(place);
            after.drop.push(Gone::Entry(Box::new(entry)));
        }
    }
}

fn is_under_way(entries: &[Option<Entry>], place: Place, number: u64) -> bool {
    let call = entries.get(place).and_then(|entry| entry.as_ref()?.call.as_ref());
    call.is_some_and(|call| call.number == number)
}
