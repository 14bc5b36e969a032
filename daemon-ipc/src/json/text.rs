//! A piece of JSON text that is known to be JSON. Owns sharing it without copying.

use super::{read, write};
use bytestring::ByteString;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::DeserializeOwned};
use serde_json::value::RawValue;
use std::fmt;

/// One JSON value as text, exactly as it came or will go: numbers keep their digits, objects their order.
///
/// It shares the buffer it was read into. Cloning costs no copy; keeping a clone keeps the whole message in memory.
///
/// ```
/// use daemon_ipc::Json;
///
/// let json = Json::of(&[1, 2])?;
/// assert_eq!(json.as_str(), "[1,2]");
/// assert_eq!(json.read::<Vec<u8>>()?, [1, 2]);
/// assert_eq!("12345678901234567890123".parse::<Json>()?.as_str(), "12345678901234567890123");
/// assert!("{".parse::<Json>().is_err());
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Json(ByteString);

impl Json {
    /// `value` as JSON.
    ///
    /// # Errors
    ///
    /// What keeps `value` from being JSON: a map whose keys are no strings, or its own `Serialize`.
    pub fn of<T: Serialize + ?Sized>(value: &T) -> Result<Self, serde_json::Error> {
        let mut text = Vec::with_capacity(128);
        write(value, &mut text)?;
        Self::from_written(text)
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The value as a `T`.
    ///
    /// # Errors
    ///
    /// What keeps it from being one. Text nested more than 128 deep is refused, whatever `T` is.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        read(&self.0)
    }

    /// Text that was checked, as part of the line it stands in.
    pub(crate) fn part_of(line: &ByteString, text: &str) -> Self {
        Self(line.slice_ref(text))
    }

    /// Text that was checked.
    pub(crate) fn copy_of(text: &str) -> Self {
        Self(text.into())
    }

    fn from_written(text: Vec<u8>) -> Result<Self, serde_json::Error> {
        ByteString::try_from(text).map(Self).map_err(serde::ser::Error::custom)
    }
}

impl std::str::FromStr for Json {
    type Err = serde_json::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let value: &RawValue = serde_json::from_str(text)?;
        Ok(Self(value.get().into()))
    }
}

impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// As itself with JSON writers that know `serde_json`'s raw values, such as this crate's.
impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let value: &RawValue = serde_json::from_str(&self.0).map_err(serde::ser::Error::custom)?;
        value.serialize(serializer)
    }
}

/// From JSON readers that know `serde_json`'s raw values.
impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value: Box<RawValue> = Box::deserialize(deserializer)?;
        Ok(Self(value.get().into()))
    }
}
