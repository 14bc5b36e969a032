//! The locks and atomics of the concurrent cores: those of `std`, or under `--cfg daemon_loom` those of `loom`, whose model
//! checker then runs the cores through every order in which threads may take their steps.
//!
//! `Arc` is always that of `std`: nothing here depends on the order in which its counts change, and loom's cannot hold a `dyn`.
//! What does not have to be modelled (the next number of something) says `std::sync` in full.

#[cfg(all(test, daemon_loom))]
pub(crate) use crate::models::watch;
#[cfg(all(test, daemon_loom))]
pub(crate) use loom::sync::{Mutex, MutexGuard, atomic};
#[cfg(not(all(test, daemon_loom)))]
pub(crate) use std::sync::{Mutex, MutexGuard, atomic};
#[cfg(not(all(test, daemon_loom)))]
pub(crate) use tokio::sync::watch;

/// A `thread_local!`: the threads of a model are not threads of the system.
macro_rules! per_thread {
    (static $name:ident: $type:ty = $init:expr;) => {
        #[cfg(all(test, daemon_loom))]
        loom::thread_local! { static $name: $type = $init; }
        #[cfg(not(all(test, daemon_loom)))]
        std::thread_local! { static $name: $type = const { $init }; }
    };
}
pub(crate) use per_thread;
