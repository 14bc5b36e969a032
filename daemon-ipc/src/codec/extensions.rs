//! What two ends that know more than requests and responses say to each other beside them. Owns the greeting, the meaning of the
//! extension keys and their defaults.

use super::{Envelope, FrameError};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::DeserializeOwned};
use std::{collections::BTreeMap, time::Duration};

/// The version of the extensions this crate speaks.
pub const PROTOCOL_VERSION: u32 = 1;

/// What one end can do beyond answering requests; sent with the first request and with its answer.
///
/// ```
/// use daemon_ipc::{Capabilities, Hello};
///
/// let hello: Hello = serde_json::from_str(r#"{"version":7,"capabilities":["cancel","fly"],"commands":{"user":"a1b2"}}"#)?;
/// assert!(hello.capabilities.cancel && !hello.capabilities.push);
/// let common = hello.common(Capabilities::all());
/// assert_eq!((common.version, common.capabilities), (1, hello.capabilities));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Hello {
    /// The highest version of the extensions it speaks.
    pub version: u32,
    /// What it can do.
    #[serde(default)]
    pub capabilities: Capabilities,
    /// What the commands of each daemon look like, as a hash, if it has told; from a server.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub commands: BTreeMap<String, String>,
}

impl Hello {
    /// The greeting of this crate, by one who has such commands.
    #[must_use]
    pub fn new(commands: BTreeMap<String, String>) -> Self {
        Self { version: PROTOCOL_VERSION, capabilities: Capabilities::all(), commands }
    }

    /// What this end and the one that sent this greeting have in common, if this end can do `ours`.
    #[must_use]
    pub fn common(&self, ours: Capabilities) -> Self {
        let version = self.version.min(PROTOCOL_VERSION);
        // Version 0 is none of which anything could be known.
        let capabilities = if version == 0 { Capabilities::default() } else { self.capabilities.and(ours) };
        Self { version, capabilities, commands: BTreeMap::new() }
    }
}

macro_rules! capabilities {
    ($($(#[$doc:meta])+ $name:ident)+) => {
        /// A set of abilities, as a list of their names on the wire. Names that are not known are passed over.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct Capabilities {
            $($(#[$doc])+ pub $name: bool,)+
        }

        impl Capabilities {
            /// All there are.
            #[must_use]
            pub const fn all() -> Self {
                Self { $($name: true,)+ }
            }

            /// What both have.
            #[must_use]
            pub const fn and(self, other: Self) -> Self {
                Self { $($name: self.$name & other.$name,)+ }
            }
        }

        impl Serialize for Capabilities {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let all = [$((self.$name, stringify!($name)),)+];
                serializer.collect_seq(all.iter().filter(|(has, _)| *has).map(|(_, name)| name))
            }
        }

        impl<'de> Deserialize<'de> for Capabilities {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let names: Vec<String> = Vec::deserialize(deserializer)?;
                Ok(Self { $($name: names.iter().any(|name| name == stringify!($name)),)+ })
            }
        }
    };
}

capabilities! {
    /// Requests can be given up with a message of type `cancel`.
    cancel
    /// A request's `deadline` is kept.
    deadline
    /// A request can be answered with many items.
    stream
    /// Messages of type `event` are understood.
    push
}

/// What the extension keys of a message say. An absent key says what its default is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Extensions {
    /// The greeting.
    pub hello: Option<Hello>,
    /// How long the answer is worth something.
    pub deadline: Option<Duration>,
    /// How many items the sender can take.
    pub stream: Option<u32>,
    /// Whether another answer follows.
    pub more: bool,
    /// What an event is about.
    pub topic: Option<String>,
}

impl Extensions {
    pub(super) fn read(envelope: &Envelope<'_>) -> Result<Self, FrameError> {
        Ok(Self {
            hello: value_of("hello", envelope.hello)?,
            stream: value_of("stream", envelope.stream)?,
            more: value_of("more", envelope.more)?.unwrap_or(false),
            topic: value_of("topic", envelope.topic)?,
            deadline: deadline(envelope.deadline)?,
        })
    }
}

/// How long the answer is worth something, of its JSON.
pub(super) fn deadline(text: Option<&str>) -> Result<Option<Duration>, FrameError> {
    let milliseconds = match text.map(digits) {
        None => return Ok(None),
        Some(Some(milliseconds)) => Some(milliseconds),
        Some(None) => value_of("deadline", text)?,
    };
    Ok(milliseconds.map(Duration::from_millis))
}

/// A number that has few digits and nothing else.
fn digits(text: &str) -> Option<u64> {
    if text.len() > 15 {
        return None;
    }
    let digit = |byte: u8| byte.is_ascii_digit().then(|| u64::from(byte - b'0'));
    text.bytes().try_fold(0, |number, byte| Some(number * 10 + digit(byte)?))
}

fn value_of<T: DeserializeOwned>(key: &'static str, text: Option<&str>) -> Result<Option<T>, FrameError> {
    let value = text.map(serde_json::from_str).transpose();
    value.map_err(|source| FrameError::BadExtension { key, source })
}
