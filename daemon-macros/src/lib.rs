//! The attribute macros of `daemon-core`.
