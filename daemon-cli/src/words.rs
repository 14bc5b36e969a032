//! Numbers and texts as a person reads them. Pure.

use std::borrow::Cow;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A length of time, short enough for a table.
pub(crate) fn short(length: Duration) -> String {
    let (secs, millis) = (length.as_secs(), length.as_millis());
    match secs {
        0 if length.as_micros() == 0 => "<1 ms".to_owned(), // of which no more may be known
        0 if millis == 0 => format!("{} µs", length.as_micros()),
        0 => format!("{millis} ms"),
        1..60 => format!("{secs}.{} s", length.subsec_millis() / 100),
        60..3_600 => format!("{}m {:02}s", secs / 60, secs % 60),
        3_600..86_400 => format!("{}h {:02}m", secs / 3_600, secs % 3_600 / 60),
        _ => format!("{}d {:02}h", secs / 86_400, secs % 86_400 / 3_600),
    }
}

/// A period as people say it, if one unit is enough for it.
pub(crate) fn period(length: Duration) -> Option<String> {
    let (secs, rest) = (length.as_secs(), length.subsec_nanos());
    let of = |unit: u64| (rest == 0 && secs > 0 && secs % unit == 0).then_some(secs / unit);
    let units = [(86_400, "d"), (3_600, "h"), (60, "m"), (1, "s")];
    units.iter().find_map(|(unit, name)| Some(format!("{}{name}", of(*unit)?)))
}

/// The same of a length that there may not be.
pub(crate) fn short_or_dash(length: Option<Duration>) -> String {
    length.map_or_else(|| "-".to_owned(), short)
}

/// A number of things, such as `1 daemon`.
pub(crate) fn count(number: usize, of: &str) -> String {
    format!("{number} {of}{}", if number == 1 { "" } else { "s" })
}

/// The time of day in UTC, to the millisecond.
pub(crate) fn time_of_day(time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let of_day = since.as_secs() % 86_400;
    format!("{:02}:{:02}:{:02}.{:03}Z", of_day / 3_600, of_day % 3_600 / 60, of_day % 60, since.subsec_millis())
}

/// Text of others, without what would steer the terminal it is shown on.
pub(crate) fn clean(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_control) {
        return Cow::Borrowed(text);
    }
    text.chars()
        .flat_map(|c| if is_control(c) { c.escape_default().collect() } else { vec![c] })
        .collect::<String>()
        .into()
}

/// Control characters, and those that turn the direction of text around.
fn is_control(c: char) -> bool {
    c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The beginning of a text that fits into so many columns.
pub(crate) fn cut(text: &str, columns: usize) -> String {
    if text.chars().count() <= columns {
        return text.to_owned();
    }
    text.chars().take(columns.saturating_sub(1)).chain(std::iter::once('…')).collect()
}

/// Text in lines of so many columns at most, broken at blanks where that can be.
pub(crate) fn wrap(text: &str, columns: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let mut rest: Vec<char> = word.chars().collect();
        while let Some(line) = lines.last_mut() {
            let used = line.chars().count();
            let blank = usize::from(used > 0);
            if used + blank + rest.len() <= columns {
                line.extend((blank > 0).then_some(' '));
                line.extend(rest);
                break;
            }
            if used == 0 {
                let tail = rest.split_off(columns.max(1).min(rest.len()));
                line.extend(rest);
                rest = tail;
            }
            lines.push(String::new());
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_as_coarse_as_they_are_long() {
        let told = |micros: u64| short(Duration::from_micros(micros));
        assert_eq!(told(0), "<1 ms");
        assert_eq!(told(15), "15 µs");
        assert_eq!(told(12_700), "12 ms");
        assert_eq!(told(2_150_000), "2.1 s");
        assert_eq!(told(65_000_000), "1m 05s");
        assert_eq!(told(7_500_000_000), "2h 05m");
        assert_eq!(told(277_000_000_000), "3d 04h");
        assert_eq!(short_or_dash(None), "-");
    }

    #[test]
    fn a_period_is_said_in_its_largest_unit() {
        let said = |secs| period(Duration::from_secs(secs));
        assert_eq!(
            [30, 90, 1_800, 21_600, 172_800].map(said),
            ["30s", "90s", "30m", "6h", "2d"].map(|text| Some(text.to_owned()))
        );
        assert_eq!((period(Duration::from_millis(1_500)), period(Duration::ZERO)), (None, None));
    }

    #[test]
    fn a_terminal_is_not_steered_by_text() {
        assert_eq!(clean("plain ü"), "plain ü");
        assert_eq!(clean("\u{1b}[2Jgone\n\u{202e}"), "\\u{1b}[2Jgone\\n\\u{202e}");
    }

    #[test]
    fn text_is_cut_and_wrapped_by_columns() {
        assert_eq!((cut("äöü", 3), cut("äöüß", 3)), ("äöü".to_owned(), "äö…".to_owned()));
        assert_eq!(wrap("the disk is full", 8), ["the disk", "is full"]);
        assert_eq!(wrap("abcdefghij kl", 4), ["abcd", "efgh", "ij", "kl"]);
        assert_eq!(wrap("", 4), [""]);
    }

    #[test]
    fn a_time_of_day_is_in_utc() {
        assert_eq!(time_of_day(UNIX_EPOCH + Duration::from_millis(90_061_007)), "01:01:01.007Z");
    }
}
