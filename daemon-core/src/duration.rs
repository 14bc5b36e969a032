//! Lengths of time as arguments.

use std::time::Duration;

use daemon_grammar::GrammarError;

/// A length of time: a [`Duration`], or text in the grammar of [`time`](crate::time), such as `"1h"` or `"1m30s"`.
///
/// ```
/// use daemon_core::IntoDuration;
/// use std::time::Duration;
///
/// assert_eq!("1m30s".into_duration(), Ok(Duration::from_secs(90)));
/// assert_eq!(Duration::from_secs(90).into_duration(), Ok(Duration::from_secs(90)));
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a length of time",
    label = "neither a `Duration` nor text",
    note = "write a `Duration`, or text such as \"90s\" or \"1h\""
)]
pub trait IntoDuration {
    /// The length of time.
    ///
    /// # Errors
    /// It is text that does not follow the grammar.
    fn into_duration(self) -> Result<Duration, GrammarError>;
}

impl IntoDuration for Duration {
    fn into_duration(self) -> Result<Duration, GrammarError> {
        Ok(self)
    }
}

impl<T: AsRef<str> + ?Sized> IntoDuration for &T {
    fn into_duration(self) -> Result<Duration, GrammarError> {
        daemon_grammar::duration(self.as_ref())
    }
}
