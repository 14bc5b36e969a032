use super::*;
use proptest::prelude::*;

fn cron(expression: &str, zone: &str) -> Cron {
    Cron::new(expression, zone).unwrap()
}

fn fault(expression: &str) -> String {
    Cron::new(expression, "UTC").unwrap_err().to_string()
}

fn at(text: &str) -> SystemTime {
    system_time(text.parse().unwrap()).unwrap()
}

/// The next moments after `after`, in UTC.
fn next(cron: &Cron, after: &str, count: usize) -> Vec<String> {
    let mut moments = Vec::new();
    let mut after = at(after);
    while moments.len() < count {
        after = cron.next(after).unwrap();
        moments.push(timestamp(after).unwrap().to_string());
    }
    moments
}

#[test]
fn reads_fields_names_and_nicknames() {
    let first = |expression| next(&cron(expression, "UTC"), "2026-01-01T00:00:00Z", 1).remove(0);
    assert_eq!(first("0 3 * * *"), "2026-01-01T03:00:00Z");
    assert_eq!(first("30 0 3 * * *"), "2026-01-01T03:00:30Z");
    assert_eq!(first("*/15 * * * *"), "2026-01-01T00:15:00Z");
    assert_eq!(first("0 0 * * mon-fri"), "2026-01-02T00:00:00Z");
    assert_eq!(first("0 0 L feb *"), "2026-02-28T00:00:00Z");
    assert_eq!(first("0 0 29 2 *"), "2028-02-29T00:00:00Z");
    assert_eq!(first("0 0 13 * +FRI"), "2026-02-13T00:00:00Z");
    assert_eq!(first("0 12 * * FRI#2"), "2026-01-09T12:00:00Z");
    assert_eq!(first("@daily"), "2026-01-02T00:00:00Z");
    assert_eq!(first("@Hourly"), "2026-01-01T01:00:00Z");
    assert_eq!(first("@yearly"), "2027-01-01T00:00:00Z");
    let nightly = cron(" 0 3 * * * ", "europe/berlin");
    assert_eq!((nightly.expression(), nightly.zone()), ("0 3 * * *", "Europe/Berlin"));
    assert_eq!(nightly.to_string(), "0 3 * * * Europe/Berlin");
}

#[test]
fn says_what_to_write() {
    assert!(fault(" ").starts_with("a cron expression is empty"));
    assert_eq!(
        fault("0 3 * *"),
        "cron expression \"0 3 * *\" has 4 fields; write 5 (minute, hour, day, month, weekday), or 6 with seconds first"
    );
    assert!(fault("0 0 0 1 1 * 2027").contains("has 7 fields"));
    assert_eq!(
        fault("0 25 * * *"),
        "\"25\" is no hour in cron expression \"0 25 * * *\"; expected 0 to 23, also as a list, a range or with a step: \"1,5\", \
         \"1-5\", \"*/2\""
    );
    assert!(fault("60 0 3 * * *").starts_with("\"60\" is no second in"));
    assert!(fault("0 3 * * MOONDAY").starts_with("\"MOONDAY\" is no weekday in"));
    assert!(fault("0 3 * 13 *").starts_with("\"13\" is no month in"));
    assert!(fault("*/0 3 * * *").starts_with("\"*/0\" is no minute in"));
    assert_eq!(fault("@dayly"), "unknown nickname \"@dayly\" of a cron expression; did you mean \"@daily\"?");
    assert!(fault("@reboot").contains("expected one of @yearly, @annually"));
}

#[test]
fn what_never_comes_is_refused() {
    let never = "never comes: no month that it names has such a day; change the day or the month";
    for expression in ["0 0 31 2 *", "0 0 30 feb *", "0 0 31 2,4,6,9,11 *"] {
        assert_eq!(fault(expression), format!("cron expression {expression:?} {never}"));
    }
    assert!(Cron::new("0 0 31 2 1", "UTC").is_ok(), "on Mondays it comes");
}

#[test]
fn a_zone_that_nobody_knows_is_refused() {
    let fault = |zone| Cron::new("0 3 * * *", zone).unwrap_err().to_string();
    assert_eq!(fault("Europe/Berln"), "unknown time zone \"Europe/Berln\"; did you mean \"Europe/Berlin\"?");
    assert_eq!(
        fault("Mars"),
        "unknown time zone \"Mars\"; write the name of one, such as \"Europe/Berlin\" or \"UTC\""
    );
    assert!(fault("").starts_with("unknown time zone"));
}

// In Berlin the clocks go from 2:00 to 3:00 on 2026-03-29 at 01:00 UTC, and from 3:00 to 2:00 on 2026-10-25 at 01:00 UTC.

#[test]
fn a_named_time_that_the_clocks_skip_comes_at_the_change() {
    let days = next(&cron("30 2 * * *", "Europe/Berlin"), "2026-03-28T00:00:00Z", 3);
    assert_eq!(days, ["2026-03-28T01:30:00Z", "2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"]);
    let twice = next(&cron("0,30 2 * * *", "Europe/Berlin"), "2026-03-29T00:59:59Z", 2);
    assert_eq!(twice, ["2026-03-29T01:00:00Z", "2026-03-30T00:00:00Z"], "both at once are one");
    let also = next(&cron("0 2,3,14 * * *", "Europe/Berlin"), "2026-03-29T00:00:00Z", 2);
    assert_eq!(also, ["2026-03-29T01:00:00Z", "2026-03-29T12:00:00Z"]);
}

#[test]
fn a_named_time_that_the_clocks_show_twice_comes_once() {
    let days = next(&cron("30 2 * * *", "Europe/Berlin"), "2026-10-24T12:00:00Z", 2);
    assert_eq!(days, ["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"]);
    let between = next(&cron("30 2 * * *", "Europe/Berlin"), "2026-10-25T01:10:00Z", 1);
    assert_eq!(between, ["2026-10-26T01:30:00Z"], "asked while they show it again");
    let hours = next(&cron("15 1-3 * * *", "Europe/Berlin"), "2026-10-24T22:00:00Z", 3);
    assert_eq!(hours, ["2026-10-24T23:15:00Z", "2026-10-25T00:15:00Z", "2026-10-25T02:15:00Z"]);
}

#[test]
fn what_says_every_goes_with_the_clocks() {
    let spring = next(&cron("*/30 * * * *", "Europe/Berlin"), "2026-03-29T00:00:00Z", 4);
    assert_eq!(spring, ["00:30", "01:00", "01:30", "02:00"].map(|time| format!("2026-03-29T{time}:00Z")));
    let autumn = next(&cron("0 * * * *", "Europe/Berlin"), "2026-10-24T23:30:00Z", 3);
    assert_eq!(autumn, ["00:00", "01:00", "02:00"].map(|time| format!("2026-10-25T{time}:00Z")));
    // of the hour that is skipped there is nothing, of the one that comes again everything
    let spring = next(&cron("*/30 2 * * *", "Europe/Berlin"), "2026-03-28T12:00:00Z", 1);
    assert_eq!(spring, ["2026-03-30T00:00:00Z"]);
    let autumn = next(&cron("*/30 2 * * *", "Europe/Berlin"), "2026-10-24T12:00:00Z", 5);
    let hours = ["25T00:00", "25T00:30", "25T01:00", "25T01:30", "26T01:00"];
    assert_eq!(autumn, hours.map(|time| format!("2026-10-{time}:00Z")));
}

#[test]
fn zones_may_change_by_half_an_hour_or_by_a_day() {
    // Lord Howe goes from 2:00 to 2:30.
    let howe = next(&cron("15 2 * * *", "Australia/Lord_Howe"), "2026-10-03T12:00:00Z", 2);
    assert_eq!(howe, ["2026-10-03T15:30:00Z", "2026-10-04T15:15:00Z"]);
    // Samoa had no 30 December 2011.
    let samoa = next(&cron("0 12 30 12 *", "Pacific/Apia"), "2011-12-29T00:00:00Z", 2);
    assert_eq!(samoa, ["2011-12-30T10:00:00Z", "2012-12-29T22:00:00Z"]);
}

fn expressions() -> impl Strategy<Value = String> {
    let minute = prop::sample::select(&["0", "30", "0,15,59", "*/20", "*", "10-12"][..]);
    let hour = prop::sample::select(&["*", "*/2", "2", "1-3", "0,2,23", "3"][..]);
    let day = prop::sample::select(&["*", "25-29", "L"][..]);
    let weekday = prop::sample::select(&["*", "*", "SUN", "1-5"][..]);
    (minute, hour, day, weekday).prop_map(|(minute, hour, day, weekday)| format!("{minute} {hour} {day} * {weekday}"))
}

const ZONES: [&str; 5] = ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca"];

proptest! {
    /// Minute by minute through days on which clocks change.
    #[test]
    fn it_agrees_with_looking_at_the_clock_all_day(
        expression in expressions(),
        zone in prop::sample::select(&ZONES[..]),
        day in prop::sample::select(&["2026-03-07", "2026-03-28", "2026-04-04", "2026-10-03", "2026-10-24", "2026-10-31", "2026-02-14"][..]),
        begin in 0_i64..86_400,
    ) {
        let cron = cron(&expression, zone);
        let begin = format!("{day}T00:00:00Z").parse::<Timestamp>().unwrap() + SignedDuration::from_secs(begin);
        let minutes = || (0..2_880).map(|minute| {
            let first = begin.as_second().div_euclid(60) + 1;
            Timestamp::from_second((first + minute) * 60).unwrap()
        });
        let matches = |civil: DateTime| cron.expression.is_time_matching(&civil).unwrap();
        let mut expected: Vec<Timestamp> = if cron.is_wild {
            minutes().filter(|minute| matches(cron.zone.to_datetime(*minute))).collect()
        } else {
            let civil = |minute: Timestamp| cron.zone.to_datetime(minute);
            minutes().filter(|minute| {
                let (shown, before) = (civil(*minute), civil(*minute - SignedDuration::from_secs(60)));
                let step = before.duration_until(shown);
                let skipped = (1..step.as_mins()).any(|by| matches(before + SignedDuration::from_mins(by)));
                // the first of two moments that show the same
                let again = cron.zone.to_ambiguous_timestamp(shown).earlier().unwrap() != *minute;
                (matches(shown) && !again) || skipped
            }).collect()
        };
        expected.truncate(50);
        let mut found = Vec::new();
        let mut after = system_time(begin).unwrap();
        while found.len() < expected.len() {
            after = cron.next(after).unwrap();
            found.push(timestamp(after).unwrap());
        }
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn any_text_gets_an_answer(text in "([0-9*/,LW#A-Z-]{0,4} ){3,7}|.*", zone in ".*") {
        let _ = Cron::new(&text, "UTC").map(|cron| cron.next(UNIX_EPOCH));
        let _ = Cron::new("0 3 * * *", &zone);
    }
}
