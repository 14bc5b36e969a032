//! The seven collections of the chat system, and the events that tell of their changes.

use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;
use std::time::{SystemTime, UNIX_EPOCH};

use daemon_core::Event;
use serde::{Deserialize, Serialize};

use crate::store::{Cell, Entity, Table, Value, entity};

entity! {
    /// A person or a persona.
    User in "users" {
        id: String,
        display_name: String,
        kind: UserKind,
        status: Status,
    }
}

entity! {
    /// A place where messages are written.
    Room in "rooms" {
        id: String,
        members: Vec<Member>,
        created_ms: u64,
    }
}

entity! {
    /// One line somebody wrote.
    ChatMessage in "chat_messages" {
        id: String,
        room: String,
        sender: String,
        text: String,
        sent_ms: u64,
    }
}

entity! {
    /// One file of the watched tree; its path is relative to that tree.
    CodeFile in "code_index" {
        path: String,
        language: String,
        bytes: u64,
        modified_ms: u64,
    }
}

entity! {
    /// A connection of one user to the room system.
    Session in "sessions" {
        id: String,
        user: String,
        started_ms: u64,
        seen_ms: u64,
    }
}

entity! {
    /// A piece of conversation a model could be trained on.
    TrainingExample in "training_examples" {
        id: String,
        room: String,
        turns: Vec<Turn>,
        created_ms: u64,
    }
}

entity! {
    /// The right of one holder to change one file for a while.
    Lease in "leases" {
        path: String,
        holder: String,
        expires_ms: u64,
    }
}

/// Every table of the database.
pub(crate) const TABLES: [&Table; 7] = [
    User::TABLE,
    Room::TABLE,
    ChatMessage::TABLE,
    CodeFile::TABLE,
    Session::TABLE,
    TrainingExample::TABLE,
    Lease::TABLE,
];

/// Who a user is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum UserKind {
    Human,
    Persona,
}

/// Whether a user can be spoken to now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Status {
    Online,
    Offline,
}

/// A user's place in a room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Member {
    pub(crate) user: String,
    pub(crate) joined_ms: u64,
}

/// One message of a training example.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Turn {
    pub(crate) sender: String,
    pub(crate) text: String,
}

/// Words of a closed set are stored as they are read.
macro_rules! word_cell {
    ($type:ty { $($variant:ident = $word:literal),+ $(,)? }) => {
        impl Cell for $type {
            const SQL: &'static str = "TEXT NOT NULL";

            fn to_value(&self) -> Value {
                Value::Text(match self { $(Self::$variant => $word,)+ }.to_owned())
            }

            fn from_value(value: Value) -> Option<Self> {
                match String::from_value(value)?.as_str() {
                    $($word => Some(Self::$variant),)+
                    _ => None,
                }
            }
        }
    };
}

word_cell!(UserKind { Human = "human", Persona = "persona" });
word_cell!(Status { Online = "online", Offline = "offline" });

/// `data:<collection>:created`: the row is committed and was not there before.
#[derive(Debug)]
pub(crate) struct Created<T>(pub(crate) T);

/// `data:<collection>:updated`: the row is committed and differs from what was there.
#[derive(Debug)]
pub(crate) struct Updated<T>(pub(crate) T);

/// `data:<collection>:deleted`: the row is gone.
pub(crate) struct Deleted<T> {
    pub(crate) id: String,
    of: PhantomData<fn() -> T>,
}

impl<T> Deleted<T> {
    pub(crate) fn new(id: String) -> Self {
        Self { id, of: PhantomData }
    }
}

impl<T> fmt::Debug for Deleted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deleted").field("id", &self.id).finish_non_exhaustive()
    }
}

impl<T> Deref for Created<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> Deref for Updated<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

// One generic impl per kind of change instead of twenty-one structs: `Event` may be written by hand like any trait.
impl<T: Entity> Event for Created<T> {
    const TOPIC: &'static str = T::CREATED;

    fn to_json(&self) -> Option<serde_json::Result<serde_json::Value>> {
        Some(serde_json::to_value(&self.0))
    }
}

impl<T: Entity> Event for Updated<T> {
    const TOPIC: &'static str = T::UPDATED;

    fn to_json(&self) -> Option<serde_json::Result<serde_json::Value>> {
        Some(serde_json::to_value(&self.0))
    }
}

impl<T: Entity> Event for Deleted<T> {
    const TOPIC: &'static str = T::DELETED;

    fn to_json(&self) -> Option<serde_json::Result<serde_json::Value>> {
        Some(Ok(serde_json::json!({ "id": self.id })))
    }
}

/// Milliseconds since 1970; 0 on a clock set before it.
pub(crate) fn now_ms() -> u64 {
    millis(SystemTime::now())
}

/// A point of wall-clock time as milliseconds since 1970; 0 before it.
pub(crate) fn millis(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
