//! The process always ends, whatever user code does to its threads.

use std::time::Duration;

use daemon_core::ShutdownReport;
use tests::{Program, Signal, TempDir};

use super::{Ended, Result, SUBJECT, Subject};

/// The stop budget these hosts get, in milliseconds.
const BUDGET: u64 = 1000;
/// What the host may take beyond its budget, and a second for a busy machine.
const BEYOND: Duration = Duration::from_millis(250 + 1000);

/// Starts a host of this kind, waits until it is stuck, stops it.
fn stop(program: Program, kind: &str, stuck: &str) -> Result<Ended> {
    stop_within(BUDGET, program, kind, stuck)
}

fn stop_within(budget: u64, program: Program, kind: &str, stuck: &str) -> Result<Ended> {
    let subject = Subject::start_by(program, kind, &["--budget", &budget.to_string()])?;
    subject.says(stuck)?;
    subject.signal(Signal::TERM)?;
    let ended = subject.ends()?;
    assert!(ended.after < Duration::from_millis(budget) + BEYOND, "{kind}: {ended:#?}");
    assert!(!ended.err.contains("; waiting for "), "no terminal, no seconds: {ended:#?}");
    Ok(ended)
}

/// Expects exit code 75, and a report that names the culprit and what of it never ended.
#[track_caller]
fn assert_named(ended: &Ended, daemon: &str, work: &str) {
    assert_eq!(ended.code, Some(75), "{ended:#?}");
    let report = ended.report();
    assert_eq!(report.exit_code, 75);
    let culprit = report.daemon(daemon).unwrap_or_else(|| panic!("{ended:#?}"));
    let named = |cut: &daemon_core::Cut| cut.work == work && !cut.gone && cut.blocking;
    assert!(culprit.cut.iter().any(named), "{daemon}, {work}: {ended:#?}");
    let innocent = report.daemons.iter().filter(|other| other.name != daemon);
    assert!(innocent.flat_map(|other| &other.cut).next().is_none(), "accuses others: {ended:#?}");
    assert!(!report.left.is_nothing(), "something is left: {ended:#?}");
}

/// Asserts of what a daemon is told to have failed, as which the host failed.
#[track_caller]
fn assert_failed(ended: &Ended, daemon: &str, why: &str) {
    let report = ended.report();
    assert_eq!(report.cause, format!("required daemon `{daemon}` failed"), "{ended:#?}");
    assert_eq!(reason(&report, daemon), Some(why), "{ended:#?}");
}

fn reason<'r>(report: &'r ShutdownReport, daemon: &str) -> Option<&'r str> {
    report.daemon(daemon)?.reason.as_deref()
}

/// Makes a test of each kind of host that names its culprit on standard error.
macro_rules! ends_although {
    ($($name:ident: $kind:literal blocks $work:literal of $daemon:literal;)+) => {$(
        #[test]
        fn $name() -> Result {
            let ended = stop(Program::new(SUBJECT), concat!("stuck/", $kind), "stuck")?;
            assert_named(&ended, $daemon, $work);
            let told = concat!($work, " has blocked a thread for ");
            assert!(ended.err.contains(told), "{ended:#?}");
            Ok(())
        }
    )+};
}

ends_although! {
    a_handler_blocks_its_thread: "handler" blocks "event handler `poked`" of "in-handler";
    an_isolated_handler_blocks_its_thread: "isolated" blocks "event handler `poked`" of "in-isolated";
    a_tick_blocks_its_thread: "tick" blocks "interval `sweep`" of "in-tick";
    all_workers_are_blocked: "workers" blocks "task `block`" of "on-workers";
    the_only_worker_is_blocked: "one-worker" blocks "task `block`" of "on-workers";
    blocking_work_is_stuck: "blocking-work" blocks "blocking work `vacuum`" of "in-blocking-work";
    two_tasks_deadlock: "deadlock" blocks "task `left`" of "deadlock";
    initialize_blocks: "initialize" blocks "initialize" of "in-initialize";
    cleanup_blocks: "cleanup" blocks "cleanup" of "in-cleanup";
    the_destructor_of_a_value_blocks: "drop" blocks "destructor" of "in-drop";
    the_destructor_of_a_made_value_blocks: "made-drop" blocks "destructor" of "in-drop";
}

#[test]
fn a_start_that_blocks_the_only_worker_ends_by_its_deadline() -> Result {
    for (limit, reason) in [
        (["--start-timeout", "500"], "did not end within 500ms"),
        (["--start-budget", "500"], "did not run within the host's start budget of 500ms"),
    ] {
        let subject = Subject::start("stuck/initialize-alone", &[&["--budget", "500"], &limit[..]].concat())?;
        let ended = subject.ends()?; // nobody asked it to
        assert_named(&ended, "in-initialize", "initialize");
        let why = ", and no thread is free to end it, but in initialize of `in-initialize`";
        assert_failed(&ended, "in-initialize", &format!("{reason}{why}"));
        assert!(ended.report().uptime_ms < 500 + 1_000 + 500 + 1_250, "{ended:#?}");
    }
    Ok(())
}

#[test]
fn a_start_that_another_daemon_keeps_from_its_thread_fails_and_tells_of_that_one() -> Result {
    let ended = Subject::start("stuck/beside-a-start", &["--budget", "500", "--start-timeout", "500"])?.ends()?;
    assert_eq!(ended.code, Some(75), "{ended:#?}");
    let why = "did not end within 500ms, and no thread is free to end it, but in task `block` of `beside-a-start`";
    assert_failed(&ended, "starts", why);
    Ok(())
}

#[test]
fn a_start_whose_thread_something_unknown_blocks_fails_and_accuses_nobody() -> Result {
    let limits = ["--budget", "500", "--start-timeout", "500"];
    let ended = Subject::start("stuck/elsewhere-in-a-start", &limits)?.ends()?;
    assert_eq!(ended.code, Some(75), "{ended:#?}");
    assert_failed(&ended, "elsewhere-in-a-start", "did not end within 500ms, and no thread is free to end it");
    Ok(())
}

/// Whoever starts again has failed before, and is not told to have failed of that.
#[test]
fn a_start_that_blocks_is_not_told_to_have_failed_of_what_an_earlier_life_did() -> Result {
    let ended = Subject::start("late/start-again", &["--budget", "500", "--start-timeout", "500"])?.ends()?;
    assert_named(&ended, "again", "initialize");
    let why = "did not end within 500ms, and no thread is free to end it, but in initialize of `again`";
    assert_failed(&ended, "again", why);
    Ok(())
}

#[test]
fn a_start_that_failed_and_blocks_its_thread_in_its_cleanup_has_failed_of_what_it_did() -> Result {
    let ended = Subject::start("late/clean-up", &["--budget", "500"])?.ends()?;
    assert_named(&ended, "luckless", "cleanup");
    assert_failed(&ended, "luckless", "no luck, and no thread is free to end it, but in cleanup of `luckless`");
    Ok(())
}

/// The one that blocks has time left, and has failed before, of something else.
#[test]
fn a_start_that_keeps_another_daemon_from_its_thread_fails_and_is_told_of_with_that_one() -> Result {
    let ended = Subject::start("late/start-beside-a-clean-up", &["--budget", "500"])?.ends()?;
    assert_eq!(ended.code, Some(75), "{ended:#?}");
    assert_failed(&ended, "again", "no thread is free to end the start of `luckless`, but in initialize of `again`");
    assert_eq!(reason(&ended.report(), "luckless"), Some("no luck"), "{ended:#?}");
    Ok(())
}

#[test]
fn a_file_that_cannot_be_given_back_and_nobody_can_be_told_of_keeps_no_process_from_its_end() -> Result {
    let place = TempDir::new()?;
    let (dir, moved) = (place.path().join("files"), place.path().join("moved"));
    std::fs::create_dir(&dir)?;
    let pid_file = dir.join("pid").to_string_lossy().into_owned();
    let options = ["--pid-file", &*pid_file, "--budget", &*BUDGET.to_string()];
    let subject = Subject::start("stuck/locked-stderr", &options)?;
    subject.says("stuck")?;
    std::fs::rename(&dir, &moved)?;
    std::fs::write(&dir, "in the way")?;
    subject.signal(Signal::TERM)?;
    assert_eq!(subject.ends()?.code, Some(0));
    assert!(moved.join("pid").exists(), "it was given back after all");
    Ok(())
}

#[test]
fn who_was_behind_a_destructor_that_blocks_is_told_of_as_that() -> Result {
    let ended = stop(Program::new(SUBJECT), "stuck/drop-above", "stuck")?;
    assert_eq!((ended.code, ended.said("cleaned up beneath")), (Some(75), 1), "{ended:#?}");
    let report = ended.report();
    let cut = |name| report.daemon(name).and_then(|daemon| daemon.cut.first()).ok_or(format!("{name} was not cut"));
    let (above, beneath) = (cut("drop-above")?, cut("beneath")?);
    assert!(above.blocking && above.behind.is_empty(), "{ended:#?}");
    assert_eq!((beneath.polls, &beneath.behind[..]), (0, &["drop-above".to_owned()][..]), "{ended:#?}");
    assert!(ended.err.contains("destructor had not begun, behind the destructor of `drop-above`"), "{ended:#?}");
    Ok(())
}

/// Stops one that blocks its thread in the stop, where a run looks at its workers so often.
fn stop_after_a_timer(blocked_after: &str) -> Result<Ended> {
    let subject = Subject::start("stuck/after-a-timer", &["--budget", "2000", "--blocked-after", blocked_after])?;
    subject.says("stuck")?;
    subject.signal(Signal::TERM)?;
    let ended = subject.ends()?;
    assert_named(&ended, "after-a-timer", "cleanup");
    Ok(ended)
}

/// Without a look at the workers every timer would stand still, and what is beneath would not be cleaned up.
#[test]
fn a_stop_looks_after_its_timers_however_seldom_a_run_does() -> Result {
    let ended = stop_after_a_timer("600000")?;
    assert_eq!(ended.said("cleaned up beneath"), 1, "{ended:#?}");
    Ok(())
}

#[test]
fn who_blocks_a_thread_in_a_stop_is_told_of_in_the_report_alone() -> Result {
    let ended = stop_after_a_timer("50")?;
    assert!(!ended.err.contains("blocks a worker thread"), "{ended:#?}");
    Ok(())
}

#[test]
fn what_is_to_be_done_at_the_exit_blocks() -> Result {
    let ended = stop(Program::new(SUBJECT), "stuck/exit-handler", "stuck")?;
    assert_named(&ended, "on-workers", "task `block`");
    Ok(())
}

#[test]
fn what_is_to_be_done_at_the_exit_is_given_some_time() -> Result {
    // On a busy machine that time may be over before the thread gets on.
    for _ in 0..10 {
        let ended = stop(Program::new(SUBJECT), "stuck/exit-words", "stuck")?;
        assert_named(&ended, "on-workers", "task `block`");
        if ended.said("last words") == 1 {
            return Ok(());
        }
    }
    Err("it never got a word in".into())
}

#[test]
fn the_destructor_of_a_retained_event_blocks() -> Result {
    let ended = stop(Program::new(SUBJECT), "stuck/retained", "stuck")?;
    assert_eq!(ended.code, Some(0), "{ended:#?}"); // it is dropped beside the end of the process
    Ok(())
}

#[test]
fn a_shutdown_handler_blocks_its_thread() -> Result {
    let subject = Subject::start("stuck/shutdown-handler", &["--budget", &BUDGET.to_string()])?;
    subject.started()?;
    subject.signal(Signal::TERM)?;
    subject.says("stuck")?;
    let ended = subject.ends()?;
    assert!(ended.after < Duration::from_millis(BUDGET) + BEYOND, "{ended:#?}");
    assert_eq!(ended.code, Some(75), "{ended:#?}");
    let report = ended.report();
    let [handler] = &report.handlers[..] else { panic!("{ended:#?}") };
    let cut = handler.cut.as_ref().ok_or("it was not cut")?;
    assert!(cut.blocking && !cut.gone && cut.work == format!("shutdown handler `{}`", handler.name), "{ended:#?}");
    assert!(ended.err.contains("` has blocked a thread for ") && report.left.tasks == 1, "{ended:#?}");
    Ok(())
}

#[test]
fn nobody_reads_standard_error() -> Result {
    let ended = stop(Program::new(SUBJECT).unread_stderr(), "stuck/full-stderr", "stuck")?;
    assert_named(&ended, "talker", "interval `talk`");
    Ok(())
}

#[test]
fn a_thread_holds_standard_error_and_nobody_needs_it() -> Result {
    let ended = stop_within(200, Program::new(SUBJECT), "stuck/locked-stderr", "stuck")?;
    assert_eq!(ended.code, Some(0), "no step of the stop was cut: {ended:#?}");
    assert!(ended.report().is_clean(), "{ended:#?}");
    Ok(())
}

#[test]
fn whoever_does_not_read_the_report_is_not_waited_for_as_long_as_the_budget_lasts() -> Result {
    let subject = Subject::start("stuck/locked-stderr", &["--budget", "3600000"])?;
    subject.says("stuck")?;
    subject.signal(Signal::TERM)?;
    assert_eq!(subject.ends()?.code, Some(0));
    Ok(())
}

#[test]
fn what_cannot_be_given_back_is_told_of_and_holds_nobody_up() -> Result {
    for (kind, is_up) in [("calm/ticking", "tick 1"), ("stuck/locked-stderr", "stuck")] {
        let dir = tests::TempDir::new()?;
        let (place, moved) = (dir.path().join("place"), dir.path().join("moved"));
        std::fs::create_dir(&place)?;
        let pid_file = place.join("pid");
        let subject = Subject::start(kind, &["--budget", "1000", "--pid-file", &pid_file.to_string_lossy()])?;
        subject.says(is_up)?;
        std::fs::rename(&place, &moved)?;
        std::fs::write(&place, "no directory")?;
        subject.signal(Signal::TERM)?;
        let ended = subject.ends()?;
        assert_eq!(ended.code, Some(0), "{ended:#?}");
        let told = ended.err.contains("Failed to remove PID file: ");
        assert_eq!(told, kind == "calm/ticking", "where somebody reads it: {ended:#?}");
    }
    Ok(())
}

/// The report tells how things are at the end, and not only when they were cut.
#[test]
fn what_blocked_its_thread_and_has_ended_before_the_host_did_is_told_of_as_that() -> Result {
    let subject = Subject::start("stuck/for-a-while", &["--budget", "10000"])?;
    subject.says("stuck")?;
    subject.signal(Signal::TERM)?;
    let ended = subject.ends()?;
    assert_eq!(ended.code, Some(75), "{ended:#?}");
    let report = ended.report();
    let [cut] = &report.daemon("for-a-while").ok_or("no such daemon")?.cut[..] else { panic!("{ended:#?}") };
    assert!(cut.gone && report.left.is_nothing(), "{ended:#?}");
    assert!(ended.err.contains(", and has ended since"), "{ended:#?}");
    Ok(())
}

#[test]
fn a_thread_holds_standard_error_and_the_only_worker_logs() -> Result {
    let ended = stop(Program::new(SUBJECT), "stuck/locked-stderr-log", "complaining")?;
    assert_named(&ended, "complainer", "interval `complain`");
    Ok(())
}
