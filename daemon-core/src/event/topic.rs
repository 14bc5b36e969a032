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

/// Eight bytes at a time, and so that the compiler hashes a type's topic.
pub(crate) const fn hash(text: &str) -> u64 {
    let (mut bytes, mut hash) = (text.as_bytes(), text.len() as u64);
    while let Some((word, rest)) = bytes.split_first_chunk() {
        hash = mix(hash, u64::from_le_bytes(*word));
        bytes = rest;
    }
    let (mut last, mut at) = (0, 0);
    while at < bytes.len() {
        last |= (bytes[at] as u64) << (8 * at);
        at += 1;
    }
    let hash = mix(hash, last);
    hash ^ (hash >> 32)
}

const fn mix(hash: u64, word: u64) -> u64 {
    (hash.rotate_left(5) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15)
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
