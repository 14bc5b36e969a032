//! How one piece of work runs: caught, named, counted, and one event or tick after another.

mod catch;
mod dispatcher;
#[cfg(feature = "testing")]
mod fault;
mod handlers;
mod lane;
mod place;
mod tasks;
mod waits;

pub use catch::Failure;
pub(crate) use catch::{attempt, caught, drop_quietly, panicked};
pub use dispatcher::StillRunning;
#[cfg(feature = "testing")]
pub(crate) use fault::{Fault, Faults};
pub use handlers::{Attach, EventRow, Handlers, Wiring};
pub use lane::Observer;
pub use place::{Handler, place};
pub(crate) use tasks::{Label, Tasks};
pub(crate) use waits::{current, not_waiting, waits};

/// Longer than any host runs, and short enough to be added to any moment: no limit in force is longer.
pub(crate) const FOREVER: std::time::Duration = std::time::Duration::from_secs(30 * 365 * 86_400);
