//! The bus: finds who gets a published event. One per host.
//!
//! It knows subscriptions, not lives: a mailbox stays registered while its daemon restarts. A topic has an entry while
//! somebody subscribes to exactly it, or once a type whose topic it is was published; any other topic is matched against the
//! patterns at each publish and leaves nothing behind, so that names made up at run time cost no memory.
//!
//! **Invariant:** the registry's lock orders all changes; every table a publisher reads is replaced as a whole under it.
//! It is a leaf: no mailbox is locked and no user code runs inside.

use super::error::SubscribeError;
use super::mailbox::{LanePlan, Mailbox};
use super::publish::{Message, Publisher};
use super::routes::{Route, Routes, TopicEntry, Topics, TypeTag};
use super::state::Phase;
use super::topic::{Topic, hash};
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

    /// How many (topic, type) pairs are subscribed to, each counted once per daemon.
    #[must_use]
    pub fn subscriptions(&self) -> usize {
        let registry = self.lock();
        registry.literal.values().map(Vec::len).sum::<usize>() + self.patterns.load().len()
    }

    fn lock(&self) -> MutexGuard<'_, Registry> {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn graph(&self) -> &WaitGraph {
        &self.graph
    }

    /// Makes a mailbox and registers its lanes, all or none; each lane with the type it takes (`None`: envelopes).
    pub(crate) fn register(
        self: &Arc<Self>,
        owner: &str,
        phase: Phase,
        plan: &[(LanePlan, Option<TypeTag>)],
    ) -> Result<Registration, SubscribeError> {
        for (lane, _) in plan {
            check_pattern(&lane.topic).map_err(|error| SubscribeError::InvalidPattern {
                pattern: lane.topic.clone(),
                reason: error.to_string(),
            })?;
        }
        let mut registry = self.lock();
        registry.check_types(plan)?;
        let mailbox = Mailbox::new(owner.into(), self.graph.clone(), phase, plan);
        let mut topics = Vec::with_capacity(plan.len());
        let mut patterns = Vec::new();
        for (index, (lane, takes)) in (0..).zip(plan) {
            let topic: Arc<str> = lane.topic.as_str().into();
            topics.push(topic.clone());
            let route = Route { mailbox: mailbox.clone(), lane: index, takes: *takes };
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
        Ok(Registration { bus: self.clone(), mailbox, topics })
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
                    let routes = ArcSwap::from_pointee(routes);
                    new.push(Arc::new(TopicEntry { hash, topic: Topic::Shared(topic.clone()), routes }));
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
            let routes = ArcSwap::from_pointee(registry.routes(topic, &self.patterns.load()));
            let mut topics = Topics::clone(&topics);
            topics.insert(Arc::new(TopicEntry { hash: hash(topic), topic: Topic::Static(topic), routes }));
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
        let mut full = Vec::new();
        for interest in self.patterns.load().iter().filter(|interest| matches(&interest.topic, topic)) {
            if interest.route.takes.is_none() {
                message.wrap(|| Topic::Shared(topic.into()));
            }
            let route = std::slice::from_ref(&interest.route);
            interest.route.mailbox.offer(route, message, &mut full);
        }
        full
    }
}

/// Offers a message to everybody on a topic: one lock and at most one wake per mailbox.
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
    let mut full = Vec::new();
    for group in routes.routes.chunk_by(|a, b| Arc::ptr_eq(&a.mailbox, &b.mailbox)) {
        group[0].mailbox.offer(group, message, &mut full);
    }
    Ok(full)
}

impl Registry {
    fn keeps(&self, topic: &str) -> bool {
        self.literal.contains_key(topic) || self.pinned.contains(topic)
    }

    fn check_types(&self, plan: &[(LanePlan, Option<TypeTag>)]) -> Result<(), SubscribeError> {
        let mut new: FxHashMap<&str, TypeTag> = FxHashMap::default();
        for (lane, takes) in plan {
            let topic = lane.topic.as_str();
            let Some(found) = takes.filter(|_| !is_pattern(topic)) else { continue };
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
        routes.sort_by_key(|route| (route.mailbox.node(0).mailbox, route.lane));
        Routes {
            has_envelopes: routes.iter().any(|route| route.takes.is_none()),
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
    }
}
