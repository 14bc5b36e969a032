//! Work that blocks its thread is told of by name while the host runs.

use daemon_core::State;
use tests::{ProcessError, Signal, Source};

use super::{Result, SOON, Subject};

const BLOCKS: &str = "it blocks a worker thread";
const ENDED: &str = "it no longer blocks a worker thread";

impl Subject {
    /// Waits until a line on standard error says all of these.
    fn warns(&self, says: &[&str]) -> Result<String, ProcessError> {
        self.running.wait_for_line(Source::Stderr, SOON, |line| says.iter().all(|part| line.contains(part)))
    }
}

#[test]
fn a_handler_that_blocks_its_thread_is_named_and_so_is_its_end() -> Result {
    let mut subject = Subject::start("blocked/handler", &["--blocked-after", "100"])?;
    subject.says("blocking")?;
    let named = ["daemon=in-handler", "work=\"event handler `asked`\"", "kind=event handlers", "blocked=", BLOCKS];
    let line = subject.warns(&named)?;
    assert!(line.contains("WARN") && line.contains("cx.spawn_blocking"), "{line}");
    subject.says("sees in-handler: event handler `asked` (event handlers)")?;
    subject.running.write(b"\n")?;
    subject.warns(&["daemon=in-handler", "work=\"event handler `asked`\"", ENDED])?;
    subject.signal(Signal::TERM)?;
    let ended = subject.ends()?;
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert_eq!((ended.err.matches(BLOCKS).count(), ended.err.matches(ENDED).count()), (1, 1), "once each: {ended:#?}");
    assert!(!ended.err.contains("all worker threads"), "one was free: {ended:#?}");
    Ok(())
}

#[test]
fn that_the_only_worker_is_blocked_is_said() -> Result {
    let mut subject = Subject::start("blocked/only-worker", &[])?;
    subject.says("blocking")?;
    subject.warns(&["work=\"event handler `asked`\"", BLOCKS])?;
    subject.warns(&["all worker threads are blocked", "workers=1"])?;
    subject.running.write(b"\n")?;
    subject.warns(&[ENDED])?;
    subject.signal(Signal::TERM)?;
    let ended = subject.ends()?;
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    Ok(())
}

#[test]
fn a_start_that_blocks_is_named() -> Result {
    let subject = Subject::start("blocked/start", &["--blocked-after", "100", "--budget", "100"])?;
    subject.warns(&["daemon=in-start", "work=\"initialize\"", BLOCKS])?;
    subject.signal(Signal::TERM)?;
    assert_eq!(subject.ends()?.code, Some(75));
    Ok(())
}

#[test]
fn an_optional_daemon_that_blocks_every_thread_beyond_its_deadline_does_not_fail_its_host() -> Result {
    let mut subject = Subject::start("blocked/optional-start", &["--blocked-after", "off"])?;
    subject.says("blocking")?;
    subject.says("it was waited for")?;
    subject.running.write(b"\n")?;
    subject.started()?;
    subject.signal(Signal::TERM)?;
    let ended = subject.ends()?;
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    Ok(())
}

#[test]
fn a_worker_that_is_blocked_behind_the_host_s_back_is_told_of() -> Result {
    let mut subject = Subject::start("blocked/unknown", &["--blocked-after", "100"])?;
    subject.says("blocking")?;
    subject.warns(&["workers=1", "blocked by what was not spawned through the host"])?;
    subject.running.write(b"\n")?;
    subject.warns(&["what was not spawned through the host no longer blocks"])?;
    subject.signal(Signal::TERM)?;
    let ended = subject.ends()?;
    assert!(ended.code == Some(0) && !ended.err.contains(BLOCKS), "accuses nobody: {ended:#?}");
    Ok(())
}

#[test]
fn what_nobody_can_name_is_in_the_report_and_holds_no_stop_up() -> Result {
    let subject = Subject::start("blocked/unknown", &["--blocked-after", "100"])?;
    subject.warns(&["blocked by what was not spawned through the host"])?;
    subject.signal(Signal::TERM)?;
    let ended = subject.ends()?;
    assert_eq!((ended.code, ended.report().blocked_threads), (Some(0), 1), "{ended:#?}");
    assert!(ended.err.contains("  1 worker thread blocked by what was not spawned through the host"), "{ended:#?}");
    Ok(())
}

#[test]
fn who_does_not_want_to_be_warned_is_not() -> Result {
    let mut subject = Subject::start("blocked/handler", &["--blocked-after", "off"])?;
    subject.says("sees in-handler: event handler `asked` (event handlers)")?;
    subject.running.write(b"\n")?;
    subject.says("unblocked: true")?;
    subject.signal(Signal::TERM)?;
    let ended = subject.ends()?;
    assert!(ended.code == Some(0) && !ended.err.contains("worker thread"), "{ended:#?}");
    Ok(())
}

#[test]
fn the_operations_plane_answers_while_every_worker_is_blocked() -> Result {
    let mut subject = Subject::start("blocked/operations", &["--blocked-after", "50"])?;
    subject.says("operator is on \"daemon-ops\"")?;
    subject.says("blocking")?;
    subject.warns(&["all worker threads are blocked", "workers=1"])?;
    subject.says("operator sees in-handler: event handler `asked`")?;
    subject.says("operator hears: `in-handler.ping` did not answer within 50ms")?;
    subject.says("operator checks reachable: no answer within 50ms")?;
    subject.running.write(b"\n")?;
    subject.says("operator hears")?;
    subject.says("operator checks reachable: well")?;
    subject.signal(Signal::TERM)?;
    let ended = subject.ends()?;
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert!(ended.out.contains("operator stops last: [\"operator\"]"), "{ended:#?}");
    Ok(())
}

#[test]
fn the_operations_plane_can_be_told_to_stop_and_stops_though_every_worker_is_blocked() -> Result {
    let subject = Subject::start("blocked/operations", &["--budget", "400"])?;
    subject.says("operator is on \"daemon-ops\"")?;
    subject.says("blocking")?;
    subject.signal(Signal::TERM)?;
    let ended = subject.ends()?;
    assert_eq!(ended.code, Some(75), "{ended:#?}");
    let report = ended.report();
    let state = |name: &str| report.daemons.iter().find(|daemon| daemon.name == name).map(|daemon| daemon.state);
    assert_eq!(state("in-handler"), Some(State::Running), "it could not even begin: {ended:#?}");
    assert_eq!(state("operator"), Some(State::Stopped), "{ended:#?}");
    assert!(ended.out.contains("operator stops last: [\"in-handler\", \"operator\"]"), "{ended:#?}");
    Ok(())
}

#[test]
fn shutdown_handlers_that_could_not_be_called_in_their_turn_are_called_once_a_worker_is_free() -> Result {
    let mut subject = Subject::start("late/last-words", &[])?;
    subject.says("blocking")?;
    subject.signal(Signal::TERM)?;
    subject.says("operator stops")?;
    subject.running.write(b"\n")?;
    let ended = subject.ends()?;
    let stops = ended.out.find("operator stops");
    assert!(stops.is_some() && stops < ended.out.find("last words"), "{ended:#?}");
    Ok(())
}

#[test]
fn there_is_no_operations_plane_unless_there_was_one_from_the_beginning() -> Result {
    let ended = Subject::start("blocked/no-operations", &[])?.ends()?;
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert!(ended.out.contains("late: ") && ended.out.contains("this host began without one"), "{ended:#?}");
    Ok(())
}
