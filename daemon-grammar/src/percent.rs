//! Percentages, kept to the hundredth of a per cent.

use crate::GrammarError;
use std::{fmt, str::FromStr, time::Duration};

const WHOLE: u16 = 10_000;

/// A share from `0%` to `100%`, in steps of a hundredth of a per cent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Percent(u16);

impl Percent {
    /// So many hundredths of a per cent; more than 10,000 of them count as 10,000, which is 100 %.
    #[must_use]
    pub const fn from_hundredths(hundredths: u16) -> Self {
        Self(if hundredths > WHOLE { WHOLE } else { hundredths })
    }

    /// The share in hundredths of a per cent, from 0 to 10,000.
    #[must_use]
    pub const fn hundredths(self) -> u16 {
        self.0
    }

    /// This share of a duration, rounded down to the nanosecond.
    #[must_use]
    pub fn of(self, duration: Duration) -> Duration {
        let share = |whole: u128| whole * u128::from(self.0) / u128::from(WHOLE);
        let nanos = share(duration.as_nanos());
        // A share is never more than the whole, whose seconds fit.
        Duration::new((nanos / 1_000_000_000) as u64, (nanos % 1_000_000_000) as u32)
    }
}

impl FromStr for Percent {
    type Err = GrammarError;

    fn from_str(text: &str) -> Result<Self, GrammarError> {
        let Some(number) = text.trim().strip_suffix('%') else {
            return Err(GrammarError::new(format!("no \"%\" after percentage {text:?}; write \"{}%\"", shown(text))));
        };
        let number = number.trim_end();
        let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        if !digits(whole) || !digits(fraction) {
            return Err(GrammarError::new(format!(
                "{number:?} is not a number in percentage {text:?}; write one such as \"10%\""
            )));
        }
        let fraction = fraction.trim_end_matches('0');
        if fraction.len() > 2 {
            return Err(GrammarError::new(format!(
                "percentage {text:?} is too fine; write at most two digits after the point"
            )));
        }
        let hundredths = format!("{whole}{fraction:0<2}").parse().ok().filter(|n| *n <= WHOLE);
        hundredths
            .map(Self)
            .ok_or_else(|| GrammarError::new(format!("percentage {text:?} is above 100%; write at most \"100%\"")))
    }
}

/// The number of a text that lacks its sign, or an example if it is no number.
fn shown(text: &str) -> &str {
    let text = text.trim();
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit() || b == b'.') { text } else { "10" }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0 / 100, self.0 % 100) {
            (whole, 0) => write!(f, "{whole}%"),
            (whole, tenths) if tenths % 10 == 0 => write!(f, "{whole}.{}%", tenths / 10),
            (whole, hundredths) => write!(f, "{whole}.{hundredths:02}%"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn fault(text: &str) -> String {
        text.parse::<Percent>().unwrap_err().to_string()
    }

    #[test]
    fn reads_hundredths() {
        assert_eq!("10%".parse(), Ok(Percent(1_000)));
        assert_eq!("12.5 %".parse(), Ok(Percent(1_250)));
        assert_eq!("0.05%".parse(), Ok(Percent(5)));
        assert_eq!("100.00%".parse(), Ok(Percent(WHOLE)));
    }

    #[test]
    fn takes_a_share() {
        let tenth = Percent::from_hundredths(1_000);
        assert_eq!(tenth.of(Duration::from_secs(30)), Duration::from_secs(3));
        assert_eq!(Percent::from_hundredths(u16::MAX).of(Duration::MAX), Duration::MAX);
        assert_eq!(Percent::default().of(Duration::MAX), Duration::ZERO);
    }

    #[test]
    fn says_what_to_write() {
        assert_eq!(fault("10"), r#"no "%" after percentage "10"; write "10%""#);
        assert_eq!(fault("101%"), r#"percentage "101%" is above 100%; write at most "100%""#);
        assert_eq!(fault("0.125%"), r#"percentage "0.125%" is too fine; write at most two digits after the point"#);
        assert!(fault("-1%").starts_with("\"-1\" is not a number"));
        assert!(fault("99999999999%").contains("above 100%"));
    }

    proptest! {
        #[test]
        fn what_is_shown_is_read_back(hundredths in 0..=WHOLE) {
            let percent = Percent::from_hundredths(hundredths);
            prop_assert_eq!(percent.to_string().parse(), Ok(percent));
        }

        #[test]
        fn any_text_gets_an_answer(text in ".*") {
            let _ = text.parse::<Percent>();
        }
    }
}
