//! A topic's text, its hash, and what is known of an event type's topic at compile time.

use super::Event;
use std::marker::PhantomData;
use std::sync::Arc;

/// The text of a topic or pattern, shared rather than copied.
#[derive(Clone, Debug)]
pub(crate) enum Topic {
    Static(&'static str),
    Shared(Arc<str>),
}

impl Topic {
    pub(crate) fn as_str(&self) -> &str {
        match self {
            Self::Static(text) => text,
            Self::Shared(text) => text,
        }
    }
}

/// FNV-1a, so that a type's topic is hashed by the compiler.
pub(crate) const fn hash(text: &str) -> u64 {
    let bytes = text.as_bytes();
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut at = 0;
    while at < bytes.len() {
        hash = (hash ^ bytes[at] as u64).wrapping_mul(0x0100_0000_01b3);
        at += 1;
    }
    hash
}

/// What the compiler can tell of a type's topic.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Topic,
    Pattern,
    Malformed,
}

/// The same answer as the grammar's `check_topic`, as a constant.
const fn form(text: &str) -> Form {
    let bytes = text.as_bytes();
    let (mut at, mut length, mut wildcard) = (0, 0, false);
    while at < bytes.len() {
        match bytes[at] {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'_' | b'.' | b'-' => length += 1,
            b'*' => {
                wildcard = true;
                length += 1;
            }
            b':' if length > 0 => length = 0,
            _ => return Form::Malformed,
        }
        at += 1;
    }
    match (length, wildcard) {
        (0, _) => Form::Malformed,
        (_, true) => Form::Pattern,
        (_, false) => Form::Topic,
    }
}

/// The constants of an event type's topic.
pub(crate) struct TopicOf<E>(PhantomData<E>);

impl<E: Event> TopicOf<E> {
    pub(crate) const HASH: u64 = hash(E::TOPIC);
    pub(crate) const FORM: Form = form(E::TOPIC);
}

#[cfg(test)]
mod tests {
    use super::{Form, form};
    use daemon_grammar::topic::check_topic;

    #[test]
    fn the_constant_answer_is_the_grammars() {
        for topic in ["", "a", "a:b", ":a", "a:", "a::b", "a b", "a:\u{e9}", "A-1_.:x", "a:*", "**", "a:b*"] {
            assert_eq!(form(topic) == Form::Topic, check_topic(topic).is_ok(), "{topic:?}");
        }
    }
}
