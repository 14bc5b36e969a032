//! The main job as a person runs it: the real binary, real input, real signals, and the database file read afterwards.
//!
//! Every test has its own directory and waits for what the program says or writes, never for a time to pass.
#![cfg(unix)]

mod input;
mod run;
mod signals;
mod trouble;
