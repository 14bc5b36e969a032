//! Reading a value from text that is known to be JSON, without checking again that it is, and strings without looking at each byte.
//!
//! Whatever is rare or wrong is left to `serde_json`, which then reads all of it once more: so it is refused in its words, and what is
//! accepted is what it accepts.

use super::{
    plain,
    scan::{after_blanks, after_number, value_end},
};
use serde::{
    Deserialize,
    de::{self, IntoDeserializer, Visitor},
};
use serde_json::Error;

mod access;
#[cfg(test)]
mod tests;

use access::{Elements, Entries, Variant};

/// One less than how deep `serde_json` goes.
const DEPTH: u32 = 127;

/// Reads a `T`.
///
/// # Errors
///
/// What `serde_json` says of it.
pub(crate) fn read<'de, T: Deserialize<'de>>(text: &'de str) -> Result<T, Error> {
    let mut reader = Reader { text, at: 0, depth: 0 };
    match T::deserialize(&mut reader) {
        Ok(value) if after_blanks(reader.rest()).is_empty() => Ok(value),
        _ => serde_json::from_str(text),
    }
}

struct Reader<'de> {
    text: &'de str,
    at: usize,
    depth: u32,
}

/// Somebody else must read this.
#[cold]
fn unread() -> Error {
    de::Error::custom("not read here")
}

// Inlined, since what reads with it is compiled in the crates of those who use this one.
impl<'de> Reader<'de> {
    /// What was not read yet.
    #[inline]
    fn rest(&self) -> &'de [u8] {
        self.text.as_bytes().get(self.at..).unwrap_or_default()
    }

    /// The next byte that is no blank.
    #[inline]
    fn peek(&mut self) -> Result<u8, Error> {
        match self.text.as_bytes().get(self.at) {
            // As a rule, there are no blanks.
            Some(next) if *next > b' ' => Ok(*next),
            _ => self.peek_after_blanks(),
        }
    }

    fn peek_after_blanks(&mut self) -> Result<u8, Error> {
        let rest = after_blanks(self.rest());
        self.at = self.text.len() - rest.len();
        rest.first().copied().ok_or_else(unread)
    }

    /// Passes over the next byte that is no blank, if it is this one.
    #[inline]
    fn pass(&mut self, byte: u8) -> Result<bool, Error> {
        let is_next = self.peek()? == byte;
        self.at += usize::from(is_next);
        Ok(is_next)
    }

    #[inline]
    fn expect(&mut self, byte: u8) -> Result<(), Error> {
        if self.pass(byte)? { Ok(()) } else { Err(unread()) }
    }

    fn word(&mut self, word: &str) -> Result<(), Error> {
        self.peek()?;
        let found = self.rest().starts_with(word.as_bytes());
        self.at += word.len();
        if found { Ok(()) } else { Err(unread()) }
    }

    /// The text up to `end`.
    #[inline]
    fn take_to(&mut self, end: Option<usize>) -> Result<&'de str, Error> {
        let end = end.ok_or_else(unread)?;
        let text = self.text.get(self.at..end).ok_or_else(unread)?;
        self.at = end;
        Ok(text)
    }

    /// A number as text.
    fn number(&mut self) -> Result<&'de str, Error> {
        self.peek()?;
        let end = after_number(self.rest()).map(|rest| self.text.len() - rest.len());
        self.take_to(end)
    }

    /// Hands a string to whoever wants it: a part of the text, or a copy if there are escapes in it.
    fn string<V: Visitor<'de>>(&mut self, visitor: V) -> Result<V::Value, Error> {
        if self.peek()? != b'"' {
            return Err(unread());
        }
        let start = self.at + 1;
        let end = start + plain(self.text.as_bytes().get(start..).unwrap_or_default());
        if self.text.as_bytes().get(end) == Some(&b'"') {
            self.at = end + 1;
            return visitor.visit_borrowed_str(self.text.get(start..end).ok_or_else(unread)?);
        }
        let end = value_end(self.text.as_bytes(), self.at);
        visitor.visit_string(serde_json::from_str(self.take_to(end)?)?)
    }

    fn sequence<V: Visitor<'de>>(&mut self, visitor: V) -> Result<V::Value, Error> {
        self.expect(b'[')?;
        self.enclosed(|reader| {
            let mut elements = Elements::new(reader);
            let value = visitor.visit_seq(&mut elements)?;
            elements.end()?;
            Ok(value)
        })
    }

    fn object<V: Visitor<'de>>(&mut self, visitor: V) -> Result<V::Value, Error> {
        self.expect(b'{')?;
        self.enclosed(|reader| {
            let mut entries = Entries::new(reader);
            let value = visitor.visit_map(&mut entries)?;
            entries.end()?;
            Ok(value)
        })
    }

    fn enclosed<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T, Error>) -> Result<T, Error> {
        if self.depth == DEPTH {
            return Err(unread());
        }
        self.depth += 1;
        let value = read(self);
        self.depth -= 1;
        value
    }
}

macro_rules! numbers {
    ($($method:ident)+) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            serde_json::Deserializer::from_str(self.number()?).$method(visitor)
        }
    )+};
}

macro_rules! strings {
    ($($method:ident)+) => {$(
        #[inline]
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            self.string(visitor)
        }
    )+};
}

macro_rules! left_to_serde_json {
    ($($method:ident)+) => {$(
        fn $method<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Error> {
            Err(unread())
        }
    )+};
}
use left_to_serde_json;

impl<'de> de::Deserializer<'de> for &mut Reader<'de> {
    type Error = Error;

    numbers! {
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128
        deserialize_f32 deserialize_f64
    }
    strings! { deserialize_char deserialize_str deserialize_string deserialize_identifier }
    left_to_serde_json! { deserialize_bytes deserialize_byte_buf }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.peek()? {
            b'"' => self.string(visitor),
            b'{' => self.object(visitor),
            b'[' => self.sequence(visitor),
            b't' | b'f' => self.deserialize_bool(visitor),
            b'n' => self.deserialize_unit(visitor),
            _ => serde_json::Deserializer::from_str(self.number()?).deserialize_any(visitor),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let is_true = self.peek()? == b't';
        self.word(if is_true { "true" } else { "false" })?;
        visitor.visit_bool(is_true)
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.word("null")?;
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        if self.peek()? == b'n' {
            self.word("null")?;
            return visitor.visit_none();
        }
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value, Error> {
        // Raw values come as one.
        if name.starts_with("$serde_json::") { Err(unread()) } else { visitor.visit_newtype_struct(self) }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.sequence(visitor)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Error> {
        self.sequence(visitor)
    }

    fn deserialize_tuple_struct<V>(self, _: &'static str, _: usize, visitor: V) -> Result<V::Value, Error>
    where
        V: Visitor<'de>,
    {
        self.sequence(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.object(visitor)
    }

    fn deserialize_struct<V>(self, _: &'static str, _: &'static [&'static str], visitor: V) -> Result<V::Value, Error>
    where
        V: Visitor<'de>,
    {
        if self.peek()? == b'[' { self.sequence(visitor) } else { self.object(visitor) }
    }

    fn deserialize_enum<V>(self, _: &'static str, _: &'static [&'static str], visitor: V) -> Result<V::Value, Error>
    where
        V: Visitor<'de>,
    {
        if self.peek()? != b'{' {
            let name: std::borrow::Cow<'de, str> = Deserialize::deserialize(self)?;
            return visitor.visit_enum(name.into_deserializer());
        }
        self.expect(b'{')?;
        self.enclosed(|reader| {
            let value = visitor.visit_enum(Variant(reader))?;
            reader.expect(b'}')?;
            Ok(value)
        })
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let end = value_end(self.text.as_bytes(), self.at);
        self.take_to(end)?;
        visitor.visit_unit()
    }
}
