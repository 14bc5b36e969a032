//! Rows in SQLite. One connection, used by one thread; errors come out as [`StoreError`]s that say what to do.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, ErrorCode, OptionalExtension, ToSql, Transaction, TransactionBehavior, params_from_iter};

use super::{Backend, Change, Location, Outcome, Query, Row, StoreError, Table, Value};

/// Marks a file as ours ("chat" in ASCII), so that another program's database is never written to.
const APPLICATION_ID: i64 = 0x6368_6174;

/// How long to wait for another process that holds the lock.
const BUSY_TIMEOUT: Duration = Duration::from_secs(2);

#[derive(Debug)]
pub(super) struct Sqlite {
    connection: Connection,
    path: PathBuf,
    statements: HashMap<&'static str, Statements>,
}

/// The statements of one table, written once.
#[derive(Debug)]
struct Statements {
    row: String,
    put: String,
    ensure: String,
    delete: String,
    all: String,
    keys: String,
    keys_below: String,
    count: String,
}

impl Sqlite {
    pub(super) fn open(location: Location, tables: &[&'static Table]) -> Result<Self, StoreError> {
        let (opened, path) = match location {
            Location::Memory => (Connection::open_in_memory(), PathBuf::from("(in memory)")),
            Location::File(path) => (Connection::open(&path), path),
        };
        let prepare = |connection: Connection| {
            connection.busy_timeout(BUSY_TIMEOUT)?;
            connection.set_prepared_statement_cache_capacity(8 * tables.len());
            let ours = is_ours(&connection)?;
            if ours {
                create(&connection, tables)?;
            }
            Ok((connection, ours))
        };
        match opened.and_then(prepare) {
            Ok((_, false)) => Err(StoreError::Foreign { path }),
            Ok((connection, true)) => {
                let statements = tables.iter().map(|table| (table.name, Statements::of(table))).collect();
                Ok(Self { connection, path, statements })
            }
            Err(error) => Err(explain(&path, error)),
        }
    }
}

/// Whether the file is empty or was made by this program.
fn is_ours(connection: &Connection) -> rusqlite::Result<bool> {
    let id: i64 = connection.query_row("PRAGMA application_id", [], |row| row.get(0))?;
    let objects: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    Ok(id == APPLICATION_ID || (id == 0 && objects == 0))
}

/// Checks the file and creates what is missing.
fn create(connection: &Connection, tables: &[&'static Table]) -> rusqlite::Result<()> {
    let verdict: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if verdict != "ok" {
        let corrupt = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT);
        return Err(rusqlite::Error::SqliteFailure(corrupt, Some(verdict)));
    }
    // Readers and this writer do not wait for each other; a commit survives a power cut.
    connection.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))?;
    connection.execute_batch("PRAGMA synchronous = FULL")?;
    let mut schema = format!("BEGIN IMMEDIATE; PRAGMA application_id = {APPLICATION_ID};\n");
    for table in tables {
        let columns: Vec<String> =
            table.columns.iter().map(|column| format!("{} {}", column.name, column.sql)).collect();
        let key = table.columns[0].name;
        schema +=
            &format!("CREATE TABLE IF NOT EXISTS {} ({}, PRIMARY KEY ({key}));\n", table.name, columns.join(", "));
    }
    connection.execute_batch(&(schema + "COMMIT;"))
}

impl Statements {
    fn of(table: &Table) -> Self {
        let name = table.name;
        let key = table.columns[0].name;
        let columns: Vec<&str> = table.columns.iter().map(|column| column.name).collect();
        let list = columns.join(", ");
        let places = vec!["?"; columns.len()].join(", ");
        let replaced: Vec<String> = columns.iter().map(|column| format!("{column} = excluded.{column}")).collect();
        let insert = format!("INSERT INTO {name} ({list}) VALUES ({places}) ON CONFLICT ({key}) DO");
        Self {
            row: format!("SELECT {list} FROM {name} WHERE {key} = ?"),
            put: format!("{insert} UPDATE SET {}", replaced.join(", ")),
            ensure: format!("{insert} NOTHING"),
            delete: format!("DELETE FROM {name} WHERE {key} = ?"),
            all: format!("SELECT {list} FROM {name} ORDER BY rowid"),
            keys: format!("SELECT {key} FROM {name} ORDER BY rowid"),
            // '0' is the character after '/': the range holds exactly what is below the path.
            keys_below: format!(
                "SELECT {key} FROM {name} WHERE {key} > ?1 || '/' AND {key} < ?1 || '0' ORDER BY {key}"
            ),
            count: format!("SELECT count(*) FROM {name}"),
        }
    }
}

impl Backend for Sqlite {
    fn apply(&mut self, changes: &mut dyn Iterator<Item = &Change>) -> Result<Vec<Outcome>, StoreError> {
        let statements = &self.statements;
        let mut all = || {
            let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let outcomes: rusqlite::Result<Vec<Outcome>> =
                changes.map(|change| apply_one(&transaction, statements, change)).collect();
            let outcomes = outcomes?;
            transaction.commit()?;
            Ok(outcomes)
        };
        all().map_err(|error| explain(&self.path, error))
    }

    fn read(&mut self, query: &Query) -> Result<Vec<Row>, StoreError> {
        let (table, below) = match query {
            Query::All(table) | Query::Count(table) => (table, None),
            Query::Keys(table, below) => (table, below.as_ref()),
        };
        let statements = &self.statements[table.name];
        let sql = match (query, below) {
            (Query::All(_), _) => &statements.all,
            (Query::Count(_), _) => &statements.count,
            (Query::Keys(..), None) => &statements.keys,
            (Query::Keys(..), Some(_)) => &statements.keys_below,
        };
        let rows = || {
            let mut statement = self.connection.prepare_cached(sql)?;
            let columns = statement.column_count();
            let rows = statement.query_map(params_from_iter(below), |row| row_of(row, columns))?;
            rows.collect::<rusqlite::Result<_>>()
        };
        rows().map_err(|error| explain(&self.path, error))
    }

    fn close(self: Box<Self>) -> Result<(), StoreError> {
        // Closing the last connection folds the log into the file; the connection is dropped even if that fails.
        self.connection.close().map_err(|(_, error)| explain(&self.path, error))
    }
}

fn apply_one(
    transaction: &Transaction<'_>,
    statements: &HashMap<&'static str, Statements>,
    change: &Change,
) -> rusqlite::Result<Outcome> {
    match change {
        Change::Put(table, row) => {
            let statements = &statements[table.name];
            let mut select = transaction.prepare_cached(&statements.row)?;
            let before = select.query_row([&row[0]], |found| row_of(found, row.len())).optional()?;
            if before.as_ref() == Some(row) {
                return Ok(Outcome::Unchanged);
            }
            transaction.prepare_cached(&statements.put)?.execute(params_from_iter(row))?;
            Ok(if before.is_some() { Outcome::Updated } else { Outcome::Created })
        }
        Change::Ensure(table, row) => {
            let inserted =
                transaction.prepare_cached(&statements[table.name].ensure)?.execute(params_from_iter(row))?;
            Ok(if inserted == 1 { Outcome::Created } else { Outcome::Unchanged })
        }
        Change::Delete(table, key) => {
            let deleted = transaction.prepare_cached(&statements[table.name].delete)?.execute([key])?;
            Ok(if deleted == 1 { Outcome::Deleted } else { Outcome::Unchanged })
        }
    }
}

fn row_of(row: &rusqlite::Row<'_>, columns: usize) -> rusqlite::Result<Row> {
    (0..columns).map(|index| value_of(row, index)).collect()
}

fn value_of(row: &rusqlite::Row<'_>, index: usize) -> rusqlite::Result<Value> {
    match row.get_ref(index)? {
        ValueRef::Integer(number) => Ok(Value::Integer(number)),
        // Somebody else's tool may have written bytes; they are read like a line of input, lossily.
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => Ok(Value::Text(String::from_utf8_lossy(bytes).into_owned())),
        ValueRef::Null | ValueRef::Real(_) => Err(rusqlite::Error::InvalidColumnType(
            index,
            row.as_ref().column_name(index)?.to_owned(),
            row.get_ref(index)?.data_type(),
        )),
    }
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Integer(number) => ValueRef::Integer(*number),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
        }))
    }
}

/// The store's word for a database error.
fn explain(path: &Path, error: rusqlite::Error) -> StoreError {
    let code = error.sqlite_error_code();
    let path = path.to_path_buf();
    let source = Arc::new(error);
    match code {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => StoreError::Locked { path, source },
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => StoreError::Damaged { path, source },
        Some(ErrorCode::CannotOpen) => StoreError::CannotOpen { path, source },
        Some(ErrorCode::DiskFull) => StoreError::Full { path, source },
        Some(ErrorCode::SystemIoFailure | ErrorCode::ReadOnly) => StoreError::CannotWrite { path, source },
        _ => StoreError::Refused { path, source },
    }
}

#[cfg(test)]
impl Sqlite {
    /// Makes the disk as small as this many pages.
    pub(super) fn limit_pages(&self, pages: u32) {
        let pragma = format!("PRAGMA max_page_count = {pages}");
        self.connection.query_row(&pragma, [], |_| Ok(())).expect("the pragma answers with the limit");
    }
}
