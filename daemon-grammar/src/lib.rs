//! The text grammars shared by the macros and by whatever reads such text at run time.
//!
//! A text such as `"1m30s"` means the same in an attribute and in a program's own options, because both call the one
//! function here, and both show the same words when it is wrong. Nothing here does I/O, reads a clock or depends on
//! another crate, but for `Cron`, behind the feature of that name, which looks time zones up.
//!
//! ```
//! use std::time::Duration;
//!
//! assert_eq!(daemon_grammar::duration("1m30s")?, Duration::from_secs(90));
//! assert_eq!(
//!     daemon_grammar::duration("5 parsecs").unwrap_err().to_string(),
//!     r#"unknown unit "parsecs" in duration "5 parsecs"; expected one of ns, us, ms, s, m, h, d"#,
//! );
//! # Ok::<(), daemon_grammar::GrammarError>(())
//! ```

#![forbid(unsafe_code)]

#[cfg(feature = "cron")]
mod cron;
mod duration;
mod error;
pub mod name;
mod percent;
mod period;
mod range;
mod rate;
mod suggest;
pub mod topic;

#[cfg(feature = "cron")]
pub use cron::Cron;
pub use duration::duration;
pub use error::GrammarError;
pub use percent::Percent;
pub use period::period;
pub use range::{DurationRange, duration_range};
pub use rate::Rate;
pub use suggest::did_you_mean;
