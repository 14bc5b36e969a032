//! What the macros accept and what they refuse, in the words a user sees.
//!
//! Each case in `ui/fail` breaks one rule, in one phase of the compiler; its `.stderr` is the whole answer. After a change of
//! words, `TRYBUILD=overwrite cargo test -p tests --test ui` writes them anew: read the difference as a user would.

#[test]
fn ui() {
    let cases = trybuild::TestCases::new();
    cases.pass("ui/pass/*.rs");
    cases.compile_fail("ui/fail/*.rs");
}
