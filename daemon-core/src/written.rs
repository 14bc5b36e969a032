//! How lengths of time are written: whole milliseconds or microseconds, with the unit in the name of the field.
//!
//! What is shorter than the unit is rounded down; what is longer than 64 bits can hold is written as the longest.

/// A module for `#[serde(with = "…")]`, and one in it for what may be absent.
macro_rules! unit {
    ($unit:ident, $of:ident, $from:ident) => {
        pub(crate) mod $unit {
            use serde::{Deserialize, Deserializer, Serializer};
            use std::time::Duration;

            fn count(length: Duration) -> u64 {
                u64::try_from(length.$of()).unwrap_or(u64::MAX)
            }

            pub(crate) fn serialize<S: Serializer>(length: &Duration, to: S) -> Result<S::Ok, S::Error> {
                to.serialize_u64(count(*length))
            }

            pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
                u64::deserialize(from).map(Duration::$from)
            }

            pub(crate) mod option {
                use super::{Deserialize, Deserializer, Duration, Serializer, count};

                pub(crate) fn serialize<S: Serializer>(length: &Option<Duration>, to: S) -> Result<S::Ok, S::Error> {
                    match length {
                        Some(length) => to.serialize_some(&count(*length)),
                        None => to.serialize_none(),
                    }
                }

                pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
                    Ok(Option::deserialize(from)?.map(Duration::$from))
                }
            }
        }
    };
}

unit!(ms, as_millis, from_millis);
unit!(us, as_micros, from_micros);

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Serialize};
    use std::time::Duration;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Lengths {
        #[serde(rename = "age_ms", with = "super::ms")]
        age: Duration,
        #[serde(rename = "took_us", with = "super::us::option")]
        took: Option<Duration>,
    }

    #[test]
    fn the_unit_is_in_the_name() {
        let lengths = Lengths { age: Duration::from_millis(1_500), took: Some(Duration::from_micros(7)) };
        let json = serde_json::to_string(&lengths).unwrap();
        assert_eq!(json, r#"{"age_ms":1500,"took_us":7}"#);
        assert_eq!(serde_json::from_str::<Lengths>(&json).unwrap(), lengths);
        let none = Lengths { age: Duration::MAX, took: None };
        let json = serde_json::to_string(&none).unwrap();
        assert_eq!(json, format!(r#"{{"age_ms":{},"took_us":null}}"#, u64::MAX));
        assert_eq!(serde_json::from_str::<Lengths>(&json).unwrap().took, None);
    }
}
