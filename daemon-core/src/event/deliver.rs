//! From a published message to the mailboxes of those who get it.

use super::bus::Bus;
use super::event::AnyEvent;
use super::gate::Verdict;
use super::message::{Message, Retaining};
use super::registry::{Interest, routes_of};
use super::routes::{Route, Routes, TopicEntry, TypeTag};
use super::topic::Topic;
use super::waiting::Crowd;
use arc_swap::ArcSwapOption;
use daemon_grammar::topic::matches;
use std::any::TypeId;
use std::sync::Arc;

impl Bus {
    /// Offers a message to everybody on a topic: one lock and at most one wake per mailbox, but for routes with keys.
    #[cold]
    pub(super) fn deliver(&self, entry: &TopicEntry, message: &mut Message<'_>) -> Result<Crowd, TypeTag> {
        let loaded = entry.routes.load();
        let made;
        let routes = match &*loaded {
            Some(routes) => routes,
            None => {
                made = self.routes(entry);
                &made
            }
        };
        if let Some(expected) = routes.expects
            && expected.id != message.kind.id
        {
            return Err(expected);
        }
        if routes.has_envelopes {
            message.wrap(|| entry.topic.clone());
        }
        if !routes.heard {
            entry.unheard.by(message.publisher());
        }
        let mut full = Crowd::default();
        for group in routes.routes.chunk_by(Route::is_beside) {
            offer_to(group, routes.has_gates, entry.topic.as_str(), message, &mut full);
        }
        Ok(full)
    }

    /// Offers a message on a topic without an entry, leaving nothing behind.
    pub(crate) fn offer_to_patterns(&self, topic: &str, message: &mut Message<'_>) -> Crowd {
        let (mut full, mut heard) = (Crowd::default(), false);
        for interest in self.patterns().iter().filter(|interest| matches(&interest.topic, topic)) {
            if interest.route.takes.is_none() {
                message.wrap(|| Topic::Shared(topic.into()));
            }
            heard |= !interest.route.is_tap;
            let (route, has_gate) = (std::slice::from_ref(&interest.route), interest.route.gate.is_some());
            offer_to(route, has_gate, topic, message, &mut full);
        }
        if !heard {
            self.unheard.on(topic, message.publisher());
        }
        full
    }

    /// Offers a message, and keeps it as the last one of its topic. Gates are asked before the shelf is locked; if then its
    /// subscribers have changed, they are asked again.
    pub(crate) fn offer_retained(&self, topic: Topic, message: &mut Message<'_>) -> Result<Crowd, TypeTag> {
        let name = topic.as_str();
        message.wrap(|| topic.clone());
        let from = if message.is_patient { self.graph().caller() } else { None };
        let span = message.retained();
        loop {
            let there = self.there(&topic);
            if let Some(expected) = there.routes.expects
                && expected.id != message.kind.id
            {
                return Err(expected);
            }
            let verdicts = judge_all(&there.routes, name, message);
            let mut shelf = self.retained.lock();
            if !self.is_so(&there, name) {
                continue;
            }
            let number = shelf.next();
            message.retaining = Some(Box::new(Retaining::new(number)));
            let mut full = offer_judged(&there.routes, verdicts, message);
            message.insist(&mut full, from);
            let forgotten = message.kept(number, span).map(|kept| shelf.keep(message.kind, name, kept));
            drop(shelf);
            if let Some(retaining) = message.retaining.take() {
                retaining.end(message.publisher());
            }
            if let Some(forgotten) = forgotten {
                forgotten.let_go();
            }
            return Ok(full);
        }
    }

    /// Who gets what is published on a topic.
    fn there(&self, topic: &Topic) -> There {
        if let Topic::Static(own) = topic
            && self.topics.get(own).is_none()
        {
            self.entry_of_type(own);
        }
        let (name, patterns) = (topic.as_str(), self.patterns());
        let entry = self.topics.get(name);
        let routes = match &entry {
            Some(entry) => entry.routes.load_full().unwrap_or_else(|| self.routes(entry)),
            None => Arc::new(routes_of(std::iter::empty(), patterns.iter(), name, None)),
        };
        There { patterns, routes }
    }

    /// Whether that has not changed.
    fn is_so(&self, there: &There, topic: &str) -> bool {
        match self.topics.get(topic) {
            Some(entry) => is(&entry.routes, &there.routes),
            None => is(&self.patterns, &there.patterns), // those who named the topic have gone, if there were any
        }
    }
}

fn is<T>(now: &ArcSwapOption<T>, then: &Arc<T>) -> bool {
    now.load().as_ref().is_some_and(|now| Arc::ptr_eq(now, then))
}

/// Offers an event that nobody follows on its way, where all who get it take it as it is; gives it back otherwise. It is the
/// shortest way, and that of most events.
pub(super) fn carry(
    entry: &TopicEntry,
    kind: TypeId,
    event: AnyEvent,
    publisher: &str,
    full: &mut Crowd,
) -> Option<AnyEvent> {
    let loaded = entry.routes.load();
    let Some(routes) = loaded.as_ref().filter(|routes| routes.plain == Some(kind)) else { return Some(event) };
    let (others, last) = routes.routes.split_at(routes.last);
    for group in others.chunk_by(Route::is_beside) {
        group[0].mailbox.offer_plain(group, event.clone(), publisher, full);
    }
    last[0].mailbox.offer_plain(last, event, publisher, full);
    None
}

/// Who got what was published on a topic at one moment.
struct There {
    /// Of interest if the topic has no entry.
    patterns: Arc<Vec<Interest>>,
    routes: Arc<Routes>,
}

/// What the gates of those who take a message say of it; nothing if there is none.
fn judge_all(routes: &Routes, topic: &str, message: &Message<'_>) -> Vec<Verdict> {
    if !routes.has_gates {
        return Vec::new();
    }
    let taken = routes.routes.iter().filter_map(|route| Some((route, message.as_taken_by(route)?)));
    taken.map(|(route, event)| route.judge(topic, event, message)).collect()
}

/// Offers a message to everybody, with what their gates have said of it.
fn offer_judged(routes: &Routes, verdicts: Vec<Verdict>, message: &Message<'_>) -> Crowd {
    let (mut full, mut verdicts) = (Crowd::default(), verdicts.into_iter());
    for group in routes.routes.chunk_by(Route::is_beside) {
        if routes.has_gates || message.wait.is_some() {
            offer_one_by_one(group, message, &mut full, |_, _| verdicts.next().unwrap_or(Verdict::Passes));
        } else {
            group[0].mailbox.offer(group, message, &mut full);
        }
    }
    full
}

/// Offers a message to some lanes of one mailbox.
#[inline]
fn offer_to(group: &[Route], has_gates: bool, topic: &str, message: &Message<'_>, full: &mut Crowd) {
    if has_gates || message.wait.is_some() {
        offer_one_by_one(group, message, full, |route, event| route.judge(topic, event, message));
    } else {
        group[0].mailbox.offer(group, message, full);
    }
}

/// As [`offer_to`], where some lanes have gates, or the publisher waits to know what becomes of the message at each. Gates are
/// asked first, before anything is locked.
fn offer_one_by_one(
    group: &[Route],
    message: &Message<'_>,
    full: &mut Crowd,
    mut judge: impl FnMut(&Route, &AnyEvent) -> Verdict,
) {
    // one bit for each lane, so that asking allocates nothing
    for some in group.chunks(u64::BITS as usize) {
        let mut passing = 0_u64;
        for (at, route) in some.iter().enumerate() {
            let Some(event) = message.as_taken_by(route) else { continue };
            let Route { mailbox, lane, is_tap, .. } = route;
            match (judge(route, event), message.wait.filter(|_| !is_tap)) {
                (Verdict::Passes, None) => passing |= 1 << at,
                (Verdict::PassesAs(key), None) => {
                    let linked = message.linked(event);
                    mailbox.offer_keyed(*lane, linked.unwrap_or_else(|| event.clone()), key, message);
                }
                (Verdict::Passes, Some(wait)) => mailbox.offer_tracked(*lane, event, 0, (wait, message), full),
                (Verdict::PassesAs(key), Some(wait)) => mailbox.offer_tracked(*lane, event, key, (wait, message), full),
                (Verdict::TurnsAway, _) => {}
                (Verdict::Panicked, wait) => mailbox.fail_unasked(*lane, wait),
            }
        }
        if passing != 0 {
            let passing = (0..).zip(some).filter(|(at, _)| passing >> at & 1 == 1).map(|(_, route)| route);
            some[0].mailbox.offer(passing, message, full);
        }
    }
}
