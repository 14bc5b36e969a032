//! Periods: durations above zero, or none at all.

use crate::{GrammarError, duration};
use std::time::Duration;

/// Reads a period: a [`duration`] above zero, or `off`, which is `None`.
///
/// # Errors
///
/// What is neither, and a duration of zero.
///
/// # Example
///
/// ```
/// use std::time::Duration;
///
/// assert_eq!(daemon_grammar::period("30s")?, Some(Duration::from_secs(30)));
/// assert_eq!(daemon_grammar::period("off")?, None);
/// # Ok::<(), daemon_grammar::GrammarError>(())
/// ```
pub fn period(text: &str) -> Result<Option<Duration>, GrammarError> {
    match text.trim() {
        "off" => Ok(None),
        other if other.eq_ignore_ascii_case("off") => {
            Err(GrammarError::new(format!("{other:?} is not a period; write \"off\" in lower case")))
        }
        _ => match duration(text)? {
            Duration::ZERO => Err(GrammarError::new("the period is zero; write a longer one, such as \"5s\"")),
            period => Ok(Some(period)),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_time_or_none() {
        assert_eq!(period(" 1m30s "), Ok(Some(Duration::from_secs(90))));
        assert_eq!(period(" off"), Ok(None));
    }

    #[test]
    fn says_what_to_write() {
        let fault = |text| period(text).unwrap_err().to_string();
        assert_eq!(fault("0ms"), "the period is zero; write a longer one, such as \"5s\"");
        assert_eq!(fault("Off"), "\"Off\" is not a period; write \"off\" in lower case");
        assert!(fault("of").starts_with("expected a number but found 'o' in duration \"of\""));
    }
}
