use super::*;
use proptest::prelude::*;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, value::RawValue};
use std::{borrow::Cow, collections::BTreeMap, fmt::Debug};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Unit;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Newtype(Option<u64>);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Pair(i8, char);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Flat {
    name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    maybe: Option<f32>,
    #[serde(flatten)]
    rest: BTreeMap<String, Value>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "t", content = "c")]
enum Tagged {
    One,
    Two(u8),
}

/// One of each of serde's shapes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Shape {
    Unit,
    Newtype(Newtype),
    Tuple(u8, i128, u128),
    Struct { text: String, flag: bool, none: Option<()> },
    Nested(Vec<Shape>),
    Units(Unit, ()),
    Pair(Pair),
    Flat(Flat),
    Tagged(Tagged),
    Floats(f32, f64),
    ByInt(BTreeMap<i64, i64>),
    ByChar(BTreeMap<char, Vec<u8>>),
    ByUnit(BTreeMap<Key, ()>),
    Any(Value),
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
enum Key {
    A,
    B,
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-z\"\\\\]{0,4}", inner, 0..4)
                .prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    })
}

fn any_shape() -> impl Strategy<Value = Shape> {
    let leaf = prop_oneof![
        Just(Shape::Unit),
        any::<Option<u64>>().prop_map(|value| Shape::Newtype(Newtype(value))),
        any::<(u8, i128, u128)>().prop_map(|(a, b, c)| Shape::Tuple(a, b, c)),
        any::<(String, bool)>().prop_map(|(text, flag)| Shape::Struct { text, flag, none: None }),
        Just(Shape::Units(Unit, ())),
        any::<(i8, char)>().prop_map(|(a, b)| Shape::Pair(Pair(a, b))),
        (any::<String>(), any::<Option<f32>>(), prop::collection::btree_map("[b-l]{1,3}", any_value(), 0..3))
            .prop_map(|(name, maybe, rest)| Shape::Flat(Flat { name, maybe, rest })),
        prop_oneof![Just(Tagged::One), any::<u8>().prop_map(Tagged::Two)].prop_map(Shape::Tagged),
        any::<(f32, f64)>().prop_map(|(a, b)| Shape::Floats(a, b)),
        prop::collection::btree_map(any::<i64>(), any::<i64>(), 0..3).prop_map(Shape::ByInt),
        prop::collection::btree_map(any::<char>(), any::<Vec<u8>>(), 0..3).prop_map(Shape::ByChar),
        prop::collection::btree_map(prop_oneof![Just(Key::A), Just(Key::B)], Just(()), 0..3).prop_map(Shape::ByUnit),
        any_value().prop_map(Shape::Any),
    ];
    leaf.prop_recursive(3, 20, 4, |inner| prop::collection::vec(inner, 0..4).prop_map(Shape::Nested))
}

/// What both say; values by their text, since what is not a number equals nothing.
fn both<T: DeserializeOwned + Debug>(text: &str) -> [Result<String, String>; 2] {
    let told = |outcome: Result<T, Error>| outcome.map(|value| format!("{value:?}")).map_err(|error| error.to_string());
    [told(read(text)), told(serde_json::from_str(text))]
}

proptest! {
    #[test]
    fn every_shape_is_read_as_serde_json_reads_it(shape in any_shape(), pretty in any::<bool>()) {
        let text = if pretty { serde_json::to_string_pretty(&shape) } else { serde_json::to_string(&shape) }.unwrap();
        let [ours, theirs] = both::<Shape>(&text);
        prop_assert_eq!(ours, theirs);
    }

    #[test]
    fn what_does_not_fit_is_refused_in_the_words_of_serde_json(value in any_value()) {
        let text = value.to_string();
        let [ours, theirs] = both::<Shape>(&text);
        prop_assert_eq!(ours, theirs);
        let [ours, theirs] = both::<Flat>(&text);
        prop_assert_eq!(ours, theirs);
        let [ours, theirs] = both::<(u8, Option<String>)>(&text);
        prop_assert_eq!(ours, theirs);
        let [ours, theirs] = both::<Value>(&text);
        prop_assert_eq!(ours, theirs);
    }

    #[test]
    fn text_that_is_no_json_is_refused_too(text in any::<String>()) {
        let [ours, theirs] = both::<Value>(&text);
        prop_assert_eq!(ours, theirs);
    }
}

/// That the fast way is taken: what is left to `serde_json` is read twice.
fn is_read_here<'de, T: Deserialize<'de>>(text: &'de str) -> bool {
    let mut reader = Reader { text, at: 0, depth: 0 };
    T::deserialize(&mut reader).is_ok() && reader.at == text.len()
}

#[test]
fn what_is_common_is_read_here() {
    assert!(is_read_here::<Shape>(r#"{"Struct":{"text":"a\nb","flag":true,"none":null}}"#));
    assert!(is_read_here::<Shape>(r#"{"Nested":["Unit",{"Tuple":[1,-2,3]},{"Floats":[1.5,2]}]}"#));
    assert!(is_read_here::<Flat>(r#"{"name":"x","maybe":1.5,"a":[{"b":null}]}"#));
    assert!(is_read_here::<Value>(r#"{"a":[1,2.5,"x",{"b":null}]}"#));
    assert!(!is_read_here::<BTreeMap<u8, u8>>(r#"{"1":2}"#));
    assert!(!is_read_here::<&RawValue>("1"));
}

#[test]
fn a_string_without_escapes_is_borrowed() {
    #[derive(Deserialize)]
    struct Borrowed<'a> {
        #[serde(borrow)]
        text: Cow<'a, str>,
    }
    let read: Borrowed<'_> = read(r#"{"text":"plain"}"#).unwrap();
    assert!(matches!(read.text, Cow::Borrowed("plain")));
}

#[test]
fn raw_values_keys_that_are_numbers_and_bytes_are_read_too() {
    let raw: BTreeMap<u8, Box<RawValue>> = read(r#"{"7": 1.50}"#).unwrap();
    assert_eq!(raw[&7].get(), "1.50");
    let [ours, theirs] = both::<BTreeMap<bool, u8>>(r#"{"true":1}"#);
    assert_eq!(ours, theirs);
}

#[test]
fn nesting_ends_where_serde_json_ends_it() {
    for depth in [1, 126, 127, 128, 129, 10_000] {
        let text = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        let [ours, theirs] = both::<Value>(&text);
        assert_eq!(ours, theirs, "{depth}");
    }
}
