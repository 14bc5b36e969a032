//! What the attributes say: one grammar per file, each from tokens to a plain struct.
//!
//! A grammar reads what it can and reports the rest; it never looks at the item the attribute stands on.

pub(crate) mod args;
pub(crate) mod block;
pub(crate) mod command;
pub(crate) mod cron;
pub(crate) mod daemon;
pub(crate) mod deferred;
pub(crate) mod event;
pub(crate) mod every;
pub(crate) mod health;
pub(crate) mod marker;
pub(crate) mod on_error;
pub(crate) mod on_event;
pub(crate) mod on_ready;
pub(crate) mod publishes;
pub(crate) mod requirement;
pub(crate) mod restart;
pub(crate) mod schedule;
pub(crate) mod task;
pub(crate) mod time;

#[cfg(test)]
mod tests;
