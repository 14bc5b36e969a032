use std::time::Duration;

use daemon_core::State;
use tests::{Program, Signal, Source};

use super::{Result, SOON, SUBJECT, Subject};

#[test]
fn a_failed_start_ends_with_1_and_names_who_failed() -> Result {
    let ended = Subject::start("faulty/start", &[])?.ends()?;
    assert_eq!(ended.code, Some(1), "{ended:#?}");
    let report = ended.report();
    assert_eq!(report.cause, "required daemon `store` failed");
    let reason = |name| report.daemon(name).and_then(|daemon| daemon.reason.as_deref());
    assert_eq!(reason("store"), Some("the disk is full"));
    assert_eq!(reason("web"), Some("requires `store`, which failed"), "dependents fail by name");
    assert_eq!(reason("data"), None);
    assert_eq!((ended.said("store cleaned up"), ended.said("data cleaned up")), (1, 1), "{ended:#?}");
    assert_eq!(ended.said("web started without its store"), 0);
    assert!(ended.err.contains("subject did not start") && ended.err.contains("the disk is full"), "{ended:#?}");
    Ok(())
}

#[test]
fn the_report_comes_after_what_the_start_came_to_however_late_that_is() -> Result {
    let subject = Subject::start("calm/settled-late", &[])?;
    subject.started()?;
    subject.signal(Signal::TERM)?;
    let ended = subject.ends()?;
    let at = |said: &str| ended.err.find(said).unwrap_or_else(|| panic!("nobody said {said:?}: {ended:#?}"));
    assert!(at("subject started") < at("settled") && at("settled") < at("exit code"), "{ended:#?}");
    Ok(())
}

#[test]
fn a_required_daemon_that_fails_later_ends_with_1() -> Result {
    for (kind, reason) in [("faulty/later", "the well is dry"), ("faulty/task-panics", "panicked: the pipe burst")] {
        let ended = Subject::start(kind, &[])?.ends()?;
        assert_eq!(ended.code, Some(1), "{ended:#?}");
        let report = ended.report();
        assert_eq!(report.cause, "required daemon `pump` failed");
        let pump = report.daemon("pump").ok_or("no pump")?;
        assert!(pump.reason.as_ref().is_some_and(|why| why.contains("flow") && why.contains(reason)), "{ended:#?}");
        assert_eq!(ended.said("data cleaned up"), 1, "{ended:#?}");
    }
    Ok(())
}

#[test]
fn panics_are_caught_named_and_counted_and_the_process_goes_on() -> Result {
    let subject = Subject::start("faulty/panics", &[])?;
    let mut seen = 0;
    subject.running.wait_for_line(Source::Stdout, SOON, |line| {
        seen += usize::from(line == "the other handler goes on");
        seen == 3
    })?;
    subject.signal(Signal::TERM)?;
    let ended = subject.ends()?;
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    for (work, message) in [
        ("poked", "in a handler"),
        ("tick", "in a tick"),
        ("initialize_deferred", "in a hook"),
        ("spawned", "in a spawned task"),
        ("blocking", "in blocking work"),
    ] {
        let named = |line: &str| line.contains(work) && line.ends_with(&format!("panicked: {message}"));
        assert!(ended.err.lines().any(named), "{work}: {ended:#?}");
    }
    let logged = ended.err.lines().filter(|line| line.contains("failure=panicked: ")).count() as u64;
    let report = ended.report();
    assert_eq!(report.daemons[0].panics, logged, "{ended:#?}");
    let poked = report.events.iter().find(|row| row.subscription == "jumpy.poked").ok_or("no row")?;
    assert_eq!(poked.failed, poked.offered, "{ended:#?}");
    assert!(poked.offered >= 3 && report.left.is_nothing(), "{ended:#?}");
    Ok(())
}

#[test]
fn a_panic_in_cleanup_is_told_and_the_stop_goes_on() -> Result {
    let subject = Subject::start("faulty/cleanup-panics", &[])?;
    subject.started()?;
    subject.signal(Signal::TERM)?;
    let ended = subject.ends()?;
    assert_eq!(ended.code, Some(1), "nothing was cut, but something may not be saved: {ended:#?}");
    let report = ended.report();
    assert_eq!(report.daemons[0].problems, ["cleanup: panicked: in cleanup"]);
    assert_eq!(report.daemons[0].panics, 1);
    assert!(report.left.is_nothing() && !report.is_clean(), "{ended:#?}");
    Ok(())
}

#[test]
fn a_panic_in_the_drop_of_a_task_is_told_and_the_stop_goes_on() -> Result {
    for (kind, code) in [("faulty/task-drop-panics", 1), ("faulty/deaf-task-drop-panics", 75)] {
        let subject = Subject::start(kind, &["--budget", "1000"])?;
        subject.says("holding")?;
        subject.signal(Signal::TERM)?;
        let ended = subject.ends()?;
        assert_eq!(ended.code, Some(code), "{ended:#?}");
        assert!(ended.after < Duration::from_millis(1000 + 250 + 1000), "{ended:#?}");
        assert_eq!((ended.said("dropper cleaned up"), ended.said("data cleaned up")), (1, 1), "{ended:#?}");
        let report = ended.report();
        let dropper = report.daemon("dropper").ok_or("no dropper")?;
        assert!(report.left.is_nothing() && ended.err.contains("panicked: in a destructor"), "{ended:#?}");
        if code == 1 {
            assert_eq!(dropper.problems, ["task `hold`: panicked: in a destructor"], "{ended:#?}");
        } else {
            assert_eq!((&*dropper.cut[0].work, dropper.cut[0].gone), ("task `hold`", true), "{ended:#?}");
        }
    }
    Ok(())
}

#[test]
fn a_cleanup_that_overruns_ends_with_75() -> Result {
    let subject = Subject::start("faulty/cleanup-overruns", &["--budget", "1000"])?;
    subject.started()?;
    subject.signal(Signal::TERM)?;
    let ended = subject.ends()?;
    assert_eq!(ended.code, Some(75), "{ended:#?}");
    let report = ended.report();
    let [cut] = &report.daemons[0].cut[..] else { panic!("{ended:#?}") };
    assert_eq!((&*cut.work, cut.gone), ("cleanup", true));
    assert!(report.left.is_nothing(), "{ended:#?}");
    assert!(ended.err.contains("cleanup was aborted"), "{ended:#?}");
    Ok(())
}

#[test]
fn a_host_with_faults_names_them_all_and_starts_nothing() -> Result {
    let ended = Subject::start("faulty/refused", &[])?.ends()?;
    assert_eq!(ended.code, Some(1), "{ended:#?}");
    for fault in [
        "for 4 faults",
        "\"No Name\"",
        "two daemons are named `data`",
        "`web` requires `store`, which is missing here; add it",
        "`No Name` requires `data`, of which this host has several",
    ] {
        assert!(ended.err.contains(fault), "{fault}: {ended:#?}");
    }
    assert!(ended.out.is_empty(), "{ended:#?}");
    assert!(ended.report().cause.starts_with("refused: this host cannot start, for 4 faults"), "{ended:#?}");
    Ok(())
}

#[test]
fn a_panic_in_initialize_is_a_failed_start() -> Result {
    let ended = Subject::start("faulty/start-panics", &[])?.ends()?;
    assert_eq!(ended.code, Some(1), "{ended:#?}");
    let report = ended.report();
    assert_eq!(report.cause, "required daemon `bad-starter` failed");
    let starter = report.daemon("bad-starter").ok_or("no daemon")?;
    assert_eq!(starter.reason.as_deref(), Some("panicked: in initialize"), "{ended:#?}");
    assert_eq!((starter.panics, ended.said("cleaned up after the panic")), (1, 1), "{ended:#?}");
    let failed = report.journal.iter().find(|line| line.state == State::Failed).ok_or("not in the journal")?;
    assert_eq!(failed.daemon.as_deref(), Some("bad-starter"));
    assert_eq!(failed.cause.as_deref(), Some("panicked: in initialize"), "{ended:#?}");
    let of_host: Vec<_> = report.journal.iter().filter(|line| line.daemon.is_none()).collect();
    let [_, stopping, stopped] = of_host[..] else { panic!("{ended:#?}") };
    let cause = "required daemon `bad-starter` failed";
    assert_eq!((stopping.cause.as_deref(), stopped.cause.as_deref()), (Some(cause), None), "said once: {ended:#?}");
    let line = |line: &str| line.contains("bad-starter  failed    panicked: in initialize");
    assert!(ended.err.lines().any(line), "the journal is shown: {ended:#?}");
    Ok(())
}

/// What ends by itself, and what ends when it is told to, with the code and a part of what is told of it.
#[test]
fn each_end_has_its_code_and_tells_why() -> Result {
    for (kind, is_told, code, why) in [
        ("faulty/later-and-cut", false, 75, "cleanup was aborted"),
        ("faulty/late", false, 1, "did not end within 100ms"),
        ("faulty/optional", true, 0, "it is not needed"),
        ("faulty/optional-cleaner", true, 0, "it is not missed"),
        ("faulty/value-drop-panics", true, 1, "the daemon's destructor panicked: in a destructor"),
        ("faulty/handler", true, 1, "the last word failed"),
        ("faulty/handler-overruns", true, 75, "shutdown handler `"),
    ] {
        let subject = Subject::start(kind, &["--budget", "1000"])?;
        if is_told {
            subject.started()?;
            subject.signal(Signal::TERM)?;
        }
        let ended = subject.ends()?;
        assert_eq!(ended.code, Some(code), "{kind}: {ended:#?}");
        assert!(ended.err.contains(why), "{kind}: {ended:#?}");
        assert_eq!(ended.said("data cleaned up"), 1, "{kind}: {ended:#?}");
    }
    Ok(())
}

/// What a program does after its host has run is done, unless threads are stuck for longer than the budget.
#[test]
fn whoever_runs_a_host_goes_on_after_a_stop_that_ends_in_time() -> Result {
    for (kind, is_up, budget, goes_on) in
        [("calm/ticking", "tick 1", "1000", 1), ("stuck/one-worker", "stuck", "200", 0)]
    {
        let program = Program::new(SUBJECT).env("SUBJECT_GOES_ON", "yes");
        let subject = Subject::start_by(program, kind, &["--budget", budget])?;
        subject.says(is_up)?;
        subject.signal(Signal::TERM)?;
        let ended = subject.ends()?;
        assert_eq!(ended.said("goes on"), goes_on, "{kind}: {ended:#?}");
    }
    Ok(())
}

#[test]
fn a_report_that_cannot_be_written_is_said_and_changes_no_code() -> Result {
    let dir = tests::TempDir::new()?;
    let mut running = Program::new(SUBJECT).args(["calm/idle", "--report"]).args([dir.path()]).start()?;
    running.wait_for_line(Source::Stderr, SOON, |line| line.starts_with("subject started"))?;
    running.signal(Signal::TERM)?;
    assert_eq!(running.wait(SOON)?.code(), Some(0));
    let said = running.text(Source::Stderr);
    assert!(said.contains("cannot write the shutdown report to ") && said.contains("exit code 0"), "{said}");
    Ok(())
}

#[test]
fn the_report_file_has_the_promised_keys() -> Result {
    let subject = Subject::start("faulty/panics", &[])?;
    subject.says("the other handler goes on")?;
    subject.signal(Signal::TERM)?;
    let json = subject.ends()?.json;
    let has = |value: &serde_json::Value, keys: &[&str]| keys.iter().all(|key| value.get(key).is_some());
    assert!(has(&json, &["exit_code", "uptime_ms", "daemons", "left", "events"]), "{json:#}");
    assert!(has(&json["left"], &["subscriptions", "intervals", "tasks"]), "{json:#}");
    let daemon = ["name", "wave", "requires", "started_ms", "stopped_ms", "state"];
    assert!(has(&json["daemons"][0], &daemon), "{json:#}");
    let event = ["subscription", "offered", "handled", "failed", "dropped", "abandoned"];
    assert!(has(&json["events"][0], &event), "{json:#}");
    assert_eq!((&json["exit_code"], &json["daemons"][0]["state"]), (&0.into(), &"stopped".into()));
    Ok(())
}

#[test]
fn a_quiet_host_speaks_only_of_what_went_wrong() -> Result {
    let subject = Subject::start("calm/ticking", &["--quiet", "yes"])?;
    subject.says("tick 1")?;
    subject.signal(Signal::TERM)?;
    let ended = subject.ends()?;
    assert_eq!((ended.code, &*ended.err), (Some(0), ""), "{ended:#?}");

    let ended = Subject::start("faulty/start", &["--quiet", "yes"])?.ends()?;
    assert_eq!(ended.code, Some(1), "{ended:#?}");
    assert!(ended.err.contains("subject did not start") && ended.err.contains("exit code 1"), "{ended:#?}");

    let ended = Subject::start("faulty/later", &["--quiet", "yes"])?.ends()?;
    assert_eq!(ended.code, Some(1), "{ended:#?}");
    assert!(!ended.err.contains("subject started") && ended.err.contains("exit code 1"), "{ended:#?}");
    Ok(())
}

#[test]
fn logs_are_coloured_on_terminals_only_and_not_where_nobody_wants_colours() -> Result {
    let logged = |variables: &str| -> Result<String> {
        let run = format!("env -u NO_COLOR -u RUST_LOG {variables} {SUBJECT} faulty/start");
        let mut shown = Program::new("script").args(["-qec", &run, "/dev/null"]).start()?;
        shown.wait(SOON)?;
        let text = shown.text(Source::Stdout);
        let line = text.lines().find(|line| line.contains("initialize failed"));
        Ok(line.ok_or_else(|| format!("no error is logged: {text}"))?.to_owned())
    };
    for wanted in ["", "NO_COLOR="] {
        let line = logged(wanted)?;
        assert!(line.contains("\u{1b}[31mERROR\u{1b}[0m"), "{line:?}");
    }
    let line = logged("NO_COLOR=1")?;
    assert!(line.contains("ERROR") && !line.contains('\u{1b}'), "{line:?}");
    Ok(())
}

#[test]
fn a_filter_of_the_log_that_cannot_be_read_is_told_of() -> Result {
    let subject = Subject::start_by(Program::new(SUBJECT).env("RUST_LOG", "info,clock=loud"), "calm/idle", &[])?;
    let told = |line: &str| line.contains("WARN") && line.contains("RUST_LOG cannot be read, and counts as `warn`");
    subject.running.wait_for_line(Source::Stderr, SOON, told)?;
    subject.started()?;
    subject.signal(Signal::TERM)?;
    assert_eq!(subject.ends()?.code, Some(0));
    Ok(())
}
