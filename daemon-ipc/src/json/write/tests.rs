use super::*;
use proptest::prelude::*;
use serde::Serialize;
use serde_json::{Number, Value, value::RawValue};
use std::collections::BTreeMap;

fn written<T: Serialize + ?Sized>(value: &T) -> Result<String, String> {
    let mut to = b"before ".to_vec();
    write(value, &mut to).map_err(|fault| fault.to_string())?;
    let text = String::from_utf8(to).unwrap();
    Ok(text.strip_prefix("before ").unwrap().to_owned())
}

fn by_serde<T: Serialize + ?Sized>(value: &T) -> Result<String, String> {
    serde_json::to_string(value).map_err(|fault| fault.to_string())
}

#[derive(Clone, Debug, Serialize)]
struct Unit;

#[derive(Clone, Debug, Serialize)]
struct Newtype(Option<u64>);

#[derive(Clone, Debug, Serialize)]
struct Pair(i8, char);

#[derive(Clone, Debug, Serialize)]
struct Empty {}

#[derive(Clone, Debug, Serialize)]
struct Flat {
    name: String,
    #[serde(flatten)]
    rest: BTreeMap<String, f32>,
}

/// One of each of serde's shapes.
#[derive(Clone, Debug, Serialize)]
enum Shape {
    Unit,
    Newtype(Newtype),
    Tuple(u8, i128, u128),
    Struct {
        text: String,
        flag: bool,
        none: Option<()>,
    },
    Nested(Vec<Shape>),
    Units(Unit, (), Empty),
    Pair(Pair),
    Flat(Flat),
    ByInt(BTreeMap<i64, f64>),
    ByBool(BTreeMap<bool, u16>),
    ByChar(BTreeMap<char, Vec<u8>>),
    Any(Value),
    #[serde(untagged)]
    Bare(String),
}

fn any_shape() -> impl Strategy<Value = Shape> {
    let leaf = prop_oneof![
        Just(Shape::Unit),
        any::<Option<u64>>().prop_map(|value| Shape::Newtype(Newtype(value))),
        any::<(u8, i128, u128)>().prop_map(|(a, b, c)| Shape::Tuple(a, b, c)),
        any::<(String, bool)>().prop_map(|(text, flag)| Shape::Struct { text, flag, none: None }),
        Just(Shape::Units(Unit, (), Empty {})),
        any::<(i8, char)>().prop_map(|(a, b)| Shape::Pair(Pair(a, b))),
        (any::<String>(), prop::collection::btree_map(any::<String>(), any::<f32>(), 0..3))
            .prop_map(|(name, rest)| Shape::Flat(Flat { name, rest })),
        prop::collection::btree_map(any::<i64>(), any::<f64>(), 0..3).prop_map(Shape::ByInt),
        prop::collection::btree_map(any::<bool>(), any::<u16>(), 0..3).prop_map(Shape::ByBool),
        prop::collection::btree_map(any::<char>(), any::<Vec<u8>>(), 0..3).prop_map(Shape::ByChar),
        any::<f64>().prop_map(|number| Shape::Any(number.into())),
        any::<String>().prop_map(Shape::Bare),
    ];
    leaf.prop_recursive(3, 20, 4, |inner| prop::collection::vec(inner, 0..4).prop_map(Shape::Nested))
}

proptest! {
    #[test]
    fn every_shape_is_written_as_serde_json_writes_it(shape in any_shape()) {
        prop_assert_eq!(written(&shape), by_serde(&shape));
    }

    #[test]
    fn every_string_is_written_as_serde_json_writes_it(text in any::<String>(), times in 1_usize..40) {
        let text = text.repeat(times);
        prop_assert_eq!(written(&text), by_serde(&text));
    }

    #[test]
    fn every_character_below_128_is_escaped_as_serde_json_escapes_it(before in 0_usize..40) {
        for byte in 0..128_u8 {
            let text = format!("{}{}é", "x".repeat(before), char::from(byte));
            prop_assert_eq!(written(&text), by_serde(&text));
        }
    }
}

struct Bytes;

impl Serialize for Bytes {
    fn serialize<S: ser::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&[1, 2])
    }
}

struct Refuses;

impl Serialize for Refuses {
    fn serialize<S: ser::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(ser::Error::custom("will not"))
    }
}

/// A map with one key of any kind, which a `BTreeMap` would want ordered.
struct Keyed<K>(K);

impl<K: Serialize> Serialize for Keyed<K> {
    fn serialize<S: ser::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map([(&self.0, ())])
    }
}

#[test]
fn rare_shapes_are_written_as_serde_json_writes_them() {
    assert_eq!(written(&Bytes), by_serde(&Bytes));
    assert_eq!(written(&f64::NAN), by_serde(&f64::NAN));
    assert_eq!(written(&format_args!("{}-{}", 1, "\"")), by_serde(&format_args!("{}-{}", 1, "\"")));
    assert_eq!(written(&Keyed(1.5_f32)), by_serde(&Keyed(1.5_f32)));
    assert_eq!(written(&Keyed(1.5_f64)), by_serde(&Keyed(1.5_f64)));
    assert_eq!(written(&Keyed(u128::MAX)), by_serde(&Keyed(u128::MAX)));
    assert_eq!(written(&Keyed(Shape::Unit)), by_serde(&Keyed(Shape::Unit)));
    assert_eq!(written(&Keyed(Some("a"))), by_serde(&Keyed(Some("a"))));
    assert_eq!(written(&Keyed(Newtype(Some(1)))), by_serde(&Keyed(Newtype(Some(1)))));
}

#[test]
fn what_serde_json_refuses_is_refused_in_its_words() {
    macro_rules! refused {
        ($($value:expr),+ $(,)?) => {$(
            let (ours, theirs) = (written(&$value), by_serde(&$value));
            assert!(ours.is_err(), "{ours:?}");
            assert_eq!(ours, theirs);
        )+};
    }
    refused!(
        Refuses,
        vec![Refuses],
        Keyed(()),
        Keyed(Bytes),
        Keyed(Unit),
        Keyed(None::<u8>),
        Keyed(f64::NAN),
        Keyed(f32::INFINITY),
        Keyed(vec![1]),
        Keyed((1, 2)),
        Keyed(Pair(1, 'a')),
        Keyed(Empty {}),
        Keyed(Keyed("a")),
        Keyed(Shape::Newtype(Newtype(None))),
        Keyed(Shape::Tuple(1, 2, 3)),
        Keyed(Shape::Struct { text: String::new(), flag: true, none: None }),
    );
}

#[test]
fn raw_values_and_numbers_come_through_as_they_are() {
    let raw: Box<RawValue> = serde_json::from_str(r#"{ "a" : 12345678901234567890123, "b":1.50e2 }"#).unwrap();
    let inside = BTreeMap::from([("raw", raw)]);
    assert_eq!(written(&inside), by_serde(&inside));
    assert!(written(&inside).unwrap().contains("1.50e2"));
    for number in [Number::from(u64::MAX), Number::from(i64::MIN), Number::from_f64(0.1).unwrap()] {
        assert_eq!(written(&number), by_serde(&number));
    }
}
