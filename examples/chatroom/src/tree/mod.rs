//! A directory tree on disk: which files it has, what is known of each, and what changes in it.
//!
//! It owns the walk and the watch, and knows neither the database nor daemons. Everything but [`Changes::next`] blocks
//! and belongs on a thread that may.

mod changes;
mod describe;
mod walk;

pub(crate) use changes::{Changes, Dirty};
pub(crate) use walk::{Found, Step, Tree};
