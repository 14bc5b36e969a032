//! Durations: numbers with units, from the largest unit to the smallest.

use crate::GrammarError;
use std::time::Duration;

/// The units, largest first, with the words that are accepted for each; the first word is the one that messages name.
const UNITS: &[(&[&str], u128)] = &[
    (&["d", "day", "days"], 86_400 * SECOND),
    (&["h", "hr", "hrs", "hour", "hours"], 3_600 * SECOND),
    (&["m", "min", "mins", "minute", "minutes"], 60 * SECOND),
    (&["s", "sec", "secs", "second", "seconds"], SECOND),
    (&["ms", "msec", "msecs", "millis", "millisecond", "milliseconds"], 1_000_000),
    // The micro sign and the Greek letter look alike and keyboards offer either.
    (&["us", "\u{b5}s", "\u{3bc}s", "usec", "usecs", "micros", "microsecond", "microseconds"], 1_000),
    (&["ns", "nsec", "nsecs", "nanos", "nanosecond", "nanoseconds"], 1),
];

const SECOND: u128 = 1_000_000_000;

/// Reads a duration such as `5s`, `100ms`, `1.5s`, `1h30m` or `2 hours 5 min`.
///
/// Parts go from the largest unit to the smallest and name each unit once. Spaces may stand between the parts and
/// between a number and its unit. Zero (`0s`) is a duration; a caller that has no use for it refuses it.
///
/// # Errors
///
/// A number without a unit, an unknown unit, units out of order, a fraction finer than a nanosecond, and anything
/// longer than [`Duration::MAX`].
///
/// # Example
///
/// ```
/// use std::time::Duration;
///
/// assert_eq!(daemon_grammar::duration("1.5s")?, Duration::from_millis(1_500));
/// assert!(daemon_grammar::duration("30").is_err());
/// # Ok::<(), daemon_grammar::GrammarError>(())
/// ```
pub fn duration(text: &str) -> Result<Duration, GrammarError> {
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(GrammarError::new("a duration is empty; write a number and a unit, such as \"5s\""));
    }
    let mut nanos = 0_u128;
    let mut last: Option<usize> = None;
    while !rest.is_empty() {
        let number = leading(rest, |c| c.is_ascii_digit() || c == '.');
        let after = rest[number.len()..].trim_start();
        let word = leading(after, char::is_alphabetic);
        let unit = unit(text, number, word, after)?;
        if let Some(last) = last
            && unit <= last
        {
            return Err(out_of_order(text, unit, last));
        }
        last = Some(unit);
        nanos = part(text, number, UNITS[unit].1)?.checked_add(nanos).ok_or_else(|| too_long(text))?;
        rest = after[word.len()..].trim_start();
    }
    let seconds = u64::try_from(nanos / SECOND).map_err(|_| too_long(text))?;
    // The remainder is below a thousand million, so the cast keeps it whole.
    Ok(Duration::new(seconds, (nanos % SECOND) as u32))
}

fn leading(text: &str, belongs: impl Fn(char) -> bool) -> &str {
    &text[..text.find(|c| !belongs(c)).unwrap_or(text.len())]
}

/// The place in [`UNITS`] of the unit that follows `number`.
fn unit(text: &str, number: &str, word: &str, after: &str) -> Result<usize, GrammarError> {
    if number.is_empty() {
        let found = after.chars().next().unwrap_or(' ');
        let why = if found == '-' {
            "a duration cannot be negative"
        } else {
            "each part is a number and a unit, such as \"1m30s\""
        };
        return Err(GrammarError::new(format!("expected a number but found {found:?} in duration {text:?}; {why}")));
    }
    if word.is_empty() {
        return Err(match after.chars().next() {
            Some(found) if !found.is_ascii_digit() => {
                GrammarError::new(format!("expected a unit but found {found:?} in duration {text:?}; {}", expected()))
            }
            _ => GrammarError::new(format!(
                "no unit after {number} in duration {text:?}; add one, such as \"{number}s\""
            )),
        });
    }
    UNITS.iter().position(|(words, _)| words.contains(&word)).ok_or_else(|| {
        let lower = word.to_lowercase();
        let hint = match word {
            // A capital M is a month elsewhere, so it is not taken for a minute.
            _ if word != lower && UNITS.iter().any(|(words, _)| words.contains(&lower.as_str())) => {
                format!("units are lower case: \"{lower}\"")
            }
            "w" | "week" | "weeks" => "write a week as \"7d\"".to_owned(),
            _ => expected(),
        };
        GrammarError::new(format!("unknown unit {word:?} in duration {text:?}; {hint}"))
    })
}

fn expected() -> String {
    let names: Vec<_> = UNITS.iter().rev().map(|(words, _)| words[0]).collect();
    format!("expected one of {}", names.join(", "))
}

/// `number` of a unit, in nanoseconds.
fn part(text: &str, number: &str, unit: u128) -> Result<u128, GrammarError> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    if whole.is_empty() || fraction.is_empty() || fraction.contains('.') {
        return Err(GrammarError::new(format!(
            "{number:?} is not a number in duration {text:?}; write digits on both sides of one point, such as \"1.5s\""
        )));
    }
    let whole: u128 = whole.parse().map_err(|_| too_long(text))?;
    let too_fine = || {
        GrammarError::new(format!(
            "{number} is finer than a nanosecond in duration {text:?}; round it to whole nanoseconds"
        ))
    };
    let digits = fraction.trim_end_matches('0');
    // A day has 86.4e12 ns, so more digits than these cannot be whole nanoseconds.
    let scale = 10_u128.checked_pow(digits.len() as u32).filter(|_| digits.len() <= 18).ok_or_else(too_fine)?;
    let numerator = digits.parse::<u128>().unwrap_or(0) * unit;
    if !numerator.is_multiple_of(scale) {
        return Err(too_fine());
    }
    whole.checked_mul(unit).and_then(|n| n.checked_add(numerator / scale)).ok_or_else(|| too_long(text))
}

fn too_long(text: &str) -> GrammarError {
    GrammarError::new(format!("duration {text:?} is too long; the longest is {}s", u64::MAX))
}

fn out_of_order(text: &str, unit: usize, last: usize) -> GrammarError {
    let (unit, last) = (UNITS[unit].0[0], UNITS[last].0[0]);
    let what = if unit == last { format!("{unit} stands twice") } else { format!("{unit} stands after {last}") };
    GrammarError::new(format!("{what} in duration {text:?}; write each unit once, from the largest to the smallest"))
}

#[cfg(test)]
mod tests;
