//! The bus: finds who gets a published event. One per host.
//!
//! It knows subscriptions, not lives: a mailbox stays registered while its daemon restarts. A topic has an entry while
//! somebody subscribes to exactly it, or once a type whose topic it is was published; any other topic is matched against the
//! patterns at each publish and leaves nothing behind, so that names made up at run time cost no memory.
//!
//! **Invariant:** the registry's lock orders all changes; every table a publisher reads is replaced as a whole under it.
//! It is a leaf: no mailbox is locked and no user code runs inside.

use super::error::SubscribeError;
use super::gate::{Gate, Verdict};
use super::ledger::Ledger;
use super::mailbox::Mailbox;
use super::plan::{LanePlan, MailboxPlan};
use super::publish::{Message, Publisher};
use super::routes::{Route, Routes, TopicEntry, Topics, TypeTag};
use super::state::Phase;
use super::tap::Taps;
use super::topic::{Topic, hash};
use super::unheard::Unheard;
use super::wait_graph::WaitGraph;
use super::waiting::Full;
use crate::sync::{Mutex, MutexGuard};
use arc_swap::ArcSwap;
use daemon_grammar::topic::{check_pattern, is_pattern, matches};
use rustc_hash::{FxHashMap, FxHashSet};
use std::sync::{Arc, PoisonError};

/// Carries events from publishers to subscriptions.
#[derive(Debug, Default)]
pub struct Bus {
    topics: ArcSwap<Topics>,
    patterns: ArcSwap<Vec<Interest>>,
    registry: Mutex<Registry>,
    graph: Arc<WaitGraph>,
    unheard: Unheard,
    pub(super) taps: Taps,
}

/// One lane's wish for a topic or pattern.
#[derive(Clone, Debug)]
struct Interest {
    topic: Arc<str>,
    route: Route,
}

#[derive(Debug, Default)]
struct Registry {
    literal: FxHashMap<Arc<str>, Vec<Interest>>,
    /// Topics of types that were published: their entries stay.
    pinned: FxHashSet<&'static str>,
}

impl Bus {
    /// A bus without subscriptions.
    #[must_use]
    pub fn new() -> Arc<Self> {
        Arc::new(Self::default())
    }

    /// A handle that publishes in the name of `name`.
    #[must_use]
    pub fn publisher(self: &Arc<Self>, name: &str) -> Publisher {
        Publisher::new(self.clone(), name.into())
    }

    /// How many topics have an entry.
    #[must_use]
    pub fn topics(&self) -> usize {
        self.topics.load().len()
    }

    /// How many (topic, type) pairs are subscribed to, each counted once per daemon; taps are not.
    #[must_use]
    pub fn subscriptions(&self) -> usize {
        let registry = self.lock();
        let patterns = self.patterns.load();
        let all = registry.literal.values().flatten().chain(patterns.iter());
        all.filter(|interest| !interest.route.is_tap).count()
    }

    /// The topics on which something was published that nobody heard: first by whom, and how often.
    pub(crate) fn unheard(&self) -> Vec<(String, String, u64)> {
        let mut found = self.unheard.of_no_entry();
        found.extend(self.topics.load().iter().filter_map(|entry| {
            let (publisher, events) = entry.unheard.read()?;
            Some((entry.topic.as_str().to_owned(), publisher, events))
        }));
        found.sort();
        found
    }

    fn lock(&self) -> MutexGuard<'_, Registry> {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn graph(&self) -> &Arc<WaitGraph> {
        &self.graph
    }

    /// Makes a mailbox and registers its lanes, all or none.
    pub(crate) fn register(
        self: &Arc<Self>,
        owner: &str,
        phase: Phase,
        plan: &MailboxPlan,
    ) -> Result<Registration, SubscribeError> {
        plan.lanes.iter().try_for_each(|lane| check_lane(owner, lane))?;
        let mut registry = self.lock();
        registry.check_types(&plan.lanes)?;
        let mailbox = Mailbox::new(owner.into(), self.graph.clone(), phase, plan);
        let mut topics = Vec::with_capacity(plan.lanes.len());
        let mut patterns = Vec::new();
        for (index, lane) in (0..).zip(&plan.lanes) {
            let topic: Arc<str> = lane.topic.as_str().into();
            topics.push(topic.clone());
            let gate = Gate::of(owner, lane);
            let route = Route { mailbox: mailbox.clone(), lane: index, takes: lane.takes, gate, is_tap: lane.is_tap };
            let interest = Interest { topic: topic.clone(), route };
            if is_pattern(&topic) {
                patterns.push(interest)
            } else {
                registry.literal.entry(topic).or_default().push(interest);
            }
        }
        if !patterns.is_empty() {
            patterns.splice(0..0, self.patterns.load().iter().cloned());
            self.patterns.store(Arc::new(patterns));
        }
        self.rebuild(&registry, &topics);
        Ok(Registration { bus: self.clone(), mailbox, topics, ledger: None })
    }

    fn unregister(&self, mailbox: &Arc<Mailbox>, topics: &[Arc<str>]) {
        let mut registry = self.lock();
        let stays = |interest: &Interest| !Arc::ptr_eq(&interest.route.mailbox, mailbox);
        for topic in topics {
            if let Some(interests) = registry.literal.get_mut(topic) {
                interests.retain(stays);
                if interests.is_empty() {
                    registry.literal.remove(topic);
                }
            }
        }
        if topics.iter().any(|topic| is_pattern(topic)) {
            self.patterns.store(Arc::new(self.patterns.load().iter().filter(|old| stays(old)).cloned().collect()));
        }
        self.rebuild(&registry, topics);
    }

    /// Brings the entries that the given topics and patterns concern up to date.
    fn rebuild(&self, registry: &Registry, changed: &[Arc<str>]) {
        let (topics, patterns) = (self.topics.load_full(), self.patterns.load());
        let (mut new, mut gone) = (Vec::new(), Vec::new());
        for topic in changed.iter().filter(|topic| !is_pattern(topic)) {
            let (hash, routes) = (hash(topic), registry.routes(topic, &patterns));
            match topics.get(hash, topic) {
                Some(entry) if registry.keeps(topic) => entry.routes.store(Arc::new(routes)),
                Some(entry) => gone.push(entry.clone()),
                None if registry.keeps(topic) => {
                    new.push(Arc::new(TopicEntry::new(Topic::Shared(topic.clone()), hash, routes)));
                }
                None => {}
            }
        }
        for pattern in changed.iter().filter(|topic| is_pattern(topic)) {
            for entry in topics.iter().filter(|entry| matches(pattern, entry.topic.as_str())) {
                entry.routes.store(Arc::new(registry.routes(entry.topic.as_str(), &patterns)));
            }
        }
        if !(new.is_empty() && gone.is_empty()) {
            let mut next = if gone.is_empty() { Topics::clone(&topics) } else { topics.without(&gone) };
            for entry in new {
                if next.get(entry.hash, entry.topic.as_str()).is_none() {
                    next.insert(entry);
                }
            }
            self.topics.store(Arc::new(next));
        }
    }

    /// Makes the entry of a type's own topic, for good.
    fn pin(&self, topic: &'static str) {
        let mut registry = self.lock();
        registry.pinned.insert(topic);
        let topics = self.topics.load_full();
        if topics.get(hash(topic), topic).is_none() {
            let routes = registry.routes(topic, &self.patterns.load());
            let mut topics = Topics::clone(&topics);
            topics.insert(Arc::new(TopicEntry::new(Topic::Static(topic), hash(topic), routes)));
            self.topics.store(Arc::new(topics));
        }
    }

    /// Offers a message on a type's own topic, checked by the caller.
    pub(crate) fn offer(
        &self,
        hash: u64,
        topic: &'static str,
        message: &mut Message<'_>,
    ) -> Result<Vec<Full>, TypeTag> {
        loop {
            if let Some(entry) = self.topics.load().get(hash, topic) {
                return deliver(entry, message);
            }
            self.pin(topic);
        }
    }

    /// Offers a message on a topic made up at run time; `None` if it has no entry.
    pub(crate) fn offer_to(&self, topic: &str, message: &mut Message<'_>) -> Option<Result<Vec<Full>, TypeTag>> {
        Some(deliver(self.topics.load().get(hash(topic), topic)?, message))
    }

    /// Offers a message on a topic without an entry, leaving nothing behind.
    pub(crate) fn offer_to_patterns(&self, topic: &str, message: &mut Message<'_>) -> Vec<Full> {
        let (mut full, mut heard) = (Vec::new(), false);
        for interest in self.patterns.load().iter().filter(|interest| matches(&interest.topic, topic)) {
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
}

/// Offers a message to everybody on a topic: one lock and at most one wake per mailbox, but for routes with keys.
fn deliver(entry: &TopicEntry, message: &mut Message<'_>) -> Result<Vec<Full>, TypeTag> {
    let routes = entry.routes.load();
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
    let mut full = Vec::new();
    for group in routes.routes.chunk_by(|a, b| Arc::ptr_eq(&a.mailbox, &b.mailbox)) {
        offer_to(group, routes.has_gates, entry.topic.as_str(), message, &mut full);
    }
    Ok(full)
}

/// Offers a message to some lanes of one mailbox.
#[inline]
fn offer_to(group: &[Route], has_gates: bool, topic: &str, message: &Message<'_>, full: &mut Vec<Full>) {
    if has_gates || message.wait.is_some() {
        offer_one_by_one(group, topic, message, full);
    } else {
        group[0].mailbox.offer(group, message, full);
    }
}

/// As [`offer_to`], where some lanes have gates, or the publisher waits to know what becomes of the message at each. Gates are
/// asked first, before anything is locked.
fn offer_one_by_one(group: &[Route], topic: &str, message: &Message<'_>, full: &mut Vec<Full>) {
    // one bit for each lane, so that asking allocates nothing
    for some in group.chunks(u64::BITS as usize) {
        let mut passing = 0_u64;
        for (at, route) in some.iter().enumerate() {
            let Some(event) = message.as_taken_by(route) else { continue };
            let Route { mailbox, lane, gate, is_tap, .. } = route;
            let verdict = gate.as_ref().map_or(Verdict::Passes, |gate| gate.judge(topic, event, message.publisher()));
            match (verdict, message.wait.filter(|_| !is_tap)) {
                (Verdict::Passes, None) => passing |= 1 << at,
                (Verdict::PassesAs(key), None) => mailbox.offer_keyed(*lane, event, key),
                (Verdict::Passes, Some(wait)) => mailbox.offer_tracked(*lane, event, 0, wait, full),
                (Verdict::PassesAs(key), Some(wait)) => mailbox.offer_tracked(*lane, event, key, wait, full),
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

/// Checks that a lane's topic is one, and that its filter and its key take what it does.
fn check_lane(owner: &str, lane: &LanePlan) -> Result<(), SubscribeError> {
    check_pattern(&lane.topic)
        .map_err(|error| SubscribeError::InvalidPattern { pattern: lane.topic.clone(), reason: error.to_string() })?;
    let label = || lane.seats.first().map_or_else(|| owner.to_owned(), |seat| format!("{owner}.{}", seat.name));
    lane.filter.iter().try_for_each(|filter| filter.check(&label(), lane.takes))?;
    lane.key.iter().try_for_each(|key| key.check(&label(), lane.takes))
}

impl Registry {
    fn keeps(&self, topic: &str) -> bool {
        self.literal.contains_key(topic) || self.pinned.contains(topic)
    }

    fn check_types(&self, lanes: &[LanePlan]) -> Result<(), SubscribeError> {
        let mut new: FxHashMap<&str, TypeTag> = FxHashMap::default();
        for lane in lanes {
            let topic = lane.topic.as_str();
            let Some(found) = lane.takes.filter(|_| !is_pattern(topic)) else { continue };
            let known = self.literal.get(topic).into_iter().flatten().find_map(|interest| interest.route.takes);
            let expected = known.unwrap_or(*new.entry(topic).or_insert(found));
            if expected.id != found.id {
                let topic = topic.to_owned();
                return Err(SubscribeError::TypeMismatch { topic, expected: expected.name, found: found.name });
            }
        }
        Ok(())
    }

    fn routes(&self, topic: &str, patterns: &[Interest]) -> Routes {
        let literal = self.literal.get(topic).map_or(&[][..], Vec::as_slice);
        let matching = patterns.iter().filter(|interest| matches(&interest.topic, topic));
        let mut routes: Vec<Route> = literal.iter().chain(matching).map(|interest| interest.route.clone()).collect();
        // mailboxes in the order of their making, the lanes of one beside each other
        routes.sort_by_key(|route| (route.mailbox.id(), route.lane));
        Routes {
            has_envelopes: routes.iter().any(|route| route.takes.is_none()),
            has_gates: routes.iter().any(|route| route.gate.is_some()),
            heard: routes.iter().any(|route| !route.is_tap),
            expects: literal.iter().find_map(|interest| interest.route.takes),
            routes,
        }
    }
}

/// A registered mailbox. Dropping it unsubscribes everything and abandons what is queued.
#[derive(Debug)]
pub(crate) struct Registration {
    bus: Arc<Bus>,
    mailbox: Arc<Mailbox>,
    topics: Vec<Arc<str>>,
    /// Who keeps its account once it is gone.
    pub(super) ledger: Option<Arc<Ledger>>,
}

impl Registration {
    pub(crate) fn mailbox(&self) -> &Arc<Mailbox> {
        &self.mailbox
    }

    /// Unsubscribes; what is queued stays.
    pub(crate) fn unregister(&self) {
        self.bus.unregister(&self.mailbox, &self.topics);
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.unregister();
        self.mailbox.close();
        if let Some(ledger) = &self.ledger {
            self.mailbox.status().iter().for_each(|status| ledger.end(status));
        }
    }
}
