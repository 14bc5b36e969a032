//! How one piece of work runs: caught, named, counted, and one event or tick after another.

mod age;
mod answer;
mod call;
mod catch;
mod chance;
mod clock;
mod desk;
mod dispatcher;
#[cfg(feature = "testing")]
mod fault;
mod handlers;
mod lane;
mod live;
mod name;
mod place;
mod places;
mod plan;
mod record;
mod sample;
mod seat;
mod tally;
mod tasks;
mod waits;
mod wiring;

pub(crate) use answer::Answer;
pub use catch::Failure;
pub(crate) use catch::{Caught, attempt, caught, drop_quietly, panicked};
pub(crate) use chance::chance;
#[cfg(feature = "testing")]
pub(crate) use chance::fix;
pub use desk::Observer;
pub use dispatcher::StillRunning;
#[cfg(feature = "testing")]
pub(crate) use fault::{Fault, Faults};
pub use handlers::{Attach, EventRow, Handlers};
pub use place::{Handler, place};
pub(crate) use record::{End, Record, Stand};
pub(crate) use tally::{Owner, Tally};
pub(crate) use tasks::{Label, Tasks, aside};
pub(crate) use waits::{Wait, current, is_current, not_waiting, waits};
pub use wiring::Wiring;

/// Longer than any host runs, and short enough to be added to any moment: no limit in force is longer.
pub(crate) const FOREVER: std::time::Duration = std::time::Duration::from_secs(30 * 365 * 86_400);
