//! How one piece of work runs.

mod catch;
mod stub;
mod tasks;

pub use catch::Failure;
pub(crate) use catch::{caught, drop_quietly};
pub use stub::{EventHandler, Handler, Handlers, place};
pub(crate) use tasks::{Label, Tasks};
