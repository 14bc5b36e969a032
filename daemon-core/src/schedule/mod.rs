//! When intervals tick, and the one driver of all that a life of a daemon has.
//!
//! A [`Timetable`](timetable) is pure: it is told the time, and tells what is due. [`Timers`] put names and a lock around it; the
//! [driver](drive) sleeps until it has something to say and makes the calls. The clocks are an edge of their own. `bare` is a timetable with
//! nothing around it, to be measured.

mod agenda;
mod alarm;
mod bare;
mod bell;
mod book;
mod clock;
#[cfg(feature = "cron")]
mod cron;
mod driver;
mod jitter;
mod pace;
mod period;
mod policy;
#[expect(clippy::module_inception, reason = "it is what the room is about")]
mod schedule;
mod slot;
mod system;
mod tick;
mod ticker;
mod timers;
mod timetable;

pub use bare::BareIntervals;
pub(crate) use book::{Cleared, Order};
pub(crate) use clock::Clock;
pub(crate) use driver::drive;
pub use period::Period;
pub use policy::{Missed, Overlap};
pub use schedule::Schedule;
pub(crate) use tick::Owner;
pub(crate) use ticker::{Bound, Ticker};
pub(crate) use timers::Timers;
