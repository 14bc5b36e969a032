//! Who speaks to nobody, and who listens to nobody, as far as daemons say what they publish.
//!
//! What is published, and who subscribes, can change at any time; what comes out are remarks, never faults.

use daemon_grammar::topic::overlaps;
use std::any::TypeId;
use std::collections::BTreeMap;

/// Somebody who says that it publishes.
#[derive(Clone, Debug)]
pub(crate) struct Voice {
    pub(crate) daemon: String,
    /// The topic or pattern.
    pub(crate) topic: &'static str,
    pub(crate) type_id: TypeId,
}

/// A handler and what it listens to.
#[derive(Clone, Debug)]
pub(crate) struct Listener {
    /// As `daemon.handler`.
    pub(crate) subscription: String,
    /// The topic or pattern.
    pub(crate) topic: &'static str,
    /// The type it takes; `None`: any.
    pub(crate) takes: Option<TypeId>,
}

impl Listener {
    fn hears(&self, voice: &Voice) -> bool {
        self.takes.is_none_or(|takes| takes == voice.type_id) && overlaps(self.topic, voice.topic)
    }
}

/// Remarks on what is said to be published, and no handler listens to.
pub(crate) fn unheard(voices: &[Voice], listeners: &[Listener]) -> Vec<String> {
    let mut topics: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for voice in voices.iter().filter(|voice| !listeners.iter().any(|listener| listener.hears(voice))) {
        topics.entry(voice.topic).or_default().push(format!("`{}`", voice.daemon));
    }
    let remark = |(topic, daemons): (&str, Vec<String>)| {
        let verb = if daemons.len() == 1 { "publishes" } else { "publish" };
        format!("no handler listens to `{topic}`, which {} {verb}", and(&daemons))
    };
    topics.into_iter().map(remark).collect()
}

/// Remarks on handlers to which nobody speaks. Only if every daemon says what it publishes is that known.
pub(crate) fn unfed(voices: &[Voice], listeners: &[Listener]) -> Vec<String> {
    let mut topics: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for listener in listeners.iter().filter(|listener| !voices.iter().any(|voice| listener.hears(voice))) {
        topics.entry(listener.topic).or_default().push(format!("`{}`", listener.subscription));
    }
    let remark = |(topic, handlers): (&str, Vec<String>)| {
        let verb = if handlers.len() == 1 { "listens" } else { "listen" };
        format!("no daemon publishes `{topic}`, to which {} {verb}", and(&handlers))
    };
    topics.into_iter().map(remark).collect()
}

fn and(names: &[String]) -> String {
    match names.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::{Listener, Voice, unfed, unheard};
    use std::any::TypeId;

    fn voice<E: 'static>(daemon: &str, topic: &'static str) -> Voice {
        Voice { daemon: daemon.into(), topic, type_id: TypeId::of::<E>() }
    }

    fn listener(subscription: &str, topic: &'static str, takes: Option<TypeId>) -> Listener {
        Listener { subscription: subscription.into(), topic, takes }
    }

    #[test]
    fn each_topic_is_told_once_with_all_it_concerns() {
        let voices = [
            voice::<u8>("a", "x:one"),
            voice::<u8>("b", "x:one"),
            voice::<u16>("b", "x:two"),
            voice::<u32>("c", "y:*"),
            voice::<u64>("c", "z"),
        ];
        let listeners = [
            listener("l.two", "x:*", Some(TypeId::of::<u16>())),
            listener("l.y", "y:three", None),
            listener("l.w", "w", None),
            listener("m.w", "w", Some(TypeId::of::<u8>())),
            listener("n.w", "w", None),
        ];
        assert_eq!(
            unheard(&voices, &listeners),
            [
                "no handler listens to `x:one`, which `a` and `b` publish",
                "no handler listens to `z`, which `c` publishes"
            ]
        );
        assert_eq!(unfed(&voices, &listeners), ["no daemon publishes `w`, to which `l.w`, `m.w` and `n.w` listen"]);
    }
}
