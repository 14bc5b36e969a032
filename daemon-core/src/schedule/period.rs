//! How long it is from one tick to the next, or that there is none.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use daemon_grammar::GrammarError;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// The period of an interval, as it stands in a configuration: a time, or `off`.
///
/// ```
/// use daemon_core::Period;
/// use std::time::Duration;
///
/// #[derive(serde::Deserialize)]
/// struct Config {
///     sweep: Period,
/// }
///
/// let config: Config = serde_json::from_str(r#"{"sweep": "1m30s"}"#)?;
/// assert_eq!(config.sweep, Period::Every(Duration::from_secs(90)));
/// assert_eq!("off".parse::<Period>()?, Period::Off);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Period {
    /// No tick comes by itself.
    Off,
    /// A tick comes at every multiple of this.
    Every(Duration),
}

impl From<Duration> for Period {
    fn from(period: Duration) -> Self {
        Self::Every(period)
    }
}

impl From<Option<Duration>> for Period {
    fn from(period: Option<Duration>) -> Self {
        period.map_or(Self::Off, Self::Every)
    }
}

impl FromStr for Period {
    type Err = GrammarError;

    fn from_str(text: &str) -> Result<Self, GrammarError> {
        daemon_grammar::period(text).map(Self::from)
    }
}

impl TryFrom<&str> for Period {
    type Error = GrammarError;

    fn try_from(text: &str) -> Result<Self, GrammarError> {
        text.parse()
    }
}

/// As it can be read again.
impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => f.write_str("off"),
            Self::Every(period) => write!(f, "{period:?}"),
        }
    }
}

impl Serialize for Period {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Period {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'_, str>>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        for period in [
            Period::Off,
            Period::Every(Duration::from_nanos(1)),
            Period::Every(Duration::from_micros(1_500)),
            Period::Every(Duration::new(3_600, 1)),
        ] {
            assert_eq!(period.to_string().parse(), Ok(period));
            let json = serde_json::to_string(&period).unwrap();
            assert_eq!(serde_json::from_str::<Period>(&json).unwrap(), period);
        }
        let fault = serde_json::from_str::<Period>("\"5\"").unwrap_err();
        assert!(fault.to_string().starts_with("no unit after 5"), "{fault}");
    }
}
