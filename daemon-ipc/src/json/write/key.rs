//! What may be a key, and what raw text comes as: serializers for one string and nothing else.

use super::{Error, Impossible, Result, Serialize, key_must_be_a_string, ser, write_str};
use serde::ser::Error as _;

/// Writes the key of a map: a string, or a number, truth value or character as one.
pub(super) struct KeyWriter<'a> {
    pub(super) to: &'a mut Vec<u8>,
}

/// Writes a string as it is, without quotes.
pub(super) struct RawWriter<'a> {
    pub(super) to: &'a mut Vec<u8>,
}

macro_rules! quoted {
    ($($method:ident $kind:ty)+) => {$(
        fn $method(self, value: $kind) -> Result {
            self.to.push(b'"');
            serde_json::to_writer(&mut *self.to, &value)?;
            self.to.push(b'"');
            Ok(())
        }
    )+};
}

macro_rules! refused {
    ($error:expr; $($method:ident($($kind:ty),*) $ok:ty;)+) => {$(
        fn $method(self, $(_: $kind),*) -> Result<$ok> {
            Err($error)
        }
    )+};
}

macro_rules! no_compounds {
    () => {
        type Ok = ();
        type Error = Error;
        type SerializeSeq = Impossible<(), Error>;
        type SerializeTuple = Impossible<(), Error>;
        type SerializeTupleStruct = Impossible<(), Error>;
        type SerializeTupleVariant = Impossible<(), Error>;
        type SerializeMap = Impossible<(), Error>;
        type SerializeStruct = Impossible<(), Error>;
        type SerializeStructVariant = Impossible<(), Error>;
    };
}

macro_rules! compounds_refused {
    ($error:expr) => {
        refused! { $error;
            serialize_bytes(&[u8]) ();
            serialize_none() ();
            serialize_unit() ();
            serialize_unit_struct(&'static str) ();
            serialize_seq(Option<usize>) Self::SerializeSeq;
            serialize_tuple(usize) Self::SerializeTuple;
            serialize_tuple_struct(&'static str, usize) Self::SerializeTupleStruct;
            serialize_tuple_variant(&'static str, u32, &'static str, usize) Self::SerializeTupleVariant;
            serialize_map(Option<usize>) Self::SerializeMap;
            serialize_struct(&'static str, usize) Self::SerializeStruct;
            serialize_struct_variant(&'static str, u32, &'static str, usize) Self::SerializeStructVariant;
        }

        fn serialize_newtype_variant<T>(self, _: &'static str, _: u32, _: &'static str, _: &T) -> Result
        where
            T: Serialize + ?Sized,
        {
            Err($error)
        }
    };
}

impl ser::Serializer for KeyWriter<'_> {
    no_compounds!();
    compounds_refused!(key_must_be_a_string());
    quoted! {
        serialize_bool bool
        serialize_i8 i8 serialize_i16 i16 serialize_i32 i32 serialize_i64 i64 serialize_i128 i128
        serialize_u8 u8 serialize_u16 u16 serialize_u32 u32 serialize_u64 u64 serialize_u128 u128
    }

    fn serialize_f32(self, value: f32) -> Result {
        self.finite(value.is_finite(), value)
    }

    fn serialize_f64(self, value: f64) -> Result {
        self.finite(value.is_finite(), value)
    }

    fn serialize_char(self, value: char) -> Result {
        self.serialize_str(value.encode_utf8(&mut [0; 4]))
    }

    #[inline]
    fn serialize_str(self, value: &str) -> Result {
        write_str(value, self.to);
        Ok(())
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result {
        value.serialize(self)
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result {
        value.serialize(self)
    }
}

impl KeyWriter<'_> {
    fn finite(self, is_finite: bool, value: impl Serialize) -> Result {
        if !is_finite {
            return Err(Error::custom("float key must be finite (got NaN or +/-inf)"));
        }
        self.to.push(b'"');
        serde_json::to_writer(&mut *self.to, &value)?;
        self.to.push(b'"');
        Ok(())
    }
}

#[cold]
fn raw_text_is_a_string() -> Error {
    Error::custom("raw JSON is a string")
}

impl ser::Serializer for RawWriter<'_> {
    no_compounds!();
    compounds_refused!(raw_text_is_a_string());
    refused! { raw_text_is_a_string();
        serialize_bool(bool) ();
        serialize_i8(i8) ();
        serialize_i16(i16) ();
        serialize_i32(i32) ();
        serialize_i64(i64) ();
        serialize_u8(u8) ();
        serialize_u16(u16) ();
        serialize_u32(u32) ();
        serialize_u64(u64) ();
        serialize_f32(f32) ();
        serialize_f64(f64) ();
        serialize_char(char) ();
        serialize_unit_variant(&'static str, u32, &'static str) ();
    }

    fn serialize_str(self, value: &str) -> Result {
        self.to.extend_from_slice(value.as_bytes());
        Ok(())
    }

    fn serialize_some<T: Serialize + ?Sized>(self, _: &T) -> Result {
        Err(raw_text_is_a_string())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, _: &T) -> Result {
        Err(raw_text_is_a_string())
    }
}
