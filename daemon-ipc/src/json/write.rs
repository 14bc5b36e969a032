//! A serde serializer that writes what `serde_json` writes, and looks at strings many bytes at a time.
//!
//! Numbers are left to `serde_json`. Its raw values come through as they are, by the names it gives them inside serde.

use super::plain;
use serde::ser::{self, Error as _, Impossible, Serialize};
use serde_json::Error;

mod key;
#[cfg(test)]
mod tests;

type Result<T = (), E = Error> = std::result::Result<T, E>;

/// The structs that stand for text that is JSON already.
const RAW: [&str; 2] = ["$serde_json::private::RawValue", "$serde_json::private::Number"];

/// Appends `value` as JSON.
///
/// # Errors
///
/// What keeps it from being JSON. `to` then ends somewhere inside it.
pub(crate) fn write<T: Serialize + ?Sized>(value: &T, to: &mut Vec<u8>) -> Result {
    value.serialize(Writer { to })
}

/// Appends a string with its quotes.
fn write_str(text: &str, to: &mut Vec<u8>) {
    // Room for what comes after a large string, too, or the buffer would grow to twice its size for that.
    const AFTER: usize = 64;
    let text = text.as_bytes();
    to.reserve(text.len() + AFTER);
    to.push(b'"');
    let (run, special) = text.split_at(plain(text));
    to.extend_from_slice(run);
    if !special.is_empty() {
        write_escaped(special, to);
    }
    to.push(b'"');
}

/// Appends the rest of a string, from a byte that does not stand for itself.
#[cold]
fn write_escaped(text: &[u8], to: &mut Vec<u8>) {
    let mut rest = text;
    while let Some((byte, after)) = rest.split_first() {
        write_escape(*byte, to);
        let (run, special) = after.split_at(plain(after));
        to.extend_from_slice(run);
        rest = special;
    }
}

fn write_escape(byte: u8, to: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let short = match byte {
        b'"' | b'\\' => byte,
        0x08 => b'b',
        b'\t' => b't',
        b'\n' => b'n',
        0x0C => b'f',
        b'\r' => b'r',
        _ => {
            to.extend_from_slice(b"\\u00");
            to.extend([HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
            return;
        }
    };
    to.extend([b'\\', short]);
}

struct Writer<'a> {
    to: &'a mut Vec<u8>,
}

impl<'a> Writer<'a> {
    /// Begins `{"variant":`, of which the closing brace is written by whoever writes the value.
    fn open_variant(&mut self, variant: &str) {
        self.to.push(b'{');
        write_str(variant, self.to);
        self.to.push(b':');
    }

    fn sequence(self, close: &'static [u8]) -> Compound<'a> {
        self.to.push(b'[');
        Compound { to: self.to, first: true, close }
    }

    fn object(self, close: &'static [u8]) -> Compound<'a> {
        self.to.push(b'{');
        Compound { to: self.to, first: true, close }
    }
}

macro_rules! left_to_serde_json {
    ($($method:ident $kind:ty)+) => {$(
        #[inline]
        fn $method(self, value: $kind) -> Result {
            serde_json::to_writer(self.to, &value)
        }
    )+};
}

impl<'a> ser::Serializer for Writer<'a> {
    type Ok = ();
    type Error = Error;
    type SerializeSeq = Compound<'a>;
    type SerializeTuple = Compound<'a>;
    type SerializeTupleStruct = Compound<'a>;
    type SerializeTupleVariant = Compound<'a>;
    type SerializeMap = Compound<'a>;
    type SerializeStruct = Fields<'a>;
    type SerializeStructVariant = Compound<'a>;

    left_to_serde_json! {
        serialize_bool bool
        serialize_i8 i8 serialize_i16 i16 serialize_i32 i32 serialize_i64 i64 serialize_i128 i128
        serialize_u8 u8 serialize_u16 u16 serialize_u32 u32 serialize_u64 u64 serialize_u128 u128
        serialize_f32 f32 serialize_f64 f64
    }

    fn serialize_char(self, value: char) -> Result {
        self.serialize_str(value.encode_utf8(&mut [0; 4]))
    }

    #[inline]
    fn serialize_str(self, value: &str) -> Result {
        write_str(value, self.to);
        Ok(())
    }

    fn serialize_bytes(self, value: &[u8]) -> Result {
        self.collect_seq(value)
    }

    fn serialize_none(self) -> Result {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result {
        self.to.extend_from_slice(b"null");
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result {
        self.serialize_unit()
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T>(mut self, _: &'static str, _: u32, variant: &'static str, value: &T) -> Result
    where
        T: Serialize + ?Sized,
    {
        self.open_variant(variant);
        write(value, self.to)?;
        self.to.push(b'}');
        Ok(())
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Compound<'a>> {
        Ok(self.sequence(b"]"))
    }

    fn serialize_tuple(self, _: usize) -> Result<Compound<'a>> {
        Ok(self.sequence(b"]"))
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Compound<'a>> {
        Ok(self.sequence(b"]"))
    }

    fn serialize_tuple_variant(
        mut self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Compound<'a>> {
        self.open_variant(variant);
        Ok(self.sequence(b"]}"))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Compound<'a>> {
        Ok(self.object(b"}"))
    }

    #[inline]
    fn serialize_struct(self, name: &'static str, _: usize) -> Result<Fields<'a>> {
        Ok(if RAW.contains(&name) { Fields::Raw(self.to) } else { Fields::Named(self.object(b"}")) })
    }

    fn serialize_struct_variant(
        mut self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Compound<'a>> {
        self.open_variant(variant);
        Ok(self.object(b"}}"))
    }
}

/// An array or object that is being written.
struct Compound<'a> {
    to: &'a mut Vec<u8>,
    first: bool,
    close: &'static [u8],
}

impl Compound<'_> {
    #[inline]
    fn comma(&mut self) {
        if !std::mem::replace(&mut self.first, false) {
            self.to.push(b',');
        }
    }

    fn element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result {
        self.comma();
        write(value, self.to)
    }

    fn field<T: Serialize + ?Sized>(&mut self, name: &str, value: &T) -> Result {
        self.comma();
        write_str(name, self.to);
        self.to.push(b':');
        write(value, self.to)
    }

    #[inline]
    #[expect(clippy::unnecessary_wraps, reason = "the form of serde's `end`")]
    fn close(self) -> Result {
        self.to.extend_from_slice(self.close);
        Ok(())
    }
}

macro_rules! elements {
    ($($kind:ident $method:ident)+) => {$(
        impl ser::$kind for Compound<'_> {
            type Ok = ();
            type Error = Error;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result {
                self.element(value)
            }

            fn end(self) -> Result {
                self.close()
            }
        }
    )+};
}

elements! {
    SerializeSeq serialize_element
    SerializeTuple serialize_element
    SerializeTupleStruct serialize_field
    SerializeTupleVariant serialize_field
}

impl ser::SerializeMap for Compound<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result {
        self.comma();
        key.serialize(key::KeyWriter { to: self.to })?;
        self.to.push(b':');
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result {
        write(value, self.to)
    }

    fn end(self) -> Result {
        self.close()
    }
}

impl ser::SerializeStructVariant for Compound<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result {
        self.field(name, value)
    }

    fn end(self) -> Result {
        self.close()
    }
}

/// A struct, or text that is JSON already and comes as one.
enum Fields<'a> {
    Named(Compound<'a>),
    Raw(&'a mut Vec<u8>),
}

impl ser::SerializeStruct for Fields<'_> {
    type Ok = ();
    type Error = Error;

    #[inline]
    fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result {
        match self {
            Self::Named(fields) => fields.field(name, value),
            Self::Raw(to) => value.serialize(key::RawWriter { to }),
        }
    }

    #[inline]
    fn end(self) -> Result {
        match self {
            Self::Named(fields) => fields.close(),
            Self::Raw(_) => Ok(()),
        }
    }
}

#[cold]
fn key_must_be_a_string() -> Error {
    Error::custom("key must be a string")
}
