//! Who subscribes to what: the truth from which the tables are made that publishers read.

use super::error::SubscribeError;
use super::plan::LanePlan;
use super::routes::{Route, Routes, TypeTag};
use daemon_grammar::topic::{is_pattern, matches};
use rustc_hash::{FxHashMap, FxHashSet};
use std::collections::BTreeMap;
use std::sync::Arc;

/// One lane's wish for a topic or pattern.
#[derive(Clone, Debug)]
pub(crate) struct Interest {
    pub(crate) topic: Arc<str>,
    pub(crate) route: Route,
}

impl Interest {
    /// Mailboxes in the order of their making, the lanes of one beside each other.
    fn place(&self) -> (u64, u32) {
        (self.route.mailbox.id(), self.route.lane)
    }
}

/// Interests in the order of their mailboxes.
type Interests = BTreeMap<(u64, u32), Interest>;

#[derive(Debug, Default)]
pub(crate) struct Registry {
    literal: FxHashMap<Arc<str>, Interests>,
    patterns: Interests,
    /// Topics of types that were published: their entries stay.
    pinned: FxHashSet<&'static str>,
}

impl Registry {
    pub(crate) fn add(&mut self, interest: &Interest) {
        let interests = if is_pattern(&interest.topic) {
            &mut self.patterns
        } else {
            self.literal.entry(interest.topic.clone()).or_default()
        };
        interests.insert(interest.place(), interest.clone());
    }

    pub(crate) fn remove(&mut self, interest: &Interest) {
        if is_pattern(&interest.topic) {
            self.patterns.remove(&interest.place());
        } else if let Some(interests) = self.literal.get_mut(&interest.topic) {
            interests.remove(&interest.place());
            if interests.is_empty() {
                self.literal.remove(&interest.topic);
            }
        }
    }

    /// Keeps the entry of a topic for good.
    pub(crate) fn pin(&mut self, topic: &'static str) {
        self.pinned.insert(topic);
    }

    /// Whether a topic has an entry.
    pub(crate) fn keeps(&self, topic: &str) -> bool {
        self.literal.contains_key(topic) || self.pinned.contains(topic)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Interest> {
        self.literal.values().chain([&self.patterns]).flat_map(BTreeMap::values)
    }

    pub(crate) fn patterns(&self) -> Vec<Interest> {
        self.patterns.values().cloned().collect()
    }

    /// Who gets what is published on a topic: those who name it, and those whose pattern selects it.
    pub(crate) fn routes(&self, topic: &str) -> Routes {
        let literal = self.literal.get(topic).into_iter().flat_map(BTreeMap::values);
        let expects = literal.clone().find_map(|interest| interest.route.takes);
        routes_of(literal, self.patterns.values(), topic, expects)
    }

    /// Checks that all who name a topic take the same type.
    pub(crate) fn check_types(&self, lanes: &[LanePlan]) -> Result<(), SubscribeError> {
        let mut new: FxHashMap<&str, TypeTag> = FxHashMap::default();
        for lane in lanes {
            let topic = lane.topic.as_str();
            let Some(found) = lane.takes.filter(|_| !is_pattern(topic)) else { continue };
            let literal = self.literal.get(topic).into_iter().flat_map(BTreeMap::values);
            let known = literal.into_iter().find_map(|interest| interest.route.takes);
            let expected = known.unwrap_or(*new.entry(topic).or_insert(found));
            if expected.id != found.id {
                let topic = topic.to_owned();
                return Err(SubscribeError::TypeMismatch { topic, expected: expected.name, found: found.name });
            }
        }
        Ok(())
    }
}

/// Who of these gets what is published on a topic.
pub(crate) fn routes_of<'i>(
    literal: impl Iterator<Item = &'i Interest>,
    patterns: impl Iterator<Item = &'i Interest>,
    topic: &str,
    expects: Option<TypeTag>,
) -> Routes {
    let matching = patterns.filter(|interest| matches(&interest.topic, topic));
    let mut all: Vec<&Interest> = literal.chain(matching).collect();
    all.sort_by_key(|interest| interest.place());
    let routes: Vec<Route> = all.into_iter().map(|interest| interest.route.clone()).collect();
    let has_gates = routes.iter().any(|route| route.gate.is_some());
    let plain = routes.first().and_then(|first| first.takes).map(|kind| kind.id);
    let is_plain = |route: &Route| route.takes.is_some_and(|kind| Some(kind.id) == plain);
    Routes {
        has_envelopes: routes.iter().any(|route| route.takes.is_none()),
        has_gates,
        plain: plain.filter(|_| !has_gates && routes.iter().all(is_plain)),
        last: routes.chunk_by(Route::is_beside).map(<[_]>::len).next_back().map_or(0, |last| routes.len() - last),
        heard: routes.iter().any(|route| !route.is_tap),
        expects,
        routes,
    }
}
