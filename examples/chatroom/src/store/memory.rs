//! Rows in memory only: the store of a build without a database.

use std::collections::{BTreeMap, HashMap};

use super::{Backend, Change, Outcome, Query, Row, StoreError, Table, Value};

/// Every table's rows, by age and by key.
#[derive(Debug)]
pub(super) struct Memory {
    tables: HashMap<&'static str, Rows>,
}

#[derive(Debug, Default)]
struct Rows {
    by_age: BTreeMap<u64, Row>,
    by_key: HashMap<String, u64>,
    next: u64,
}

impl Memory {
    pub(super) fn new(tables: &[&'static Table]) -> Self {
        Self { tables: tables.iter().map(|table| (table.name, Rows::default())).collect() }
    }

    fn rows(&mut self, table: &'static Table) -> &mut Rows {
        self.tables.entry(table.name).or_default()
    }
}

impl Rows {
    fn put(&mut self, row: &Row, replace: bool) -> Outcome {
        let key = key_of(row);
        match self.by_key.get(&key).copied() {
            None => {
                self.by_key.insert(key, self.next);
                self.by_age.insert(self.next, row.clone());
                self.next += 1;
                Outcome::Created
            }
            Some(age) if replace && self.by_age.get(&age) != Some(row) => {
                self.by_age.insert(age, row.clone());
                Outcome::Updated
            }
            Some(_) => Outcome::Unchanged,
        }
    }

    fn delete(&mut self, key: &str) -> Outcome {
        match self.by_key.remove(key) {
            Some(age) => {
                self.by_age.remove(&age);
                Outcome::Deleted
            }
            None => Outcome::Unchanged,
        }
    }
}

impl Backend for Memory {
    fn apply(&mut self, changes: &mut dyn Iterator<Item = &Change>) -> Result<Vec<Outcome>, StoreError> {
        Ok(changes
            .map(|change| match change {
                Change::Put(table, row) => self.rows(table).put(row, true),
                Change::Ensure(table, row) => self.rows(table).put(row, false),
                Change::Delete(table, key) => self.rows(table).delete(key),
            })
            .collect())
    }

    fn read(&mut self, query: &Query) -> Result<Vec<Row>, StoreError> {
        Ok(match query {
            Query::All(table) => self.rows(table).by_age.values().cloned().collect(),
            Query::Keys(table, below) => {
                let below = below.as_ref().map(|path| format!("{path}/"));
                let wanted = |key: &String| below.as_ref().is_none_or(|below| key.starts_with(below));
                let keys = self.rows(table).by_age.values().map(key_of).filter(wanted);
                keys.map(|key| vec![Value::Text(key)]).collect()
            }
            Query::Count(table) => {
                let count = self.rows(table).by_age.len();
                vec![vec![Value::Integer(i64::try_from(count).unwrap_or(i64::MAX))]]
            }
        })
    }

    fn close(self: Box<Self>) -> Result<(), StoreError> {
        Ok(())
    }
}

fn key_of(row: &Row) -> String {
    match row.first() {
        Some(Value::Text(key)) => key.clone(),
        _ => String::new(),
    }
}
