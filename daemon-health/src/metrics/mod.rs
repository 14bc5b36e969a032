//! The figures of a host, for Prometheus and whoever reads its format. Feature `metrics`.
//!
//! [`Metrics`] takes a snapshot of its host when somebody asks, and writes it as text: nothing is counted twice, and nothing is spent
//! while nobody asks. A program that counts things of its own with the [`metrics`](https://docs.rs/metrics) facade shows them in the
//! same text, or has the framework's figures in its own recorder.
//!
//! What is written:
//!
//! 1. Every family has its help and its type, a valid name, base units, and `_total` at the end where it is a counter.
//! 2. What is labelled is bounded: names that come up at run time share [`OTHERS`] once there are too many.
//! 3. No code of a daemon is called, and no lock held but those of a status.

pub(crate) mod accept;
mod exposition;
mod facade;
mod family;
mod health;
mod host;
mod names;
mod process;
mod text;

pub use exposition::{Exposition, Metrics};
pub use family::{Families, Family};
pub use names::OTHERS;
