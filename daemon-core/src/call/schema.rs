//! What commands take and give, as JSON Schema, as far as their types tell; and a hash, by which two programs find out whether they take the
//! commands of a daemon to look the same.
//!
//! A type tells if it is a `schemars::JsonSchema` and the feature `schema` is on. Generated code finds that out by the way methods are
//! looked up: one that takes `SchemaOf<T>` by reference is found before one that takes a reference to that.

use std::marker::PhantomData;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A command that can be called, as its host describes it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CommandInfo {
    /// The daemon that answers it.
    pub daemon: String,
    /// Its name.
    pub command: String,
    /// What it does, for help texts: the documentation of its method.
    pub doc: String,
    /// The JSON Schema of what it takes; `None` if the type does not tell.
    pub request: Option<Value>,
    /// The JSON Schema of what it gives; `None` if the type does not tell.
    pub reply: Option<Value>,
}

/// A command's name, and how the schemas are made of what it takes and gives.
#[derive(Clone, Copy, Debug)]
pub struct Signature {
    pub(crate) name: &'static str,
    pub(crate) request: Option<fn() -> Value>,
    pub(crate) reply: Option<fn() -> Value>,
}

impl Signature {
    /// Of the command `name`.
    #[must_use]
    pub const fn new(name: &'static str, request: Option<fn() -> Value>, reply: Option<fn() -> Value>) -> Self {
        Self { name, request, reply }
    }
}

/// The JSON Schema of `T`, for the rows of commands that are written by hand.
///
/// ```
/// use daemon_core::{Command, schema_of};
/// # use daemon_core::Result;
/// # struct Calculator;
/// # fn boxed<T: Send + 'static>(value: T) -> daemon_core::BoxFuture<'static, Result<T>> { Box::pin(async { Ok(value) }) }
/// let double = Command::<Calculator>::new("double", "", |_, number: i64, _| boxed(2 * number))
///     .request_schema(schema_of::<i64>)
///     .reply_schema(schema_of::<i64>);
/// ```
#[cfg(feature = "schema")]
#[must_use]
pub fn schema_of<T: schemars::JsonSchema + ?Sized>() -> Value {
    schemars::SchemaGenerator::default().into_root_schema_for::<T>().to_value()
}

/// Asks a type for its schema.
#[derive(Debug)]
pub struct SchemaOf<T: ?Sized>(PhantomData<fn() -> T>);

impl<T: ?Sized> SchemaOf<T> {
    /// Asks `T`.
    pub const ASK: Self = Self(PhantomData);
}

/// Found first: of types that have a schema.
pub trait WithSchema {
    /// How it is made.
    fn schema(&self) -> Option<fn() -> Value>;
}

#[cfg(feature = "schema")]
impl<T: schemars::JsonSchema + ?Sized> WithSchema for SchemaOf<T> {
    fn schema(&self) -> Option<fn() -> Value> {
        Some(schema_of::<T>)
    }
}

/// Found after that: of any type.
pub trait WithoutSchema {
    /// There is none.
    fn schema(&self) -> Option<fn() -> Value> {
        None
    }
}

impl<T: ?Sized> WithoutSchema for &SchemaOf<T> {}

/// A hash of commands: of their names, whatever their order, and of their schemas as far as they say what is valid. Titles and
/// descriptions do not count.
pub(crate) fn hash(commands: &[Signature]) -> String {
    let mut sorted: Vec<_> = commands.iter().collect();
    sorted.sort_unstable_by_key(|command| command.name);
    let mut hash = Fnv::new();
    for command in sorted {
        hash.text(command.name);
        for make in [command.request, command.reply] {
            match make {
                None => hash.byte(0),
                Some(make) => feed(&mut hash, &make(), Place::Schema),
            }
        }
    }
    format!("{:016x}", hash.0)
}

/// What the keys of an object are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Key words of JSON Schema.
    Schema,
    /// Names that somebody gave, each of a schema.
    Names,
    /// Data.
    Data,
}

/// Key words that say nothing of what is valid.
const REMARKS: [&str; 5] = ["$schema", "title", "description", "examples", "$comment"];

fn feed(hash: &mut Fnv, value: &Value, place: Place) {
    match value {
        Value::Null => hash.byte(1),
        Value::Bool(value) => hash.byte(2 + u8::from(*value)),
        Value::Number(number) => {
            hash.byte(4);
            hash.text(&number.to_string());
        }
        Value::String(text) => {
            hash.byte(5);
            hash.text(text);
        }
        Value::Array(items) => {
            hash.byte(6);
            items.iter().for_each(|item| feed(hash, item, place));
            hash.byte(7);
        }
        Value::Object(map) => {
            hash.byte(8);
            let counts = |key: &str| place != Place::Schema || !REMARKS.contains(&key);
            // Sorted here, since it depends on features of others whether the map is.
            let mut entries: Vec<_> = map.iter().filter(|(key, _)| counts(key)).collect();
            entries.sort_unstable_by_key(|(key, _)| *key);
            for (key, value) in entries {
                hash.text(key);
                feed(hash, value, inside(place, key));
            }
            hash.byte(9);
        }
    }
}

/// What stands under a key.
fn inside(place: Place, key: &str) -> Place {
    match place {
        Place::Data => Place::Data,
        Place::Names => Place::Schema,
        Place::Schema => match key {
            "properties" | "patternProperties" | "$defs" | "definitions" | "dependentSchemas" => Place::Names,
            "enum" | "const" | "default" | "required" => Place::Data,
            _ => Place::Schema,
        },
    }
}

/// FNV-1a, which is the same in every build: <http://www.isthe.com/chongo/tech/comp/fnv/>.
struct Fnv(u64);

impl Fnv {
    const fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    fn byte(&mut self, byte: u8) {
        self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }

    /// With its end, so that two texts are not taken for two others.
    fn text(&mut self, text: &str) {
        text.bytes().for_each(|byte| self.byte(byte));
        self.byte(0xff); // no byte of UTF-8
    }
}

#[cfg(all(test, feature = "schema"))]
mod tests {
    use serde_json::json;

    use super::*;

    fn with(reply: fn() -> Value) -> String {
        hash(&[Signature::new("stats", None, Some(reply))])
    }

    #[test]
    #[expect(clippy::needless_borrow, reason = "it is what generated code writes, not knowing which trait answers")]
    fn a_type_tells_its_schema_if_it_has_one() {
        #[expect(dead_code, reason = "only its type is asked")]
        #[derive(schemars::JsonSchema)]
        struct Told {
            count: u32,
        }
        struct Untold;
        let told = (&SchemaOf::<Told>::ASK).schema().map(|make| make());
        assert_eq!(told, Some(schema_of::<Told>()));
        assert!((&SchemaOf::<Untold>::ASK).schema().is_none());
        assert_eq!(schema_of::<Told>()["properties"]["count"]["type"], "integer");
    }

    #[test]
    fn the_order_of_commands_does_not_count_and_their_names_do() {
        let of = |names: &[&'static str]| {
            hash(&names.iter().map(|name| Signature::new(name, None, None)).collect::<Vec<_>>())
        };
        assert_eq!(of(&["a", "b"]), of(&["b", "a"]));
        assert_ne!(of(&["a", "b"]), of(&["ab"]));
        assert_eq!(of(&[]), "cbf29ce484222325");
    }

    /// Programs built from other versions compare theirs with it.
    #[test]
    fn it_is_the_same_in_every_version() {
        let request = || json!({"type": ["object", "null"], "required": ["a"], "properties": {"a": {"minimum": 0.5}}});
        let reply = || json!({"const": {"yes": true, "no": false, "none": null}});
        let commands = [
            Signature::new("stats", Some(request), Some(reply)),
            Signature::new("clear", None, Some(reply)),
            Signature::new("add", Some(request), None),
        ];
        assert_eq!(hash(&commands), "cdeb6c9e9b35b3a3");
    }

    #[test]
    fn what_is_valid_counts_and_remarks_do_not() {
        let plain = with(|| json!({"type": "object", "properties": {"title": {"type": "string"}}}));
        assert_eq!(
            plain,
            with(|| json!({
                "title": "Stats", "description": "Counted.", "$schema": "x", "type": "object",
                "properties": {"title": {"type": "string", "description": "Of the book."}}
            }))
        );
        assert_ne!(plain, with(|| json!({"type": "object", "properties": {"title": {"type": "integer"}}})));
        assert_ne!(plain, with(|| json!({"type": "object", "properties": {}})), "a property may be named so");
        assert_ne!(
            plain,
            with(|| json!({"type": "object", "properties": {"title": {"type": "string"}}, "required": ["title"]}))
        );
        assert_ne!(with(|| json!({"additionalProperties": true})), with(|| json!({"additionalProperties": false})));
        assert_ne!(with(|| json!({"enum": [null]})), with(|| json!({"enum": []})));
    }
}
