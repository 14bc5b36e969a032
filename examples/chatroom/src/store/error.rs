//! What can go wrong with the database, each with what to do about it.
#![cfg_attr(not(feature = "sqlite"), expect(dead_code, reason = "memory knows no lock, no disk and no damage"))]

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;

use thiserror::Error;

use super::table::BadRow;

/// A failure of the store. Cloned to every writer of a transaction that could not be committed.
#[derive(Clone, Debug, Error)]
pub(crate) enum StoreError {
    #[error("the database {} is locked by another process; close that process or choose another file with --db", path.display())]
    Locked { path: PathBuf, source: Cause },

    #[error(
        "{} is damaged or is not an SQLite database; it is left as it is: move it away or choose another file with --db",
        path.display()
    )]
    Damaged { path: PathBuf, source: Cause },

    #[error("{} is the database of another program; choose another file with --db", path.display())]
    Foreign { path: PathBuf },

    #[error("cannot open the database {}; check that its directory exists and may be written", path.display())]
    CannotOpen { path: PathBuf, source: Cause },

    #[error("no space is left for the database {}; free some on its disk", path.display())]
    Full { path: PathBuf, source: Cause },

    #[error("cannot write the database {}; check its disk, its limits and its permissions", path.display())]
    CannotWrite { path: PathBuf, source: Cause },

    #[error("the database {} refused a statement", path.display())]
    Refused { path: PathBuf, source: Cause },

    #[error(transparent)]
    BadRow(#[from] BadRow),

    #[error("the database is closed")]
    Closed,

    #[cfg(not(feature = "sqlite"))]
    #[error("this build keeps rows in memory only; build it with the feature `sqlite` to use --db {}", path.display())]
    NoDatabase { path: PathBuf },
}

/// The database library's own error.
pub(crate) type Cause = Arc<dyn Error + Send + Sync>;

impl StoreError {
    /// Whether the same write may succeed a little later: the lock is released, the disk has room again.
    pub(crate) fn is_transient(&self) -> bool {
        matches!(self, Self::Locked { .. } | Self::Full { .. } | Self::CannotWrite { .. })
    }
}
