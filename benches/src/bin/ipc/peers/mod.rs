//! What else there is.

pub mod jsonrpsee;
pub mod tarpc;
pub mod tonic;
pub mod zbus;
pub mod zlink;
