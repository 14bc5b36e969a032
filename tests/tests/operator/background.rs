//! Started in the background, waited for, restarted, stopped: by one operator or by several at once.

use std::fs;

use serde_json::Value;
use tests::{Signal, Source};

use super::{Place, Result, SOON, done, until};

#[test]
fn it_is_started_asked_restarted_and_stopped() -> Result {
    let place = Place::new()?;
    let started = place.run(&["start"])?;
    started.expect(0);
    let pid = place.pid().ok_or("it has a lock")?;
    assert!(started.out.starts_with(&format!("operated runs: PID {pid}, 4 daemons, ready in ")), "{started:?}");
    assert_eq!(
        rustix::process::getsid(rustix::process::Pid::from_raw(pid.cast_signed()))?.as_raw_pid().cast_unsigned(),
        pid
    );

    let status = place.json(&["status"])?;
    assert_eq!((&status["state"], &status["pid"]), (&"running".into(), &pid.into()));
    let other = place.control(&["operated", "status", "--json"])?;
    assert_eq!(other.expect(0).json()?["pid"], pid);

    place.run(&["restart"])?.expect(0).says(&format!("operated has stopped, which had PID {pid}"));
    assert_ne!(place.pid(), Some(pid));
    let logs = place.logged("out")?;
    assert!(logs.contains("about to start"), "{logs}");
    assert!(logs.contains("operated started: ") && logs.contains("operated stopped after "), "{logs}");

    let pid = place.pid();
    let again = place.json(&["restart", "--timeout", "1m"])?;
    assert_eq!((&again["started"], &again["start"]["daemons"][0]["name"]), (&true.into(), &"clock".into()), "{again}");
    assert_ne!(place.pid(), pid);

    let stopped = place.run(&["stop"])?;
    assert!(stopped.expect(0).out.starts_with("operated has stopped"), "{stopped:?}");
    assert!(place.left()?.is_empty(), "{:?}", place.left()?);
    assert_eq!(place.run(&["stop"])?.expect(0).out, "operated does not run\n");
    place.run(&["restart"])?.expect(0).says("operated does not run");
    place.run(&["stop"])?.expect(0);
    Ok(())
}

#[test]
fn without_a_command_it_runs_in_the_foreground() -> Result {
    for args in [&[][..], &["run"]] {
        let place = Place::new()?;
        let running = place.begin(args)?;
        running.wait_for_line(Source::Stderr, SOON, |line| line.starts_with("operated started"))?;
        assert_eq!(place.json(&["status"])?["name"], "operated");
        running.signal(Signal::TERM)?;
        done(running)?.expect(0).says("exit code 0");
        assert!(place.left()?.is_empty());
    }
    Ok(())
}

#[test]
fn a_filter_that_cannot_be_read_is_told_of() -> Result {
    let place = Place::new()?;
    let running = place.program(crate::OPERATED).env("RUST_LOG", "info,clock=loud").start()?;
    let told = "RUST_LOG cannot be read, and counts as `warn`";
    running.wait_for_line(Source::Stderr, SOON, |line| line.contains(told))?;
    running.wait_for_line(Source::Stderr, SOON, |line| line.starts_with("operated started"))?;
    running.signal(Signal::TERM)?;
    done(running)?.expect(0);
    Ok(())
}

#[test]
fn a_start_that_fails_says_why_and_ends_with_its_code() -> Result {
    for (kind, code, why) in [
        ("fails", 1, "the disk is full"),
        ("unmade", 1, "the configuration is missing"),
        ("dies", 1, "it was killed by signal 6 before it was ready; it said:\nabout to start\nits last words"),
    ] {
        let place = Place::new()?;
        let started = place.run(&["--kind", kind, "start"])?;
        started.expect(code).says(why);
        assert!(!started.err.contains("operated: operated"), "{started:?}");
        let json = place.run(&["--kind", kind, "start", "--json"])?;
        assert_eq!(json.expect(code).out, "");
        let last = json.err.lines().last().ok_or("it says why")?;
        let error: Value = serde_json::from_str(last)?;
        assert!(error["error"]["message"].as_str().is_some_and(|message| message.contains(why)), "{json:?}");
        place.run(&["status"])?.expect(3);
    }
    Ok(())
}

#[test]
fn who_comes_second_waits_until_the_first_is_ready_and_names_it() -> Result {
    let place = Place::new()?;
    let start = || place.begin(&["--kind", "slow", "start"]);
    let starters = [start()?, start()?, start()?];
    let waiting = place.begin(&["wait", "--ready"])?;
    until(|| Ok(place.run(&["status"])?.code == Some(0)))?;
    assert_eq!(place.json(&["status"])?["state"], "starting");
    place.run(&["wait", "--ready", "--timeout", "1s"])?.expect(4).says("starting: `slow` is starting");
    let hasty = place.run(&["--kind", "slow", "start", "--timeout", "1s"])?;
    hasty.expect(4).says("not ready (starting: `slow` is starting) within 1s");

    fs::write(place.go(), "")?;
    assert_eq!(done(waiting)?.expect(0).out, "operated is ready\n");
    let pid = place.pid().ok_or("it has a lock")?;
    let mut firsts = 0;
    for starter in starters {
        let out = done(starter)?.expect(0).out.clone();
        let first = out.starts_with(&format!("operated runs: PID {pid}, "));
        assert!(first || out == format!("operated runs already with PID {pid}\n"), "{out}");
        firsts += u32::from(first);
    }
    assert_eq!(firsts, 1);
    let again = place.json(&["start"])?;
    assert_eq!((&again["pid"], &again["started"]), (&pid.into(), &false.into()));
    Ok(())
}

#[test]
fn one_that_is_not_ready_in_time_goes_on_starting() -> Result {
    let place = Place::new()?;
    place.run(&["--kind", "slow", "start", "--timeout", "500ms"])?.expect(4).says("still starting with PID ");
    fs::write(place.go(), "")?;
    place.run(&["wait", "--ready"])?.expect(0);
    Ok(())
}

#[test]
fn a_stop_during_the_start_ends_both() -> Result {
    let place = Place::new()?;
    let starting = place.begin(&["--kind", "slow", "start"])?;
    until(|| Ok(place.run(&["status"])?.code == Some(0)))?;
    place.run(&["stop"])?.expect(0);
    done(starting)?.expect(1).says("operated was stopped while it started");
    assert!(place.left()?.is_empty());
    Ok(())
}

#[test]
fn a_restart_that_takes_too_long_says_so() -> Result {
    let place = Place::new()?;
    place.run(&["--kind", "lingers", "start"])?.expect(0);
    place.run(&["restart", "--timeout", "500ms"])?.expect(4).says("still stopping with PID ");
    fs::write(place.go(), "")?;
    place.run(&["wait", "--stopped"])?.expect(0);
    Ok(())
}

#[test]
fn two_stops_at_once_both_wait_for_the_end() -> Result {
    let place = Place::new()?;
    place.run(&["--kind", "lingers", "start"])?.expect(0);
    let stops = [place.begin(&["stop"])?, place.begin(&["stop"])?, place.begin(&["wait", "--stopped"])?];
    fs::write(place.go(), "")?;
    for stop in stops {
        done(stop)?.expect(0);
        assert!(place.left()?.is_empty());
    }
    Ok(())
}

#[test]
fn a_start_while_it_stops_has_its_turn() -> Result {
    let place = Place::new()?;
    place.run(&["--kind", "lingers", "start"])?.expect(0);
    let before = place.pid();
    let stopping = place.begin(&["stop"])?;
    until(|| Ok(place.json(&["status"])?["state"] == "stopping"))?;
    let starting = place.begin(&["start", "--json"])?;
    fs::write(place.go(), "")?;
    assert_eq!(done(starting)?.expect(0).json()?["started"], true);
    assert_ne!(place.pid(), before);
    done(stopping)?.expect(0);
    assert_eq!(place.json(&["status"])?["state"], "running");
    Ok(())
}

#[test]
fn a_stop_that_takes_too_long_says_so_and_goes_on() -> Result {
    let place = Place::new()?;
    place.run(&["--kind", "lingers", "start"])?.expect(0);
    place.run(&["stop", "--timeout", "1s"])?.expect(4).says("still stopping with PID ");
    fs::write(place.go(), "")?;
    place.run(&["wait", "--stopped"])?.expect(0);
    Ok(())
}

#[test]
fn one_that_was_killed_is_not_running_and_starts_again() -> Result {
    let place = Place::started()?;
    let pid = place.pid().and_then(|pid| rustix::process::Pid::from_raw(pid.cast_signed())).ok_or("it runs")?;
    rustix::process::kill_process(pid, Signal::KILL)?;
    until(|| Ok(!daemon_core::instance::is_daemon_alive(place.dir().join("daemon.lock"))))?;
    place
        .run(&["status"])?
        .expect(3)
        .says(&format!("not running: nobody listens on the socket {}", place.dir().join("daemon.sock").display()));
    assert_eq!(place.run(&["stop"])?.expect(0).out, "operated does not run\n");
    place.run(&["start"])?.expect(0);
    assert_eq!(place.json(&["status"])?["state"], "running");
    Ok(())
}

#[test]
fn its_logs_are_shown_and_followed() -> Result {
    let place = Place::started()?;
    place.run(&["call", "clock.warn", "\"mind the gap\""])?.expect(0);
    let logs = place.run(&["logs", "-n", "1"])?;
    assert!(logs.expect(0).out.contains("WARN") && logs.out.trim_end().ends_with("mind the gap"), "{logs:?}");

    let follows = place.begin(&["logs", "--follow"])?;
    follows.wait_for_line(Source::Stdout, SOON, |line| line.ends_with("mind the gap"))?;
    place.run(&["call", "clock.warn", "\"and the step\""])?.expect(0);
    follows.wait_for_line(Source::Stdout, SOON, |line| line.ends_with("and the step"))?;
    assert!(place.run(&["logs", "--output"])?.expect(0).out.contains("operated started"));
    Ok(())
}

#[test]
fn the_log_level_is_changed_and_comes_back() -> Result {
    let place = Place::started()?;
    let level = |level: Value| (level["filter"].clone(), level["returns_to"].clone());
    assert_eq!(level(place.json(&["log-level"])?), ("info".into(), Value::Null));
    assert!(!place.logged("log")?.contains("ticked"));
    let changed = place.json(&["log-level", "operated=debug", "--for", "3s"])?;
    assert_eq!(level(changed), ("operated=debug".into(), "info".into()));
    until(|| Ok(place.logged("log")?.contains("ticked")))?;
    until(|| Ok(level(place.json(&["log-level"])?).0 == "info"))?;
    assert_eq!(level(place.json(&["log-level", "warn"])?), ("warn".into(), Value::Null));
    place
        .run(&["log-level", "verbos"])?
        .expect(1)
        .says("unknown level `verbos`; one of off, error, warn, info, debug, trace");
    Ok(())
}
