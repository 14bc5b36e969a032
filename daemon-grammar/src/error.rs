//! The one error of this crate: a sentence that says what is wrong, then the fix.

use std::fmt;

/// Why a text is not what it should be: what is wrong, then what to write instead.
///
/// The text quotes the input, so it needs no context to be understood; callers add where the input stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrammarError {
    text: Box<str>,
}

impl GrammarError {
    pub(crate) fn new(text: impl Into<Box<str>>) -> Self {
        Self { text: text.into() }
    }
}

impl fmt::Display for GrammarError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for GrammarError {}
