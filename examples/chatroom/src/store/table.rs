//! What a table holds: column types, values, rows, and the [`Entity`] trait that ties a Rust struct to its table.
//!
//! No database here: both backends read these descriptions, so a collection is written down once, in `entity.rs`.

use serde::Serialize;
use serde::de::DeserializeOwned;
use thiserror::Error;

/// One stored value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Integer(i64),
    Text(String),
}

/// The values of one entity, in the order of its table's columns; the key comes first.
pub(crate) type Row = Vec<Value>;

/// A table: its name and columns, the first of which is the key.
#[derive(Debug)]
#[cfg_attr(not(feature = "sqlite"), expect(dead_code, reason = "memory needs no columns"))]
pub(crate) struct Table {
    pub(crate) name: &'static str,
    pub(crate) columns: &'static [Column],
}

/// A column: its name and SQL type.
#[derive(Debug)]
#[cfg_attr(not(feature = "sqlite"), expect(dead_code, reason = "memory needs no columns"))]
pub(crate) struct Column {
    pub(crate) name: &'static str,
    pub(crate) sql: &'static str,
}

/// A struct stored as one row, and the topics its changes are published on.
pub(crate) trait Entity: Clone + Serialize + Send + Sync + 'static {
    const TABLE: &'static Table;
    const CREATED: &'static str;
    const UPDATED: &'static str;
    const DELETED: &'static str;

    fn to_row(&self) -> Row;
    fn from_row(row: Row) -> Result<Self, BadRow>;
}

/// A stored row that this version of the program cannot read.
#[derive(Clone, Debug, Error)]
#[error("a row of `{table}` does not have the columns this version expects; choose another file with --db")]
pub(crate) struct BadRow {
    pub(crate) table: &'static str,
}

/// A Rust type that fits in one column.
pub(crate) trait Cell: Sized {
    const SQL: &'static str;
    fn to_value(&self) -> Value;
    fn from_value(value: Value) -> Option<Self>;
}

impl Cell for String {
    const SQL: &'static str = "TEXT NOT NULL";

    fn to_value(&self) -> Value {
        Value::Text(self.clone())
    }

    fn from_value(value: Value) -> Option<Self> {
        match value {
            Value::Text(text) => Some(text),
            Value::Integer(_) => None,
        }
    }
}

impl Cell for u64 {
    const SQL: &'static str = "INTEGER NOT NULL";

    fn to_value(&self) -> Value {
        Value::Integer(i64::try_from(*self).unwrap_or(i64::MAX))
    }

    fn from_value(value: Value) -> Option<Self> {
        match value {
            Value::Integer(number) => Self::try_from(number).ok(),
            Value::Text(_) => None,
        }
    }
}

/// A list is one column of JSON text.
impl<T: Serialize + DeserializeOwned> Cell for Vec<T> {
    const SQL: &'static str = "TEXT NOT NULL";

    fn to_value(&self) -> Value {
        // Lists of plain structs always serialize; an empty list would be the honest answer if one ever did not.
        Value::Text(serde_json::to_string(self).unwrap_or_else(|_| "[]".to_owned()))
    }

    fn from_value(value: Value) -> Option<Self> {
        match value {
            Value::Text(text) => serde_json::from_str(&text).ok(),
            Value::Integer(_) => None,
        }
    }
}

/// Declares an entity: its struct, table, columns and topics. The first field is the key.
macro_rules! entity {
    (
        $(#[$about:meta])*
        $name:ident in $table:literal {
            $($(#[$field_about:meta])* $field:ident: $type:ty,)+
        }
    ) => {
        $(#[$about])*
        #[derive(Clone, Debug, PartialEq, ::serde::Serialize, ::serde::Deserialize)]
        pub(crate) struct $name {
            $($(#[$field_about])* pub(crate) $field: $type,)+
        }

        impl $crate::store::Entity for $name {
            const TABLE: &'static $crate::store::Table = &$crate::store::Table {
                name: $table,
                columns: &[$($crate::store::Column {
                    name: stringify!($field),
                    sql: <$type as $crate::store::Cell>::SQL,
                },)+],
            };
            const CREATED: &'static str = concat!("data:", $table, ":created");
            const UPDATED: &'static str = concat!("data:", $table, ":updated");
            const DELETED: &'static str = concat!("data:", $table, ":deleted");

            fn to_row(&self) -> $crate::store::Row {
                vec![$($crate::store::Cell::to_value(&self.$field),)+]
            }

            fn from_row(row: $crate::store::Row) -> Result<Self, $crate::store::BadRow> {
                let bad = || $crate::store::BadRow { table: $table };
                let mut values = row.into_iter();
                Ok(Self {
                    $($field: values.next().and_then($crate::store::Cell::from_value).ok_or_else(bad)?,)+
                })
            }
        }
    };
}
pub(crate) use entity;
