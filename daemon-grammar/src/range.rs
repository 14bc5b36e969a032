//! Ranges of durations, as a restart's backoff takes them.

use crate::{GrammarError, duration};
use std::{str::FromStr, time::Duration};

/// Two durations, the first not above the second: `100ms..30s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DurationRange {
    /// Where the range begins.
    pub min: Duration,
    /// Where it ends; never below `min` when read from a text.
    pub max: Duration,
}

/// Reads a range such as `100ms..30s`.
///
/// # Errors
///
/// A side that is not a [`duration`], a missing `..`, or a first side above the second.
pub fn duration_range(text: &str) -> Result<DurationRange, GrammarError> {
    let Some((min, max)) = text.split_once("..") else {
        return Err(GrammarError::new(format!(
            "no \"..\" in range {text:?}; write the least and the greatest, such as \"100ms..30s\""
        )));
    };
    if max.starts_with('=') {
        return Err(GrammarError::new(format!(
            "\"..=\" in range {text:?}; write \"..\", both ends belong to the range"
        )));
    }
    if min.trim().is_empty() || max.trim().is_empty() {
        return Err(GrammarError::new(format!(
            "a side is missing in range {text:?}; write both, such as \"100ms..30s\""
        )));
    }
    let range = DurationRange { min: duration(min)?, max: duration(max)? };
    if range.min > range.max {
        return Err(GrammarError::new(format!(
            "range {text:?} runs backwards; write \"{}..{}\"",
            max.trim(),
            min.trim()
        )));
    }
    Ok(range)
}

impl FromStr for DurationRange {
    type Err = GrammarError;

    fn from_str(text: &str) -> Result<Self, GrammarError> {
        duration_range(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(text: &str) -> String {
        duration_range(text).unwrap_err().to_string()
    }

    #[test]
    fn reads_both_ends() {
        let range = "100ms .. 30s".parse::<DurationRange>();
        assert_eq!(range, Ok(DurationRange { min: Duration::from_millis(100), max: Duration::from_secs(30) }));
        assert!("5s..5s".parse::<DurationRange>().is_ok());
    }

    #[test]
    fn says_what_to_write() {
        assert_eq!(fault("30s..100ms"), r#"range "30s..100ms" runs backwards; write "100ms..30s""#);
        assert_eq!(fault("5s"), r#"no ".." in range "5s"; write the least and the greatest, such as "100ms..30s""#);
        assert_eq!(
            fault("1s..=2s"),
            r#"".." in range"#.replace("..", "..=") + r#" "1s..=2s"; write "..", both ends belong to the range"#
        );
        assert!(fault("..2s").starts_with("a side is missing"));
        assert!(fault("1..2s").starts_with("no unit after 1 in duration \"1\""));
    }
}
