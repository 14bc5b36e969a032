//! A process that is stopped for a while, and goes on.

use std::collections::HashMap;

use tests::{Signal, Source};

use super::{Result, SOON, Subject};

/// What an interval has done: ticks, and ticks left out.
type Counts = HashMap<String, (u64, u64)>;

/// What a line of the program tells, if it is one that tells.
fn counts(line: &str) -> Option<Counts> {
    let words: Vec<_> = line.split(' ').collect();
    let count = |three: &[&str]| Some((three[0].to_owned(), (three[1].parse().ok()?, three[2].parse().ok()?)));
    words.chunks_exact(3).map(count).collect::<Option<Counts>>().filter(|counts| counts.contains_key("burst"))
}

/// How many multiples have come, once all intervals of the same period have dealt with them.
fn multiples(counts: &Counts) -> Option<u64> {
    let all = ["skip", "once", "burst"].map(|name| counts[name].0 + counts[name].1);
    (all[0] == all[1] && all[1] == all[2]).then_some(all[0])
}

/// Waits until so many multiples have come.
fn until(subject: &Subject, least: u64) -> Result<Counts> {
    let far = |line: &str| counts(line).and_then(|counts| multiples(&counts)).is_some_and(|now| now >= least);
    let line = subject.running.wait_for_line(Source::Stdout, SOON, far)?;
    Ok(counts(&line).unwrap_or_default())
}

/// How many multiples have come by now.
fn by_now(subject: &Subject) -> u64 {
    let told = subject.running.text(Source::Stdout);
    told.lines().rev().find_map(|line| multiples(&counts(line)?)).unwrap_or_default()
}

#[test]
fn a_process_stopped_for_three_seconds_ticks_on_and_catches_up_as_declared() -> Result {
    let (subject, watch) = (Subject::start("calm/paced", &[])?, Subject::start("calm/paced", &[])?);
    until(&subject, 2)?;
    until(&watch, 1)?;
    subject.signal(Signal::STOP)?;
    // The other one tells the time: more than three seconds.
    until(&watch, by_now(&watch) + 4)?;
    let before = by_now(&subject);
    subject.signal(Signal::CONT)?;
    let after = until(&subject, before + 4)?;
    let all = multiples(&after).unwrap_or_default();

    let (ticks, skipped) = after["burst"];
    assert_eq!((ticks, skipped), (all, 0), "none is lost: {after:?}");
    let (_, skipped) = after["once"];
    assert!(skipped >= 2, "one for at least three: {before}, {after:?}");
    let (_, left_out) = after["skip"];
    assert!(left_out >= skipped, "no more than with one made up: {before}, {after:?}");
    until(&subject, all + 2)?;

    for subject in [subject, watch] {
        subject.signal(Signal::TERM)?;
        assert_eq!(subject.ends()?.code, Some(0));
    }
    Ok(())
}
