//! The bus: finds who gets a published event. One per host.
//!
//! It knows subscriptions, not lives: a mailbox stays registered while its daemon restarts. A topic has an entry while
//! somebody subscribes to exactly it, or once a type whose topic it is was published; any other topic is matched against the
//! patterns at each publish and leaves nothing behind, so that names made up at run time cost no memory.
//!
//! **Invariant:** the registry's lock orders all changes; every table a publisher reads is replaced as a whole under it. No user
//! code runs inside, and no lock is taken but that of the shelf of retained events and that of a mailbox nobody knows yet.

use super::Event;
use super::error::SubscribeError;
use super::gate::Gate;
use super::late;
use super::ledger::Ledger;
use super::mailbox::Mailbox;
use super::plan::{LanePlan, MailboxPlan};
use super::publish::Publisher;
use super::retained::Retained;
use super::routes::{Route, Routes, TopicEntry, Topics, TypeTag};
use super::state::Phase;
use super::tap::Taps;
use super::topic::{Topic, hash};
use super::unheard::Unheard;
use super::wait_graph::WaitGraph;
use crate::sync::{Mutex, MutexGuard};
use arc_swap::ArcSwap;
use daemon_grammar::topic::{check_pattern, is_pattern, matches};
use rustc_hash::{FxHashMap, FxHashSet};
use std::sync::{Arc, PoisonError};

/// Carries events from publishers to subscriptions.
#[derive(Debug, Default)]
pub struct Bus {
    pub(super) topics: ArcSwap<Topics>,
    pub(super) patterns: ArcSwap<Vec<Interest>>,
    registry: Mutex<Registry>,
    graph: Arc<WaitGraph>,
    pub(super) unheard: Unheard,
    pub(super) retained: Retained,
    pub(super) taps: Taps,
}

/// One lane's wish for a topic or pattern.
#[derive(Clone, Debug)]
pub(crate) struct Interest {
    pub(crate) topic: Arc<str>,
    pub(crate) route: Route,
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

    /// The last event of a retained type on a topic.
    #[must_use]
    pub fn retained<E: Event>(&self, topic: &str) -> Option<Arc<E>> {
        self.retained.last(topic)
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
        let lane = |(index, lane): (u32, &LanePlan)| {
            let gate = Gate::of(owner, lane);
            let route = Route { mailbox: mailbox.clone(), lane: index, takes: lane.takes, gate, is_tap: lane.is_tap };
            Interest { topic: lane.topic.as_str().into(), route }
        };
        let lanes: Vec<Interest> = (0..).zip(&plan.lanes).map(lane).collect();
        let beginning = {
            let shelf = self.retained.lock();
            self.add(&mut registry, &lanes);
            mailbox.begin(late::find(&shelf, &lanes, 0), &lanes)
        };
        drop(registry);
        beginning.hand_over(&mailbox, &lanes);
        Ok(Registration { bus: self.clone(), mailbox, lanes, ledger: None })
    }

    fn add(&self, registry: &mut Registry, lanes: &[Interest]) {
        let (patterns, literal): (Vec<_>, Vec<_>) = lanes.iter().cloned().partition(|lane| is_pattern(&lane.topic));
        for lane in literal {
            registry.literal.entry(lane.topic.clone()).or_default().push(lane);
        }
        if !patterns.is_empty() {
            let all = self.patterns.load().iter().cloned().chain(patterns).collect();
            self.patterns.store(Arc::new(all));
        }
        self.rebuild(registry, lanes);
    }

    fn unregister(&self, mailbox: &Arc<Mailbox>, lanes: &[Interest]) {
        let mut registry = self.lock();
        let stays = |interest: &Interest| !Arc::ptr_eq(&interest.route.mailbox, mailbox);
        for Interest { topic, .. } in lanes {
            if let Some(interests) = registry.literal.get_mut(topic) {
                interests.retain(stays);
                if interests.is_empty() {
                    registry.literal.remove(topic);
                }
            }
        }
        if lanes.iter().any(|lane| is_pattern(&lane.topic)) {
            self.patterns.store(Arc::new(self.patterns.load().iter().filter(|old| stays(old)).cloned().collect()));
        }
        self.rebuild(&registry, lanes);
    }

    /// Brings the entries that the given topics and patterns concern up to date.
    fn rebuild(&self, registry: &Registry, lanes: &[Interest]) {
        let (topics, patterns) = (self.topics.load_full(), self.patterns.load());
        let (mut new, mut gone) = (Vec::new(), Vec::new());
        let changed = || lanes.iter().map(|lane| &lane.topic);
        for topic in changed().filter(|topic| !is_pattern(topic)) {
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
        for pattern in changed().filter(|topic| is_pattern(topic)) {
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
    pub(super) fn pin(&self, topic: &'static str) {
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
        routes_of(self.literal.get(topic).map_or(&[][..], Vec::as_slice), patterns, topic)
    }
}

/// Who gets what is published on a topic: those who name it, and those whose pattern selects it.
pub(super) fn routes_of(literal: &[Interest], patterns: &[Interest], topic: &str) -> Routes {
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

/// A registered mailbox. Dropping it unsubscribes everything and abandons what is queued.
#[derive(Debug)]
pub(crate) struct Registration {
    bus: Arc<Bus>,
    mailbox: Arc<Mailbox>,
    lanes: Vec<Interest>,
    /// Who keeps its account once it is gone.
    pub(super) ledger: Option<Arc<Ledger>>,
}

impl Registration {
    pub(crate) fn mailbox(&self) -> &Arc<Mailbox> {
        &self.mailbox
    }

    /// Unsubscribes; what is queued stays.
    pub(crate) fn unregister(&self) {
        self.bus.unregister(&self.mailbox, &self.lanes);
    }

    /// Keeps events for the next life, which begins with the retained ones that were missed since the one before was stopped; `anew`:
    /// with all there are, for it is that of another value, which has seen none.
    pub(crate) fn begin(&self, anew: bool) {
        self.mailbox.buffer();
        let beginning = {
            let shelf = self.bus.retained.lock();
            let since = if anew { Some(0) } else { self.mailbox.missed_from() };
            let Some(since) = since else { return };
            self.mailbox.begin_again(late::find(&shelf, &self.lanes, since), &self.lanes)
        };
        beginning.hand_over(&self.mailbox, &self.lanes);
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
