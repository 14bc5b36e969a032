//! A process that the system does not let run for a while: SIGSTOP and SIGCONT.

use std::time::{Duration, Instant};

use tests::{Signal, Source};

use super::{Result, SOON, Subject};

/// How long a process is stopped: long enough that everything is late.
const PAUSE: Duration = Duration::from_secs(3);

impl Subject {
    /// Stops the process, and waits until it has.
    fn pause(&self) -> Result {
        self.signal(Signal::STOP)?;
        let stat = format!("/proc/{}/stat", self.running.pid().as_raw_nonzero());
        let deadline = Instant::now() + SOON;
        // The state follows the name, which is in parentheses; see proc(5).
        while !std::fs::read_to_string(&stat)?.contains(") T ") {
            assert!(Instant::now() < deadline, "it does not stop");
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    fn resume(&self) -> Result {
        Ok(self.signal(Signal::CONT)?)
    }
}

#[test]
fn after_a_pause_there_is_a_next_tick_none_is_made_up_and_nobody_is_accused() -> Result {
    let subject = Subject::start("calm/ticking", &["--blocked-after", "200"])?;
    subject.says("tick 3")?;
    subject.pause()?;
    let before = subject.running.text(Source::Stdout).lines().count();
    std::thread::sleep(PAUSE); // the pause is what is tried
    subject.resume()?;
    subject.says(&format!("tick {}", before + 3))?;
    subject.signal(Signal::TERM)?;
    let ended = subject.ends()?;
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert!(!ended.err.contains("blocks a worker"), "{ended:#?}");
    let skipped = ended.out.lines().find_map(|line| line.strip_prefix("skipped "));
    let skipped: u64 = skipped.ok_or("it counts what it skipped")?.parse()?;
    assert!(skipped >= 20, "of some 30 in the pause, not one was made up: {ended:#?}");
    Ok(())
}

#[test]
fn a_signal_that_comes_during_a_pause_stops_after_it() -> Result {
    let subject = Subject::start("calm/idle", &[])?;
    subject.started()?;
    subject.pause()?;
    subject.signal(Signal::TERM)?;
    subject.resume()?;
    let ended = subject.ends()?;
    assert_eq!((ended.code, &*ended.report().cause), (Some(0), "SIGTERM"), "{ended:#?}");
    Ok(())
}

#[test]
fn a_stop_goes_on_after_a_pause_that_its_budget_outlasts() -> Result {
    let subject = Subject::start("calm/slow-stop", &[])?;
    subject.started()?;
    subject.signal(Signal::TERM)?;
    subject.says("cleaning up")?;
    subject.pause()?;
    std::thread::sleep(Duration::from_millis(500)); // less than its timeout leaves
    subject.resume()?;
    let ended = subject.ends()?;
    assert_eq!((ended.code, ended.said("cleaned up")), (Some(0), 1), "{ended:#?}");
    Ok(())
}

#[test]
fn a_pause_that_outlasts_the_budget_leaves_no_time() -> Result {
    let subject = Subject::start("faulty/cleanup-overruns", &["--budget", "1000"])?;
    subject.started()?;
    subject.signal(Signal::TERM)?;
    subject.running.wait_for_line(Source::Stdout, SOON, |line| line == "cleaning up")?;
    subject.pause()?;
    std::thread::sleep(PAUSE); // more than the budget
    subject.resume()?;
    let ended = subject.ends()?;
    assert_eq!(ended.code, Some(75), "{ended:#?}");
    assert!(ended.after < Duration::from_millis(250 + 1000), "{ended:#?}");
    assert_eq!(ended.report().daemons[0].cut[0].work, "cleanup", "{ended:#?}");
    Ok(())
}
