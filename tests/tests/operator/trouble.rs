//! What operators meet on bad days: nobody there, nobody answering, no room, no rights, no terminal.

use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixListener;
use std::{ffi::OsStr, fs};

use tests::Source;

use super::{OPERATED, Place, Result, SOON, done};

#[test]
fn an_instance_that_is_not_there_is_named_with_its_socket() -> Result {
    let place = Place::new()?;
    for args in [&["nobody", "status"][..], &["nobody", "health"], &["nobody", "events"], &["nobody", "call", "a.b"]] {
        let socket = place.runtime.path().join("nobody/daemon.sock");
        place.control(args)?.expect(3).says(&format!("nobody: not running: cannot connect to {}", socket.display()));
    }
    assert_eq!(place.control(&["nobody", "stop"])?.expect(0).out, "nobody does not run\n");
    place.control(&["nobody", "wait", "--ready", "--timeout", "100ms"])?.expect(4).says("not ready (not running: ");
    place.control(&["nobody", "wait", "--stopped"])?.expect(0);
    place.control(&["nobody", "logs"])?.expect(1).says("only what runs in the background logs to it");
    place.control(&["No Body", "status"])?.expect(2);
    place.control(&["status"])?.expect(2).says("which daemon?");
    place.control(&[])?.expect(2);
    Ok(())
}

#[test]
fn one_of_the_system_is_looked_for_among_the_systems_files() -> Result {
    let place = Place::new()?;
    let name = format!("nobody-{}", std::process::id());
    place
        .control(&["--system", &name, "status"])?
        .expect(3)
        .says(&format!("cannot connect to /run/{name}/daemon.sock"));
    place
        .control(&[&name, "--system", "status"])?
        .expect(3)
        .says(&format!("cannot connect to /run/{name}/daemon.sock"));
    place.control(&["--system", &name, "logs"])?.expect(1).says(&format!("/var/log/{name}/{name}.log"));
    Ok(())
}

#[test]
fn one_whose_workers_are_all_blocked_answers_and_stops() -> Result {
    let place = Place::started()?;
    place.run(&["call", "clock.block"])?.expect(0);
    place.run(&["call", "clock.double", "1", "--timeout", "500ms"])?.expect(4);
    assert_eq!(place.json(&["status"])?["state"], "running");
    place.run(&["stop"])?.expect(0);
    assert!(place.left()?.is_empty(), "{:?}", place.left()?);
    assert!(place.logged("out")?.contains("exit code 75"));
    Ok(())
}

#[test]
fn one_whose_socket_is_gone_is_stopped_by_a_signal() -> Result {
    let place = Place::started()?;
    let pid = place.pid().ok_or("it runs")?;
    fs::remove_file(place.dir().join("daemon.sock"))?;
    place.run(&["status"])?.expect(6).says(&format!("process {pid} has its lock, but nobody answers"));
    let stopped = place.run(&["stop"])?;
    stopped.expect(0).says(&format!("process {pid} got a SIGTERM"));
    assert!(place.left()?.is_empty());
    Ok(())
}

#[test]
fn what_holds_no_lock_gets_no_signal() -> Result {
    let place = Place::new()?;
    fs::create_dir(place.dir())?;
    let mut innocent = tests::Program::new("sleep").args(["60"]).start()?;
    fs::write(place.dir().join("daemon.lock"), format!("{}\n", innocent.pid().as_raw_pid()))?;
    assert_eq!(place.run(&["stop"])?.expect(0).out, "operated does not run\n");
    assert!(innocent.wait(std::time::Duration::ZERO).is_err(), "it lives");
    Ok(())
}

#[test]
fn one_that_never_answers_is_given_up() -> Result {
    let place = Place::new()?;
    fs::create_dir(place.dir())?;
    let _silent = UnixListener::bind(place.dir().join("daemon.sock"))?;
    for args in [&["status"][..], &["events", "-n", "1"], &["health"], &["call", "a.b"]] {
        place.run(&[args, &["--timeout", "300ms"]].concat())?.expect(4).says("within 300ms");
    }
    Ok(())
}

#[test]
fn a_start_that_cannot_log_says_so() -> Result {
    let place = Place::new()?;
    fs::create_dir(place.state.path().join("log"))?;
    fs::write(place.state.path().join("log/operated"), "no directory")?;
    place.run(&["start"])?.expect(1).says("operated: cannot write to ");
    place.run(&["status"])?.expect(3);
    Ok(())
}

#[test]
fn arguments_that_are_no_text_are_refused() -> Result {
    let place = Place::started()?;
    let odd = OsStr::from_bytes(b"\xff\xfe");
    for args in [&["call".as_ref(), odd][..], &[odd], &["events".as_ref(), odd], &["status".as_ref(), odd]] {
        done(place.program(OPERATED).args(args).start()?)?.expect(2);
    }
    Ok(())
}

#[test]
fn closed_streams_change_nothing() -> Result {
    let place = Place::new()?;
    let shell = |script: &str| -> Result<super::Done> {
        done(place.program("sh").args(["-c", &script.replace("IT", OPERATED)]).start()?)
    };
    shell("IT start <&- >&- 2>&-")?.expect(0);
    assert_eq!(place.json(&["status"])?["state"], "running");
    shell("IT status >&-")?.expect(0);
    shell("IT status >/dev/full")?.expect(1).says("cannot write: No space left on device");
    shell("IT call clock.double - <&-")?.expect(2).says("the request is no JSON");
    shell("IT stop <&- >&- 2>&-")?.expect(0);
    Ok(())
}

#[test]
fn a_question_that_was_never_ended_has_a_deadline() -> Result {
    let place = Place::started()?;
    let waits = place.begin(&["call", "clock.double", "-", "--timeout", "300ms"])?;
    done(waits)?.expect(4).says("standard input did not end within 300ms");
    Ok(())
}

#[test]
fn colours_are_for_terminals_only() -> Result {
    let place = Place::started()?;
    assert!(!place.run(&["status"])?.expect(0).out.contains('\u{1b}'));
    let on_terminal = |variables: &str| -> Result<String> {
        let script = format!("stty cols 80; {variables} {OPERATED} status");
        let mut shown = place.program("script").args(["-qec", &script, "/dev/null"]).env("TERM", "xterm").start()?;
        shown.wait(SOON)?;
        Ok(shown.text(Source::Stdout))
    };
    assert!(on_terminal("")?.contains("\u{1b}[32mrunning\u{1b}[0m"));
    assert!(!on_terminal("NO_COLOR=1")?.contains('\u{1b}'));
    assert!(!on_terminal("TERM=dumb")?.contains('\u{1b}'));
    Ok(())
}
