//! The support for process tests keeps its own promises.

#![cfg(unix)]

use rustix::process::test_kill_process;
use std::{
    os::unix::process::ExitStatusExt,
    time::{Duration, Instant},
};
use tests::{
    ProcessError, Program, Running, Signal, Source, TempDir,
    program::{Target, built},
};

const SOON: Duration = Duration::from_secs(20);
const AT_ONCE: Duration = Duration::from_millis(20);

fn probe(args: &[&str]) -> Result<Running, ProcessError> {
    let running = Program::new(built("tests", Target::Bin("probe"))?).args(args).env("PROBE_PLACE", "test").start()?;
    running.wait_for_line(Source::Stderr, SOON, |line| line == "ready in test")?;
    Ok(running)
}

#[test]
fn lines_go_in_and_come_out() -> Result<(), ProcessError> {
    let mut running = probe(&[])?;
    running.write(b"one\ntwo\n")?;
    assert_eq!(running.wait_for_line(Source::Stdout, SOON, |line| line.starts_with('T'))?, "TWO");
    assert_eq!(running.wait_for_line(Source::Stdout, SOON, |line| line.starts_with('O'))?, "ONE");
    assert_eq!(running.text(Source::Stdout), "ONE\nTWO\n");
    Ok(())
}

#[test]
fn the_end_comes_with_its_code_and_the_last_words() -> Result<(), ProcessError> {
    let mut running = probe(&["--exit", "7"])?;
    running.write(b"one\n")?;
    running.close_stdin();
    assert_eq!(running.wait(SOON)?.code(), Some(7));
    assert_eq!(running.text(Source::Stdout), "ONE\nbye");
    assert_eq!(running.wait_for_line(Source::Stdout, AT_ONCE, |line| line == "bye")?, "bye");
    assert_eq!(running.wait(SOON)?.code(), Some(7), "waiting again tells the same");
    let fault = running.signal(Signal::TERM).unwrap_err().to_string();
    assert_eq!(fault, "cannot signal probe: it has ended: exit status: 7", "its pid may be another's now");
    Ok(())
}

#[test]
fn a_signal_ends_it() -> Result<(), ProcessError> {
    let mut running = probe(&[])?;
    running.signal(Signal::TERM)?;
    assert_eq!(running.wait(SOON)?.signal(), Some(Signal::TERM.as_raw()));
    Ok(())
}

#[test]
fn a_wait_that_is_in_vain_tells_what_was_said() -> Result<(), ProcessError> {
    let mut running = probe(&["--deaf"])?;
    running.write(b"something else\n")?;
    running.wait_for_line(Source::Stdout, SOON, |line| line == "SOMETHING ELSE")?;

    let fault = running.wait_for_line(Source::Stdout, AT_ONCE, |line| line == "never said").unwrap_err().to_string();
    assert!(fault.starts_with("no such line from probe on its Stdout within 20ms"), "{fault}");
    assert!(fault.contains("SOMETHING ELSE") && fault.contains("ready in test"), "{fault}");

    running.close_stdin();
    let fault = running.wait(AT_ONCE).unwrap_err().to_string();
    assert!(fault.starts_with("probe still runs after 20ms"), "{fault}");
    Ok(())
}

#[test]
fn a_line_that_can_no_longer_come_is_not_waited_for() -> Result<(), ProcessError> {
    let mut running = probe(&[])?;
    running.close_stdin();
    let asked_at = Instant::now();
    assert!(running.wait_for_line(Source::Stdout, SOON, |line| line == "never said").is_err());
    assert!(asked_at.elapsed() < SOON);
    assert!(running.write(b"too late\n").is_err());
    Ok(())
}

#[test]
fn nothing_outlives_its_test() -> Result<(), ProcessError> {
    let running = probe(&["--deaf"])?;
    let pid = running.pid();
    assert!(test_kill_process(pid).is_ok());
    drop(running);
    assert!(test_kill_process(pid).is_err());
    Ok(())
}

#[test]
fn it_starts_where_it_is_told_to() -> Result<(), Box<dyn std::error::Error>> {
    let dir = TempDir::new()?;
    let mut running = Program::new("/bin/pwd").args(["-P"]).current_dir(dir.path()).start()?;
    assert!(running.wait(SOON)?.success());
    assert_eq!(running.text(Source::Stdout).trim_end(), dir.path().canonicalize()?.to_string_lossy());
    Ok(())
}

#[test]
fn what_does_not_build_is_told_with_the_reason() {
    let fault = built("tests", Target::Bin("no-such-program")).unwrap_err().to_string();
    assert!(
        fault.starts_with("cannot build tests --bin no-such-program") && fault.contains("no bin target"),
        "{fault}"
    );
}
