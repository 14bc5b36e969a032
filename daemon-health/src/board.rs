//! All checks of a checker, as data: what they answered, which calls are under way, which are in line to be polled, and when they are given
//! up. Pure: no clock, no user code, and no lock but the one that is around it.
//!
//! Invariants:
//! 1. Names are unique.
//! 2. Of one check at most one call is under way. Who asks meanwhile joins it.
//! 3. A call has one answer: what it returned, or, once its time is up, that there was none. What comes later does not count.
//!    It is told once it is booked, which is as soon as anybody reads the clock.
//! 4. A future is with one hand at a time. While one blocks its thread though its time is up, its check is not called again, so that
//!    it blocks one thread and no more.
//! 5. What users wrote is neither called nor dropped here: it is handed out, to be called and dropped where no lock is held.

use crate::{
    HealthCheck, HealthQuery, Verdict,
    checks::Names,
    deadlines::Deadlines,
    entry::{Change, Entry},
    moment::Moment,
    seat::Seat,
};
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    mem,
    sync::Arc,
    task::Waker,
};

#[cfg(test)]
mod tests;

/// Where an entry is. Used again once that is over.
pub(crate) type Place = usize;

/// How many answers wait to be booked together, at most.
const TOGETHER: usize = 16;

/// All checks of a checker.
#[derive(Default)]
pub(crate) struct Board {
    entries: Vec<Option<Entry>>,
    free: Vec<Place>,
    names: BTreeMap<Arc<str>, Place>,
    /// All that are registered, until others are.
    catalogue: Option<Arc<Catalogue>>,
    /// How many were unregistered so far.
    epoch: u64,
    /// How many questions there are from each epoch.
    questions: BTreeMap<u64, usize>,
    /// Those that are kept for questions of their epoch and before.
    kept: VecDeque<(u64, Place)>,
    /// When those that are asked in the background are looked at.
    plan: BTreeSet<(Moment, Place)>,
    /// The number of the last call, or hand.
    number: u64,
    /// The number of the last change.
    changes: u64,
    under_way: usize,
    /// Those in line to be polled.
    ready: VecDeque<Place>,
    /// The answers that are not booked yet.
    answers: Vec<(Place, Verdict)>,
    /// When calls are given up; some may have their answer.
    deadlines: Deadlines<Awaited>,
    hand: Option<Hand>,
    /// Whether somebody looks that calls are given up, and a hand that is blocked is relieved.
    pub(crate) is_watched: bool,
}

/// Who polls now.
struct Hand {
    number: u64,
    /// How many it was given to poll.
    polls: u64,
    /// Whether it is in a poll.
    is_busy: bool,
}

/// Checks by name, and where they are.
pub(crate) struct Catalogue {
    pub(crate) names: Names,
    places: Vec<Place>,
    /// The same, one after the other.
    in_a_row: Vec<Place>,
}

/// Which checks somebody wants to tell of.
pub(crate) struct Question {
    epoch: u64,
    pub(crate) of: Arc<Catalogue>,
}

/// A call that is waited for.
#[derive(Clone, Copy)]
pub(crate) struct Awaited {
    place: Place,
    number: u64,
}

/// A call to be polled.
pub(crate) struct Work {
    pub(crate) place: Place,
    pub(crate) number: u64,
    /// Where it is asked; or what, if a place for that has to be made first.
    pub(crate) seat: Result<Seat, Arc<dyn HealthCheck>>,
}

/// A call that was polled: it goes on, or here is its answer.
pub(crate) struct Polled {
    pub(crate) place: Place,
    pub(crate) number: u64,
    /// There is none after a panic.
    pub(crate) seat: Option<Seat>,
    pub(crate) answer: Option<Verdict>,
}

/// What is to be done where no lock is held: user code is called, woken, or dropped.
#[derive(Default)]
pub(crate) struct After {
    /// With their numbers: others may be told of later ones sooner.
    pub(crate) changes: Vec<(u64, Change)>,
    pub(crate) wake: Vec<Waker>,
    pub(crate) drop: Vec<Gone>,
    /// Whether something is to be asked in the background sooner than was said.
    pub(crate) is_sooner: bool,
    /// Whether the hand is to be told that there is something to poll, or nothing more to wait for.
    pub(crate) is_rung: bool,
}

/// What nobody needs any more. It is kept only to be dropped.
pub(crate) enum Gone {
    Seat(#[expect(dead_code, reason = "it is dropped")] Seat),
    Entry(#[expect(dead_code, reason = "it is dropped")] Box<Entry>),
}

impl After {
    pub(crate) fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.wake.is_empty() && self.drop.is_empty() && !self.is_sooner && !self.is_rung
    }
}

/// What a hand does next.
pub(crate) enum Step {
    Poll(Work),
    /// Not to poll, but what is to be done after it.
    Do,
    /// To read the clock, and to have the answers booked.
    Book,
    /// To sleep until there is something to poll.
    Sleep,
    /// Nothing is under way, or another hand has taken over.
    End,
}

impl Board {
    /// Adds a check, to be asked in the background from now on; gives it back if there is one of its name.
    pub(crate) fn register(&mut self, entry: Box<Entry>, now: Moment) -> Result<(), Box<Entry>> {
        if self.names.contains_key(&entry.about.name) {
            return Err(entry);
        }
        let place = self.free.pop().unwrap_or_else(|| {
            self.entries.push(None);
            self.entries.len() - 1
        });
        self.names.insert(entry.about.name.clone(), place);
        self.catalogue = None;
        self.entries[place] = Some(*entry);
        self.plan(place, now);
        Ok(())
    }

    /// Removes a check; `false` if there is none of that name.
    pub(crate) fn unregister(&mut self, name: &str, after: &mut After) -> bool {
        let Some(place) = self.names.remove(name) else { return false };
        self.catalogue = None;
        if let Some(entry) = self.at(place) {
            (entry.calls.is_registered, entry.calls.is_kept) = (false, true);
            if let Some(at) = entry.about.planned.take() {
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
                entry.calls.is_kept = false;
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
        let of = if query.is_all() {
            let Self { names, catalogue, .. } = self;
            catalogue.get_or_insert_with(|| Catalogue::of(names.iter())).clone()
        } else {
            let picks =
                |place: Place| self.entries[place].as_ref().is_some_and(|entry| query.picks(&entry.about.options));
            Catalogue::of(self.names.iter().filter(|(_, place)| picks(**place)))
        };
        Question { epoch: self.epoch, of }
    }

    /// The checks that a question is about.
    pub(crate) fn picked(&self, question: &Question) -> impl Iterator<Item = &Entry> {
        question.of.places.iter().filter_map(|place| self.entries[*place].as_ref())
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
        now: Moment,
        is_due: impl Fn(&Entry) -> bool,
        after: &mut After,
    ) -> Vec<Awaited> {
        let mut awaited = Vec::with_capacity(question.of.places.len());
        // In the order in which they lie in memory, which is faster for many.
        for place in &question.of.in_a_row {
            if self.at(*place).is_some_and(|entry| is_due(entry)) {
                awaited.extend(self.ask_one(*place, now, after));
            }
        }
        self.ring(after);
        awaited
    }

    /// Asks those whose time in the background has come, and says when to look again.
    pub(crate) fn ask_planned(&mut self, now: Moment, after: &mut After) -> Option<Moment> {
        while let Some((at, place)) = self.plan.first().copied().filter(|(at, _)| *at <= now) {
            self.plan.remove(&(at, place));
            let Some(entry) = self.at(place) else { continue };
            entry.about.planned = None;
            if entry.due(now).is_some_and(|due| due <= now) {
                self.ask_one(place, now, after);
            }
            self.plan(place, now);
        }
        self.ring(after);
        self.plan.first().map(|(at, _)| *at)
    }

    fn plan(&mut self, place: Place, now: Moment) {
        let Some(entry) = self.at(place) else { return };
        let due = entry.due(now);
        entry.about.planned = due;
        self.plan.extend(due.map(|due| (due, place)));
    }

    fn ask_one(&mut self, place: Place, now: Moment, after: &mut After) -> Option<Awaited> {
        let number = self.number + 1;
        let entry = self.at(place)?;
        if let Some(number) = entry.calls.under_way() {
            return Some(Awaited { place, number });
        }
        if entry.calls.block() {
            let change = entry.could_not_be_asked(now);
            self.note(change, after);
            return None;
        }
        let (until, call) = (entry.begin(number, now), Awaited { place, number });
        self.number = number;
        self.under_way += 1;
        self.deadlines.add(until, call);
        self.queue(place);
        if self.deadlines.len() > 64 + 2 * self.under_way {
            let entries = &self.entries;
            self.deadlines.retain(|call| is_under_way(entries, call));
        }
        Some(call)
    }

    /// Puts a check in line to be polled.
    fn queue(&mut self, place: Place) {
        let Some(entry) = self.at(place) else { return };
        if entry.calls.held {
            entry.calls.again = true;
        } else if !mem::replace(&mut entry.calls.queued, true) {
            self.ready.push_back(place);
        }
    }

    /// Puts checks in line whose futures said that they can go on. None of them is looked at before its turn: it does no harm if one is there
    /// twice, or is over.
    pub(crate) fn woken(&mut self, places: &mut Vec<Place>) {
        self.ready.extend(places.drain(..));
    }

    /// Whether the hand is in a poll while nothing is in line. One that is about to sleep looks itself who can go on.
    pub(crate) fn has_empty_line(&self) -> bool {
        self.ready.is_empty() && self.hand.as_ref().is_some_and(|hand| hand.is_busy)
    }

    /// Has the hand told that there is something to poll.
    fn ring(&mut self, after: &mut After) {
        after.is_rung |= self.hand.is_some() && !self.ready.is_empty();
    }

    /// The number of a hand to come, if there is something to poll and none that does.
    pub(crate) fn needs_hand(&mut self) -> Option<u64> {
        (self.hand.is_none() && !self.ready.is_empty()).then(|| self.next_hand())
    }

    fn next_hand(&mut self) -> u64 {
        self.number += 1;
        self.hand = Some(Hand { number: self.number, polls: 0, is_busy: false });
        self.number
    }

    /// The number of a hand to take over, if others wait while the one there is has been in the same poll since it was `seen`.
    pub(crate) fn relief(&mut self, seen: &mut Option<(u64, u64)>) -> Option<u64> {
        let hand = self.hand.as_ref().filter(|hand| hand.is_busy);
        let now = hand.map(|hand| (hand.number, hand.polls));
        let is_stuck = now.is_some() && mem::replace(seen, now) == now;
        (is_stuck && !self.ready.is_empty()).then(|| self.next_hand())
    }

    /// Takes what a hand polled, and gives it what to do next.
    pub(crate) fn step(&mut self, number: u64, polled: Option<Polled>, after: &mut After) -> Step {
        let has_polled = polled.is_some();
        if let Some(polled) = polled {
            self.take_back(polled, after);
        }
        let Some(hand) = self.hand.as_mut().filter(|hand| hand.number == number) else {
            if has_polled {
                // What it was held up by may be in line again, for the hand that took over.
                self.ring(after);
            }
            let is_done = self.answers.is_empty() && after.is_empty();
            return if is_done { Step::End } else { Step::Book };
        };
        hand.is_busy = false;
        if self.is_to_book() {
            return Step::Book;
        }
        while after.is_empty() {
            let Some(place) = self.ready.pop_front() else { return self.rest() };
            if let Some(work) = self.begin_poll(place, after) {
                if let Some(hand) = &mut self.hand {
                    (hand.is_busy, hand.polls) = (true, hand.polls + 1);
                }
                return Step::Poll(work);
            }
        }
        Step::Do
    }

    /// Whether answers are to be booked now. Where few are in line that is after each, so that the times told are exact.
    fn is_to_book(&self) -> bool {
        let waiting = self.answers.len();
        waiting > 0 && (self.ready.is_empty() || waiting >= TOGETHER || waiting > self.ready.len() / 64)
    }

    /// What a hand does that has nothing to poll.
    fn rest(&mut self) -> Step {
        if self.under_way == 0 {
            self.hand = None;
            return Step::End;
        }
        Step::Sleep
    }

    /// Takes what a hand polled that lets others run now.
    pub(crate) fn pause(&mut self, number: u64, polled: Option<Polled>, now: Moment, after: &mut After) {
        if let Some(polled) = polled {
            self.take_back(polled, after);
        }
        self.book(now, after);
        match self.hand.as_mut().filter(|hand| hand.number == number) {
            Some(hand) => hand.is_busy = false,
            None => self.ring(after),
        }
    }

    fn begin_poll(&mut self, place: Place, after: &mut After) -> Option<Work> {
        let entry = self.at(place)?;
        let calls = &mut entry.calls;
        calls.queued = false;
        if calls.held {
            calls.again = true;
            return None;
        }
        let wanted = calls.wanted();
        if calls.running.is_some() && calls.running != wanted {
            // One whose time is up makes place for the next.
            calls.running = None;
            after.drop.extend(calls.seat.take().map(Gone::Seat));
            if wanted.is_some() {
                self.queue(place);
                return None;
            }
        }
        let Some(number) = wanted else {
            self.clear_away(place, after);
            return None;
        };
        (calls.held, calls.running) = (true, wanted);
        Some(Work { place, number, seat: entry.take_seat() })
    }

    fn take_back(&mut self, polled: Polled, after: &mut After) {
        let Polled { place, number, seat, answer } = polled;
        let Some(Entry { calls, .. }) = self.at(place) else { return };
        let is_wanted = calls.under_way() == Some(number);
        calls.held = false;
        if answer.is_some() || !is_wanted {
            calls.running = None;
        }
        if answer.is_some() || is_wanted {
            calls.seat = seat;
        } else {
            after.drop.extend(seat.map(Gone::Seat));
        }
        let answer = answer.filter(|_| is_wanted);
        if answer.is_some() {
            calls.answered();
        }
        if mem::take(&mut calls.again) && calls.wanted().is_some() {
            self.queue(place);
        }
        match answer {
            Some(answer) => self.answers.push((place, answer)),
            None if !is_wanted => self.clear_away(place, after),
            None => {}
        }
    }

    /// Books the answers that came before `now`.
    pub(crate) fn book(&mut self, now: Moment, after: &mut After) {
        let mut answers = mem::take(&mut self.answers);
        for (place, answer) in answers.drain(..) {
            self.end(place, Some(answer), now, after);
            self.clear_away(place, after);
        }
        self.answers = answers;
    }

    /// Books the end of the call under way of a check.
    fn end(&mut self, place: Place, verdict: Option<Verdict>, at: Moment, after: &mut After) {
        let Some(entry) = self.at(place).filter(|entry| entry.calls.under_way().is_some()) else { return };
        let change = entry.end(verdict, at);
        entry.waiters(&mut after.wake);
        if entry.does_not_know()
            && let Some(planned) = entry.about.planned
        {
            self.plan.remove(&(planned, place));
            self.plan(place, at);
            after.is_sooner = true;
        }
        self.note(change, after);
        self.under_way -= 1;
        if self.under_way == 0 {
            self.deadlines.clear();
            // A hand that sleeps would else do so for ever: it ends when it looks.
            after.is_rung |= self.hand.is_some();
        }
    }

    /// Gives a change its number.
    fn note(&mut self, change: Option<Change>, after: &mut After) {
        if let Some(change) = change {
            self.changes += 1;
            after.changes.push((self.changes, change));
        }
    }

    /// When the next call is given up; `None`: nothing is under way.
    pub(crate) fn next_deadline(&self) -> Option<Moment> {
        self.deadlines.next()
    }

    /// Gives up the calls whose time is up.
    pub(crate) fn give_up(&mut self, now: Moment, after: &mut After) {
        self.book(now, after);
        while let Some(late) = self.deadlines.take(now) {
            for call in late {
                if is_under_way(&self.entries, &call) {
                    self.end(call.place, None, now, after);
                    // A hand drops its future, on the runtime it ran on.
                    self.queue(call.place);
                }
            }
        }
        self.ring(after);
    }

    /// Ends all that is under way, since the runtime of a hand is shutting down.
    pub(crate) fn abandon(&mut self, hand: u64, now: Moment, after: &mut After) {
        if self.hand.as_ref().is_none_or(|now| now.number != hand) {
            return;
        }
        self.hand = None;
        self.ready.clear();
        self.book(now, after);
        for place in 0..self.entries.len() {
            self.end(place, Some(Verdict::unknown("the runtime is shutting down")), now, after);
            if let Some(entry) = self.at(place) {
                let calls = &mut entry.calls;
                (calls.queued, calls.again) = (false, false);
                if !calls.held && calls.running.take().is_some() {
                    after.drop.extend(calls.seat.take().map(Gone::Seat));
                }
            }
            self.clear_away(place, after);
        }
    }

    /// Whether a call has its answer. If not, `waker` is told of it.
    pub(crate) fn is_answered(&mut self, call: &Awaited, waker: Option<&Waker>) -> bool {
        let Some(entry) = self.at(call.place).filter(|entry| entry.calls.under_way() == Some(call.number)) else {
            return true;
        };
        if let Some(waker) = waker {
            entry.wait(waker.clone());
        }
        false
    }

    /// When a call is given up.
    pub(crate) fn until(&self, call: &Awaited) -> Option<Moment> {
        self.entries.get(call.place)?.as_ref()?.calls.until()
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
        if let Some(entry) = self.entries[place].take_if(|entry| entry.calls.are_over() && !entry.calls.queued) {
            self.free.push(place);
            after.drop.push(Gone::Entry(Box::new(entry)));
        }
    }
}

impl Catalogue {
    fn of<'a>(named: impl Iterator<Item = (&'a Arc<str>, &'a Place)>) -> Arc<Self> {
        let (names, places): (Vec<_>, Vec<_>) = named.map(|(name, place)| (name.clone(), *place)).unzip();
        let mut in_a_row = places.clone();
        in_a_row.sort_unstable();
        Arc::new(Self { names: names.into(), places, in_a_row })
    }
}

fn is_under_way(entries: &[Option<Entry>], call: &Awaited) -> bool {
    let entry = entries.get(call.place).and_then(Option::as_ref);
    entry.is_some_and(|entry| entry.calls.under_way() == Some(call.number))
}
