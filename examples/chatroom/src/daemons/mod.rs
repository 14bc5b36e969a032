//! The thirteen daemons, one to a file. Each holds state and says when something happens; what happens is decided in the
//! pure modules beside this one.
//!
//! Wave 1: `console`, `data`, `command`, `events`, `widget`, `health`, `proxy`. Wave 2, behind `data`: `session`,
//! `user` (also behind `command`), `training`, `room-membership`, `lease`, `code`. One more, `chaos`, is there only when asked for.

mod chaos;
mod code;
mod command;
mod console;
mod data;
mod events;
mod health;
mod lease;
mod proxy;
mod room_membership;
mod session;
mod training;
mod user;
mod widget;

pub(crate) use chaos::ChaosDaemon;
pub(crate) use code::CodeDaemon;
pub(crate) use command::{CommandDaemon, Invocation};
pub(crate) use console::ConsoleDaemon;
pub(crate) use data::DataDaemon;
pub(crate) use events::EventsDaemon;
pub(crate) use health::HealthDaemon;
pub(crate) use lease::LeaseDaemon;
pub(crate) use proxy::ProxyDaemon;
pub(crate) use room_membership::RoomMembershipDaemon;
pub(crate) use session::SessionDaemon;
pub(crate) use training::TrainingDaemon;
pub(crate) use user::UserDaemon;
pub(crate) use widget::WidgetDaemon;
