//! Nothing of its own: its tests are the cases of `ui/pass`, compiled in edition 2021.
