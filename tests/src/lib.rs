//! The home of tests that need more than one crate; see `tests/` and `ui/` beside this directory.
