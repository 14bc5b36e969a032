//! SIGTERM at any moment of a start ends well, and at every step of a start and of a stop.

use std::time::Duration;

use daemon_core::State;
use tests::Signal;

use super::{Ended, Result, Subject};

/// How many moments there are, spread over the first two seconds, and how many programs run at a time.
const MOMENTS: u64 = 50;
const AT_A_TIME: u64 = 5;
const WITHIN: u64 = 2_000;

#[test]
fn a_signal_at_any_moment_ends_within_the_budget_with_a_truthful_report() {
    std::thread::scope(|scope| {
        for lane in 0..AT_A_TIME {
            scope.spawn(move || {
                for moment in (lane..MOMENTS).step_by(AT_A_TIME as usize) {
                    let after = Duration::from_micros(moment_of(moment));
                    stop_after(after).unwrap_or_else(|error| panic!("after {after:?}: {error}"));
                }
            });
        }
    });
}

#[test]
fn a_signal_at_every_step_of_the_start_and_of_the_stop_ends_cleanly() {
    let whole = stop_at("never").unwrap_or_else(|error| panic!("{error}"));
    assert!(whole > 20, "only {whole} steps");
    std::thread::scope(|scope| {
        for lane in 0..AT_A_TIME as usize {
            scope.spawn(move || {
                for step in (lane..whole).step_by(AT_A_TIME as usize) {
                    stop_at(&step.to_string()).unwrap_or_else(|error| panic!("at step {step}: {error}"));
                }
            });
        }
    });
}

/// Runs the daemons that stop at that step; returns how many steps they took.
fn stop_at(step: &str) -> Result<usize> {
    let ended = Subject::start(&format!("steps/{step}"), &[])?.ends()?;
    ended_well(&ended)?;
    let steps: Vec<_> = ended.out.lines().filter(|line| line.starts_with("step ")).collect();
    let named = |what: &str| steps.iter().filter(|step| step.ends_with(what)).count();
    assert_eq!(named(": initialize"), named(": cleaned up"), "{}", ended.out);
    assert_eq!(named(": initialize"), named(": unsubscribed"), "{}", ended.out);
    Ok(steps.len())
}

/// The microsecond of a moment: somewhere in its own part of the time.
fn moment_of(moment: u64) -> u64 {
    let part = WITHIN * 1_000 / MOMENTS;
    let chance = (moment + u64::from(std::process::id())).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    moment * part + chance % part
}

fn stop_after(moment: Duration) -> Result {
    let subject = Subject::start("crowd", &[])?;
    subject.says("made")?;
    std::thread::sleep(moment); // the moment is what is tried
    subject.signal(Signal::TERM)?;
    let ended = subject.ends()?;
    assert!(ended.after < Duration::from_secs(25), "{}", ended.err);
    assert_eq!(ended.report().daemons.len(), 12);
    ended_well(&ended)
}

/// Nothing is left, what started was stopped in order, and the report says so.
fn ended_well(ended: &Ended) -> Result {
    let report = ended.report();
    let tell = || format!("{report:#?}\n{}", ended.err);
    assert_eq!(ended.code, Some(0), "{}", tell());
    assert_eq!(report.exit_code, 0);
    assert!(report.left.is_nothing() && report.is_clean(), "{}", tell());
    for daemon in &report.daemons {
        assert_eq!(daemon.state, State::Stopped, "{}", tell());
        assert!(daemon.started_ms.is_none() || daemon.stopped_ms >= daemon.started_ms, "{}", tell());
        // What never started has nothing to stop; what required it never started either.
        for on in &daemon.requires {
            let required = report.daemon(on).ok_or_else(tell)?;
            assert!(daemon.started_ms.is_none() || required.started_ms <= daemon.started_ms, "{}", tell());
            let in_reverse = daemon.stopped_ms.is_none() || daemon.stopped_ms <= required.stopped_ms;
            assert!(in_reverse, "{} stopped after {on}: {}", daemon.name, tell());
        }
    }
    for row in &report.events {
        let accounted = row.handled + row.failed + row.dropped + row.abandoned;
        assert_eq!(row.offered, accounted, "{}: {}", row.subscription, tell());
    }
    Ok(())
}
