//! Rates: so many times in so long.

use crate::{GrammarError, duration};
use std::{str::FromStr, time::Duration};

/// At most `count` times within `per`: `5/1m`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// How many times; at least one when read from a text.
    pub count: u32,
    /// Within how long; above zero when read from a text.
    pub per: Duration,
}

impl FromStr for Rate {
    type Err = GrammarError;

    fn from_str(text: &str) -> Result<Self, GrammarError> {
        let Some((count, per)) = text.split_once('/') else {
            return Err(GrammarError::new(format!(
                "no \"/\" in rate {text:?}; write a count and a duration, such as \"5/1m\""
            )));
        };
        let count: u32 = count.trim().parse().map_err(|_| {
            GrammarError::new(format!(
                "{:?} is not a count in rate {text:?}; write a whole number, such as \"5/1m\"",
                count.trim()
            ))
        })?;
        if count == 0 {
            return Err(GrammarError::new(format!("the count is zero in rate {text:?}; write at least 1")));
        }
        let per = per.trim();
        if !per.is_empty() && per.chars().all(char::is_alphabetic) {
            return Err(GrammarError::new(format!(
                "no number before {per} in rate {text:?}; write \"{count}/1{per}\""
            )));
        }
        let per = duration(per)?;
        if per.is_zero() {
            return Err(GrammarError::new(format!(
                "the time is zero in rate {text:?}; write a longer one, such as \"{count}/1m\""
            )));
        }
        Ok(Self { count, per })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(text: &str) -> String {
        text.parse::<Rate>().unwrap_err().to_string()
    }

    #[test]
    fn reads_count_and_time() {
        assert_eq!("5/1m".parse(), Ok(Rate { count: 5, per: Duration::from_secs(60) }));
        assert_eq!(" 2 / 500ms".parse(), Ok(Rate { count: 2, per: Duration::from_millis(500) }));
    }

    #[test]
    fn says_what_to_write() {
        assert_eq!(fault("5/m"), r#"no number before m in rate "5/m"; write "5/1m""#);
        assert_eq!(fault("0/1m"), r#"the count is zero in rate "0/1m"; write at least 1"#);
        assert_eq!(fault("5"), r#"no "/" in rate "5"; write a count and a duration, such as "5/1m""#);
        assert!(fault("-1/1m").starts_with("\"-1\" is not a count"));
        assert!(fault("5/0s").starts_with("the time is zero"));
    }
}
