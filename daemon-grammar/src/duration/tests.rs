use super::*;
use proptest::prelude::*;

fn fault(text: &str) -> String {
    duration(text).unwrap_err().to_string()
}

#[test]
fn reads_units_and_words() {
    let cases = [
        ("5s", Duration::from_secs(5)),
        ("100ms", Duration::from_millis(100)),
        ("1m30s", Duration::from_secs(90)),
        ("1h 30m", Duration::from_secs(5_400)),
        (" 2 hours 5 min ", Duration::from_secs(7_500)),
        ("1.5s", Duration::from_millis(1_500)),
        ("0.25d", Duration::from_secs(21_600)),
        ("7us", Duration::from_micros(7)),
        ("7\u{b5}s", Duration::from_micros(7)),
        ("7\u{3bc}s", Duration::from_micros(7)),
        ("1d2h3m4s5ms6us7ns", Duration::new(93_784, 5_006_007)),
        ("0s", Duration::ZERO),
        ("18446744073709551615s", Duration::from_secs(u64::MAX)),
        ("1.000000000000000000000000000000s", Duration::from_secs(1)),
    ];
    for (text, expected) in cases {
        assert_eq!(duration(text), Ok(expected), "{text}");
    }
}

#[test]
fn says_what_to_write() {
    assert_eq!(
        fault("5 parsecs"),
        r#"unknown unit "parsecs" in duration "5 parsecs"; expected one of ns, us, ms, s, m, h, d"#
    );
    assert_eq!(fault("30"), r#"no unit after 30 in duration "30"; add one, such as "30s""#);
    assert_eq!(fault("1m30"), r#"no unit after 30 in duration "1m30"; add one, such as "30s""#);
    assert_eq!(fault("5S"), r#"unknown unit "S" in duration "5S"; units are lower case: "s""#);
    assert_eq!(fault("2w"), r#"unknown unit "w" in duration "2w"; write a week as "7d""#);
    assert_eq!(
        fault("5s1m"),
        r#"m stands after s in duration "5s1m"; write each unit once, from the largest to the smallest"#
    );
    assert_eq!(
        fault("5s5s"),
        r#"s stands twice in duration "5s5s"; write each unit once, from the largest to the smallest"#
    );
    assert_eq!(fault("-5s"), r#"expected a number but found '-' in duration "-5s"; a duration cannot be negative"#);
    assert_eq!(fault("1.5ns"), r#"1.5 is finer than a nanosecond in duration "1.5ns"; round it to whole nanoseconds"#);
    assert_eq!(
        fault("1..5s"),
        r#""1..5" is not a number in duration "1..5s"; write digits on both sides of one point, such as "1.5s""#
    );
    assert_eq!(
        fault("18446744073709551616s"),
        r#"duration "18446744073709551616s" is too long; the longest is 18446744073709551615s"#
    );
    assert_eq!(
        fault("5%"),
        r#"expected a unit but found '%' in duration "5%"; expected one of ns, us, ms, s, m, h, d"#
    );
    assert!(fault("999999999999999999999999999999999999999999d").contains("is too long"));
    assert!(fault("  ").starts_with("a duration is empty"));
    assert!(fault("0.0000000000000000000000000000000000000001s").contains("finer than a nanosecond"));
}

/// Parts from the largest unit to the smallest, in words that humantime and jiff know as well.
fn common() -> impl Strategy<Value = String> {
    let part = |words: &'static [&'static str]| {
        prop::option::of((0_u32..100_000, prop::sample::select(words), prop::sample::select(&["", " "][..])))
    };
    let parts = (
        part(&["d", "day", "days"]),
        part(&["h", "hr", "hour", "hours"]),
        part(&["m", "min", "mins", "minute", "minutes"]),
        part(&["s", "sec", "secs", "second", "seconds"]),
        part(&["ms", "msec"]),
        part(&["us", "usec"]),
        part(&["ns", "nsec"]),
    );
    parts.prop_filter_map("no part", |(d, h, m, s, ms, us, ns)| {
        let parts: Vec<_> =
            [d, h, m, s, ms, us, ns].into_iter().flatten().map(|(n, unit, gap)| format!("{n}{unit}{gap}")).collect();
        (!parts.is_empty()).then(|| parts.concat().trim_end().to_owned())
    })
}

fn jiff(text: &str) -> Option<Duration> {
    text.parse::<jiff::SignedDuration>().ok()?.try_into().ok()
}

/// What the guide says of how the three differ.
#[test]
fn it_is_stricter_than_the_others() {
    let accepted = |text: &str| {
        let (humantime, jiff) = (humantime::parse_duration(text).ok(), jiff(text));
        if let Ok(ours) = duration(text) {
            assert!(
                humantime.is_none_or(|theirs| theirs == ours) && jiff.is_none_or(|theirs| theirs == ours),
                "{text}"
            );
        }
        (duration(text).is_ok(), humantime.is_some(), text.parse::<jiff::SignedDuration>().is_ok())
    };
    let (yes, no) = (true, false);
    for (text, expected) in [
        ("1m30s", (yes, yes, yes)),
        ("2 hours 5 min", (yes, yes, yes)),
        ("5", (no, no, no)),
        ("1.5s", (yes, yes, yes)),
        ("1.5h", (yes, yes, yes)),
        ("5s5s", (no, yes, no)),
        ("5s1m", (no, yes, no)),
        ("2M", (no, yes, no)),
        ("2w", (no, yes, no)),
        ("1y", (no, yes, no)),
        ("1d", (yes, yes, no)),
        ("-5s", (no, no, yes)),
        ("5s ago", (no, no, yes)),
        ("PT5S", (no, no, yes)),
        ("00:05:00", (no, no, yes)),
        ("1h, 5m", (no, no, yes)),
    ] {
        assert_eq!(accepted(text), expected, "{text}: here, humantime, jiff");
    }
}

proptest! {
    /// Whatever the three accept is the same to them.
    #[test]
    fn what_any_two_accept_is_the_same(
        text in "([0-9]{1,4}([.][0-9]{1,3})?[ ]?(ns|us|\u{b5}s|usec|ms|millis|msec|s|sec|secs|seconds|m|min|minutes|h|hr|hours|d|days)[ ,]{0,2}){1,3}",
    ) {
        let all = [duration(&text).ok(), humantime::parse_duration(&text).ok(), jiff(&text)];
        let accepted: Vec<_> = all.iter().flatten().collect();
        prop_assert!(accepted.windows(2).all(|two| two[0] == two[1]), "{}: {:?}", text, all);
    }

    #[test]
    fn agrees_with_humantime(text in common()) {
        prop_assert_eq!(duration(&text).ok(), humantime::parse_duration(&text).ok());
    }

    #[test]
    fn agrees_with_jiff(text in common()) {
        // jiff has no days without a calendar.
        let text = text.split_once("day").map_or(&*text, |(_, rest)| rest.trim_start_matches('s').trim_start());
        if let Some(theirs) = jiff(text) {
            prop_assert_eq!(duration(text), Ok(theirs), "{}", text);
        } else {
            prop_assert!(text.is_empty() || text.contains('d'), "{}", text);
        }
    }

    #[test]
    fn fractions_agree_with_jiff(whole in 0_u32..100_000, fraction in 0_u32..1_000_000_000, unit in prop::sample::select(&["h", "m", "s"][..])) {
        let text = format!("{whole}.{fraction:09}{unit}");
        prop_assert_eq!(duration(&text).ok(), jiff(&text));
    }

    #[test]
    fn what_humantime_writes_is_read_back(seconds in 0_u64..2_629_000, nanos in 0_u32..1_000_000_000) {
        let expected = Duration::new(seconds, nanos);
        let text = humantime::format_duration(expected).to_string();
        prop_assert_eq!(duration(&text), Ok(expected), "{}", text);
    }

    #[test]
    fn any_text_gets_an_answer(text in "[0-9a-z.µ ]{0,12}|.*") {
        let _ = duration(&text);
    }

    #[test]
    fn refused_by_neither_when_accepted(text in "[0-9]{1,3}(ns|us|ms|s|m|h|d|days|min|x|)( ?[0-9]{1,3}(ns|us|ms|s|m|h))?") {
        if let (Ok(ours), Ok(theirs)) = (duration(&text), humantime::parse_duration(&text)) {
            prop_assert_eq!(ours, theirs);
        }
    }
}
