//! Starting in the background: the program executes itself anew, without a terminal, and tells through a pipe when it is ready.
//!
//! The pipe is the standard output of the new process until that has made it its own. What the program prints before that is passed on.

mod child;
mod message;
mod parent;
#[cfg_attr(unix, path = "unix.rs")]
#[cfg_attr(windows, path = "windows.rs")]
mod sys;

pub(crate) use child::{Ready, detach};
pub(crate) use parent::start;
