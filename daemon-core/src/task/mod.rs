//! How one piece of work runs.

mod catch;
mod dispatcher;
mod handlers;
mod lane;
mod place;
mod tasks;

pub use catch::Failure;
pub(crate) use catch::{caught, drop_quietly};
pub use dispatcher::StillRunning;
pub use handlers::{Attach, EventHandler, Handlers, Wiring};
pub use lane::Observer;
pub use place::{Handler, place};
pub(crate) use tasks::{Label, Tasks};
