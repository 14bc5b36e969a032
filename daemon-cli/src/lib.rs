//! The command line of a daemon, for its operators: in the program itself, and as `daemonctl` for any that runs.
//!
//! ```no_run
//! use daemon_core::{DaemonBase, Host, daemon};
//! use std::process::ExitCode;
//!
//! #[daemon]
//! struct Heartbeat;
//!
//! #[daemon]
//! impl Heartbeat {
//!     #[every("1s")]
//!     fn beat(&self) {}
//! }
//!
//! impl DaemonBase for Heartbeat {}
//!
//! fn main() -> ExitCode {
//!     daemon_cli::main(Host::new("heartbeat").daemon(Heartbeat))
//! }
//! ```
//!
//! `heartbeat` runs it, as `Host::run` does. `heartbeat start` runs it detached and returns once it is ready; `heartbeat status` and the
//! others ask the one that runs, over the socket of its instance. A program with arguments of its own flattens [`Operator`] into them and
//! hands them to a [`Cli`].
//!
//! Every command has a deadline, an exit code that says how it went, and with `--json` output for scripts.

#![cfg_attr(not(windows), forbid(unsafe_code))]

mod args;
mod cli;
mod client;
mod detach;
mod error;
mod instance;
mod log;
mod output;
mod table;
mod verbs;
mod words;

pub use args::Operator;
pub use cli::{Cli, daemonctl, main};
