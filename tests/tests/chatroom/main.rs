//! The main job as a person runs it: the real binary, real input, real signals, and the database file read afterwards.
//!
//! Every test has its own directory and waits for what the program says or writes, never for a time to pass.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "in a test a panic is the report, also in what tests share"
)]

mod chaos;
mod commands;
mod growth;
mod input;
mod metrics;
mod operators;
mod run;
mod signals;
mod storm;
mod trouble;
