//! Named pipes. Those of interprocess, which takes an owner-only descriptor without unsafe code of ours.
