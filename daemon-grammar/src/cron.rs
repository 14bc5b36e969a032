//! Cron expressions, each in a time zone. What a day looks like on which the clocks change is decided here.
//!
//! An expression is matched against the clock on the wall; its matches become moments by one of two rules, those of [cron(8)]:
//!
//! 1. One that names its times (no `*` among seconds, minutes and hours) comes once for each time that it names. A time that the
//!    clocks skip comes at the change; one that they show twice comes when they show it first.
//! 2. One that says "every" (a `*` there) comes whenever the clocks show what it says: not when they skip it, twice when they
//!    show it twice. So `*/30 * * * *` goes on every half hour.
//!
//! [cron(8)]: https://manpages.debian.org/stable/cron/cron.8.en.html

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use croner::parser::{CronParser, Seconds, Year};
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, Timestamp};

use crate::{GrammarError, did_you_mean};

/// A cron expression in a time zone.
///
/// The expression has five fields, or six with seconds first: `minute hour day month weekday`. Months and weekdays have names,
/// too, and Sunday is both 0 and 7. Besides `*`, lists, ranges and steps there are `L` (the last), `15W` (the weekday nearest to
/// the 15th), `FRI#2` (the second Friday) and `+` before the weekday, which then must match as well as the day. Instead
/// of fields there may be one of `@yearly`, `@annually`, `@monthly`, `@weekly`, `@daily` and `@hourly`.
///
/// The zone is a name of the [time zone database], such as `Europe/Berlin` or `UTC`.
///
/// [time zone database]: https://www.iana.org/time-zones
///
/// ```
/// use daemon_grammar::Cron;
/// use std::time::{Duration, UNIX_EPOCH};
///
/// let nightly = Cron::new("0 3 * * *", "Europe/Berlin")?;
/// // In winter, three in Berlin is two in UTC.
/// let two = UNIX_EPOCH + Duration::from_secs(2 * 3_600);
/// assert_eq!(nightly.next(UNIX_EPOCH), Some(two));
/// # Ok::<(), daemon_grammar::GrammarError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Cron {
    text: String,
    zone: TimeZone,
    zone_name: String,
    expression: croner::Cron,
    /// Whether it says "every" of a second, minute or hour.
    is_wild: bool,
}

impl Cron {
    /// Reads an expression and the name of a zone.
    ///
    /// # Errors
    ///
    /// Too few or too many fields, a field that says nothing, a date that never comes, and a zone that nobody knows.
    pub fn new(expression: &str, zone: &str) -> Result<Self, GrammarError> {
        let text = expression.trim();
        let zone_name = zone.trim().to_owned();
        let zone = TimeZone::get(&zone_name).map_err(|_| unknown_zone(&zone_name))?;
        let zone_name = zone.iana_name().map_or(zone_name, str::to_owned);
        let fields: Vec<_> = text.split_whitespace().collect();
        let is_wild = match &fields[..] {
            [] => return Err(GrammarError::new("a cron expression is empty; write one such as \"0 3 * * *\"")),
            [nickname] if nickname.starts_with('@') => check_nickname(nickname)?,
            [time @ .., _, _, _] if matches!(fields.len(), 5 | 6) => time.iter().any(|field| field.contains('*')),
            _ => {
                return Err(GrammarError::new(format!(
                    "cron expression {text:?} has {} fields; write 5 (minute, hour, day, month, weekday), or 6 with seconds first",
                    fields.len()
                )));
            }
        };
        let expression = parse(text).map_err(|why| faulty_field(text, &fields, &why))?;
        let cron = Self { text: text.to_owned(), zone, zone_name, expression, is_wild };
        if cron.expression.find_next_occurrence(&DateTime::constant(2000, 1, 1, 0, 0, 0, 0), true).is_err() {
            return Err(GrammarError::new(format!(
                "cron expression {text:?} never comes: no month that it names has such a day; change the day or the month"
            )));
        }
        Ok(cron)
    }

    /// The expression, as it was written.
    #[must_use]
    pub fn expression(&self) -> &str {
        &self.text
    }

    /// The name of its zone.
    #[must_use]
    pub fn zone(&self) -> &str {
        &self.zone_name
    }

    /// The first moment after `after`; `None` if there is none before the year 5000.
    #[must_use]
    pub fn next(&self, after: SystemTime) -> Option<SystemTime> {
        let after = timestamp(after)?;
        let next = if self.is_wild { self.next_shown(after) } else { self.next_named(after) };
        next.and_then(system_time)
    }

    /// The next match on the wall after `civil`.
    fn matched(&self, civil: DateTime) -> Option<DateTime> {
        self.expression.find_next_occurrence(&civil, false).ok()
    }

    /// Rule 1: every time that it names comes once.
    fn next_named(&self, after: Timestamp) -> Option<Timestamp> {
        let mut civil = self.zone.to_datetime(after);
        loop {
            civil = self.matched(civil)?;
            let shown = self.zone.to_ambiguous_timestamp(civil);
            let at = match shown.offset() {
                AmbiguousOffset::Unambiguous { offset } | AmbiguousOffset::Fold { before: offset, .. } => {
                    offset.to_timestamp(civil).ok()?
                }
                // The clocks skip it: it comes when they do.
                AmbiguousOffset::Gap { before, .. } => {
                    let skipped = before.to_timestamp(civil).ok()?;
                    let just_after = skipped.checked_add(SignedDuration::from_nanos(1)).ok()?;
                    self.zone.preceding(just_after).next()?.timestamp()
                }
            };
            // While the clocks show a time for the second time, its matches lie behind.
            if at > after {
                return Some(at);
            }
        }
    }

    /// Rule 2: it comes whenever the clocks show it. They are read from one change to the next.
    fn next_shown(&self, after: Timestamp) -> Option<Timestamp> {
        let mut after = after;
        loop {
            let offset = self.zone.to_offset(after);
            let change = self.zone.following(after).next().map(|change| change.timestamp());
            let at = offset.to_timestamp(self.matched(offset.to_datetime(after))?).ok()?;
            match change {
                Some(change) if at >= change => {
                    // What the clocks show at the change itself may match.
                    let first = self.zone.to_datetime(change);
                    if self.expression.is_time_matching(&first).unwrap_or(false) {
                        return Some(change);
                    }
                    after = change;
                }
                _ => return Some(at),
            }
        }
    }
}

/// The expression and its zone.
impl fmt::Display for Cron {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.text, self.zone_name)
    }
}

fn parse(text: &str) -> Result<croner::Cron, String> {
    let parser = CronParser::builder().seconds(Seconds::Optional).year(Year::Disallowed).build();
    parser.parse(text).map_err(|error| error.to_string())
}

const NICKNAMES: [&str; 6] = ["@yearly", "@annually", "@monthly", "@weekly", "@daily", "@hourly"];

/// Whether a nickname says "every" of a time.
fn check_nickname(nickname: &str) -> Result<bool, GrammarError> {
    if let Some(known) = NICKNAMES.iter().find(|known| known.eq_ignore_ascii_case(nickname)) {
        return Ok(*known == "@hourly");
    }
    let hint = match did_you_mean(nickname, NICKNAMES) {
        Some(near) => format!("did you mean \"{near}\"?"),
        None => format!("expected one of {}", NICKNAMES.join(", ")),
    };
    Err(GrammarError::new(format!("unknown nickname {nickname:?} of a cron expression; {hint}")))
}

/// What each field is, and what it takes; the last five are those of an expression without seconds.
const FIELDS: [(&str, &str); 6] = [
    ("second", "0 to 59"),
    ("minute", "0 to 59"),
    ("hour", "0 to 23"),
    ("day", "1 to 31, L or 15W"),
    ("month", "1 to 12 or JAN to DEC"),
    ("weekday", "0 to 7, SUN to SAT, FRI#2 or 5L"),
];

/// Finds the field that an expression fails for, by trying each beside fields that cannot fail.
fn faulty_field(text: &str, fields: &[&str], why: &str) -> GrammarError {
    let places = FIELDS.iter().skip(FIELDS.len() - fields.len());
    let fails = |at: &usize| {
        let alone: Vec<_> = (0..fields.len()).map(|other| if other == *at { fields[other] } else { "*" }).collect();
        parse(&alone.join(" ")).is_err()
    };
    match (0..fields.len()).find(fails).and_then(|at| Some((fields[at], places.clone().nth(at)?))) {
        Some((field, (name, takes))) => GrammarError::new(format!(
            "{field:?} is no {name} in cron expression {text:?}; expected {takes}, also as a list, a range or with a step: \"1,5\", \
             \"1-5\", \"*/2\""
        )),
        None => GrammarError::new(format!("{text:?} is not a cron expression: {why}")),
    }
}

fn unknown_zone(name: &str) -> GrammarError {
    let known: Vec<String> = jiff::tz::db().available().map(|zone| zone.to_string()).collect();
    let hint = match did_you_mean(name, known.iter().map(String::as_str)) {
        Some(near) => format!("did you mean {near:?}?"),
        None => "write the name of one, such as \"Europe/Berlin\" or \"UTC\"".to_owned(),
    };
    GrammarError::new(format!("unknown time zone {name:?}; {hint}"))
}

fn timestamp(time: SystemTime) -> Option<Timestamp> {
    Timestamp::try_from(time).ok()
}

fn system_time(at: Timestamp) -> Option<SystemTime> {
    let since = at.as_duration();
    let length = Duration::new(since.as_secs().unsigned_abs(), since.subsec_nanos().unsigned_abs());
    if since.is_negative() { UNIX_EPOCH.checked_sub(length) } else { UNIX_EPOCH.checked_add(length) }
}

#[cfg(test)]
mod tests;
