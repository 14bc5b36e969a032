//! Finds topics on which two types are expected: a check before anything starts.

use rustc_hash::FxHashMap;
use std::any::TypeId;
use std::fmt;

/// Somebody's wish for one type on one topic or pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TypedTopic {
    /// Who wishes it, as `daemon.handler`.
    pub(crate) subscription: String,
    /// The topic or pattern.
    pub(crate) topic: &'static str,
    /// The type.
    pub(crate) type_id: TypeId,
    /// The type's name.
    pub(crate) type_name: &'static str,
}

/// Two types on one topic; each published event would be wrong for one of the two.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TypeClash {
    /// The first to name the topic.
    pub(crate) first: TypedTopic,
    /// The first to name it with another type.
    pub(crate) second: TypedTopic,
}

impl fmt::Display for TypeClash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { first, second } = self;
        write!(
            f,
            "topic `{}` carries {} for `{}` and {} for `{}`; give each type its own topic",
            first.topic, first.type_name, first.subscription, second.type_name, second.subscription
        )
    }
}

/// Every clash of types among `topics`, each once. Patterns clash only with themselves: events of other types on topics that
/// they select do not reach a typed handler.
pub(crate) fn type_clashes(topics: impl IntoIterator<Item = TypedTopic>) -> Vec<TypeClash> {
    let mut known: FxHashMap<&str, TypedTopic> = FxHashMap::default();
    let mut clashes: Vec<TypeClash> = Vec::new();
    for second in topics {
        let first = known.entry(second.topic).or_insert_with(|| second.clone());
        let is_new = |clash: &TypeClash| clash.second.topic != second.topic || clash.second.type_id != second.type_id;
        if first.type_id != second.type_id && clashes.iter().all(is_new) {
            clashes.push(TypeClash { first: first.clone(), second });
        }
    }
    clashes
}

#[cfg(test)]
mod tests {
    use super::{TypedTopic, type_clashes};
    use std::any::{TypeId, type_name};

    fn row<E: 'static>(subscription: &str, topic: &'static str) -> TypedTopic {
        TypedTopic { subscription: subscription.into(), topic, type_id: TypeId::of::<E>(), type_name: type_name::<E>() }
    }

    #[test]
    fn each_pair_of_types_is_told_once_for_each_topic() {
        let rows = [
            row::<u8>("a.x", "t"),
            row::<u8>("b.x", "t"),
            row::<u16>("b.y", "t"),
            row::<u16>("c.y", "t"),
            row::<u16>("c.z", "t:*"),
            row::<u8>("a.x", "s"),
            row::<u16>("b.y", "s"),
            row::<u32>("d.y", "t"),
        ];
        let clashes: Vec<String> = type_clashes(rows).iter().map(ToString::to_string).collect();
        let told = [("t", "u16 for `b.y`"), ("s", "u16 for `b.y`"), ("t", "u32 for `d.y`")].map(|(topic, second)| {
            format!("topic `{topic}` carries u8 for `a.x` and {second}; give each type its own topic")
        });
        assert_eq!(clashes, told);
    }
}
