//! A host with nothing to do does nothing.

use std::time::{Duration, Instant};

use tests::Signal;

use super::{Result, SOON, Subject};

/// How often any thread of a process went to sleep by itself so far; see proc(5).
fn naps(subject: &Subject) -> Result<u64> {
    let mut naps = 0;
    for thread in std::fs::read_dir(format!("/proc/{}/task", subject.running.pid().as_raw_nonzero()))? {
        let Ok(status) = std::fs::read_to_string(thread?.path().join("status")) else { continue }; // it has ended
        let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        naps += line.ok_or("no count of switches")?.trim().parse::<u64>()?;
    }
    Ok(naps)
}

#[test]
fn an_idle_host_never_wakes() -> Result {
    never_wakes("calm/idle")
}

#[test]
fn ten_thousand_sleeping_intervals_and_a_thousand_subscriptions_never_wake_it() -> Result {
    never_wakes("calm/asleep")
}

fn never_wakes(kind: &str) -> Result {
    let subject = Subject::start(kind, &[])?;
    subject.started()?;
    let deadline = Instant::now() + SOON;
    loop {
        // The start has its own wakes: what counts is that there comes a time without any.
        let before = naps(&subject)?;
        std::thread::sleep(Duration::from_secs(2));
        let wakes = naps(&subject)? - before;
        if wakes == 0 {
            break;
        }
        assert!(Instant::now() < deadline, "{wakes} wakes in two seconds, long after its start");
    }
    subject.signal(Signal::TERM)?;
    assert_eq!(subject.ends()?.code, Some(0));
    Ok(())
}
