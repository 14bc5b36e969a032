//! The bus: finds who gets a published event. One per host.
//!
//! It knows subscriptions, not lives: a mailbox stays registered while its daemon restarts. A topic has an entry while
//! somebody subscribes to exactly it, or once a type whose topic it is was published; any other topic is matched against the
//! patterns at each publish and leaves nothing behind, so that names made up at run time cost no memory.
//!
//! **Invariant:** the registry's lock orders all changes; every table a publisher reads is outdated, and made anew, under it. No user
//! code runs inside, and no lock is taken but that of the shelf of retained events and that of a mailbox nobody knows yet.

use super::Event;
use super::error::SubscribeError;
use super::event::discard;
use super::gate::Gate;
use super::late;
use super::ledger::Ledger;
use super::mailbox::Mailbox;
use super::plan::{LanePlan, MailboxPlan};
use super::publish::Publisher;
use super::registry::{Interest, Registry};
use super::retained::Retained;
use super::routes::{Route, Routes, TopicEntry, Topics};
use super::state::Phase;
use super::tap::Taps;
use super::topic::Topic;
use super::undeclared::{Slip, Undeclared};
use super::unheard::Unheard;
use super::wait_graph::WaitGraph;
use crate::sync::{Mutex, MutexGuard};
use arc_swap::ArcSwapOption;
use daemon_grammar::topic::{check_pattern, is_pattern, matches};
use std::any::TypeId;
use std::sync::{Arc, PoisonError};

/// Carries events from publishers to subscriptions.
#[derive(Debug, Default)]
pub struct Bus {
    pub(super) topics: Topics,
    /// `None`: they have changed.
    pub(super) patterns: ArcSwapOption<Vec<Interest>>,
    registry: Mutex<Registry>,
    graph: Arc<WaitGraph>,
    pub(super) unheard: Unheard,
    pub(super) undeclared: Undeclared,
    pub(super) retained: Retained,
    pub(super) taps: Taps,
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
        Publisher::new(self.clone(), name.into(), None)
    }

    /// As [`publisher`](Self::publisher), of a daemon that says which types it publishes.
    pub(crate) fn publisher_of(self: &Arc<Self>, name: &str, declared: Box<[TypeId]>) -> Publisher {
        Publisher::new(self.clone(), name.into(), Some(declared))
    }

    /// The events that publishers had not declared, though they had declared others.
    pub(crate) fn undeclared(&self) -> Vec<(String, Slip)> {
        self.undeclared.all()
    }

    /// How many topics have an entry.
    #[must_use]
    pub fn topics(&self) -> usize {
        self.topics.len()
    }

    /// How many (topic, type) pairs are subscribed to, each counted once per daemon; taps are not.
    #[must_use]
    pub fn subscriptions(&self) -> usize {
        self.lock().iter().filter(|interest| !interest.route.is_tap).count()
    }

    /// The topics on which something was published that nobody heard: first by whom, and how often.
    pub(crate) fn unheard(&self) -> Vec<(String, String, u64)> {
        let mut found = self.unheard.of_no_entry();
        found.extend(self.topics.all().into_iter().filter_map(|entry| {
            let (publisher, events) = entry.unheard.read()?;
            Some((entry.topic.as_str().to_owned(), publisher, events))
        }));
        found.sort();
        found
    }

    /// Ends the spans of events that are retained and whose publisher, a daemon, has stopped.
    pub(crate) fn end_spans(&self, publisher: &str) {
        self.retained.end_spans(publisher);
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
            mailbox.begin(late::find(&shelf, &lanes), &lanes)
        };
        drop(registry);
        beginning.hand_over(&mailbox, &lanes);
        Ok(Registration { bus: self.clone(), mailbox, lanes, ledger: None })
    }

    fn add(&self, registry: &mut Registry, lanes: &[Interest]) {
        for lane in lanes {
            registry.add(lane);
            if !is_pattern(&lane.topic) && self.topics.get(&lane.topic).is_none() {
                self.topics.insert(TopicEntry::new(Topic::Shared(lane.topic.clone())));
            }
        }
        self.outdate(lanes);
    }

    fn unregister(&self, lanes: &[Interest]) {
        let mut registry = self.lock();
        lanes.iter().for_each(|lane| registry.remove(lane));
        self.outdate(lanes);
        for lane in lanes.iter().filter(|lane| !is_pattern(&lane.topic) && !registry.keeps(&lane.topic)) {
            self.topics.remove(&lane.topic);
        }
    }

    /// Has the tables made anew that these concern, by the next publisher who needs them.
    fn outdate(&self, lanes: &[Interest]) {
        let (patterns, literal): (Vec<_>, Vec<_>) = lanes.iter().partition(|lane| is_pattern(&lane.topic));
        for entry in literal.iter().filter_map(|lane| self.topics.get(&lane.topic)) {
            entry.routes.store(None);
        }
        if patterns.is_empty() {
            return;
        }
        self.patterns.store(None);
        for entry in self.topics.all() {
            if patterns.iter().any(|lane| matches(&lane.topic, entry.topic.as_str())) {
                entry.routes.store(None);
            }
        }
    }

    /// Who gets what is published on a topic, after a change.
    #[cold]
    pub(super) fn routes(&self, entry: &TopicEntry) -> Arc<Routes> {
        let registry = self.lock();
        let routes = Arc::new(registry.routes(entry.topic.as_str()));
        entry.routes.store(Some(routes.clone()));
        routes
    }

    /// All patterns, after a change.
    #[cold]
    fn new_patterns(&self) -> Arc<Vec<Interest>> {
        let registry = self.lock();
        let patterns = Arc::new(registry.patterns());
        self.patterns.store(Some(patterns.clone()));
        patterns
    }

    /// All patterns.
    #[inline]
    pub(super) fn patterns(&self) -> Arc<Vec<Interest>> {
        self.patterns.load_full().unwrap_or_else(|| self.new_patterns())
    }

    /// The entry of a type's own topic, which stays for good: publishers may keep it.
    #[cold]
    pub(super) fn entry_of_type(&self, topic: &'static str) -> Arc<TopicEntry> {
        let mut registry = self.lock();
        registry.pin(topic);
        if let Some(entry) = self.topics.get(topic) {
            return entry;
        }
        let entry = TopicEntry::new(Topic::Static(topic));
        self.topics.insert(entry.clone());
        entry
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
        self.bus.unregister(&self.lanes);
    }

    /// Keeps events for the next life, which begins with the retained ones that were missed since the one before was stopped; `anew`:
    /// with all there are, for it is that of another value, which has seen none.
    pub(crate) fn begin(&self, anew: bool) {
        self.mailbox.buffer();
        let beginning = {
            let shelf = self.bus.retained.lock();
            if !anew && self.mailbox.has_missed_nothing() {
                return;
            }
            self.mailbox.begin_again(late::find(&shelf, &self.lanes), &self.lanes, anew)
        };
        beginning.hand_over(&self.mailbox, &self.lanes);
    }

    /// Refuses new events and abandons what is queued; of that, what is retained was missed.
    pub(crate) fn close(&self) {
        let abandoned = self.mailbox.abandon();
        if !abandoned.is_empty() {
            let shelf = self.bus.retained.lock();
            self.mailbox.missed(&abandoned, &late::find(&shelf, &self.lanes), &self.lanes);
        }
        abandoned.into_iter().for_each(|(_, event)| discard(event));
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
