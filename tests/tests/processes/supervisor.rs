//! What a service manager that started the program learns from its end alone.

use std::time::Duration;

use tests::{Program, Running, Source};

use super::{Result, SOON, SUBJECT};

/// Starts a host of this kind under a supervisor.
fn supervise(kind: &str, options: &[&str]) -> Result<Running> {
    Ok(Program::new(env!("CARGO_BIN_EXE_supervisor")).args([SUBJECT, kind]).args(options).start()?)
}

/// Makes the supervisor send SIGTERM.
fn stop(running: &mut Running) -> Result {
    Ok(running.write(b"stop\n")?)
}

#[track_caller]
fn assert_seen(mut running: Running, seen: &str) -> Result {
    assert!(running.wait(SOON)?.success());
    let (said, err) = (running.text(Source::Stdout), running.text(Source::Stderr));
    assert_eq!(said.lines().last(), Some(seen), "{said}\n{err}");
    Ok(())
}

#[test]
fn a_clean_stop_is_seen_as_0() -> Result {
    let mut running = supervise("calm/slow-stop", &[])?;
    running.wait_for_line(Source::Stderr, SOON, |line| line.starts_with("subject started"))?;
    stop(&mut running)?;
    assert_seen(running, "exited with 0")
}

#[test]
fn failures_are_seen_as_1() -> Result {
    for kind in ["faulty/start", "faulty/later", "faulty/refused"] {
        assert_seen(supervise(kind, &[])?, "exited with 1")?;
    }
    Ok(())
}

#[test]
fn what_was_cut_is_seen_as_75_also_where_threads_are_blocked() -> Result {
    for (kind, says) in [("faulty/cleanup-overruns", ""), ("stuck/handler", "stuck"), ("stuck/one-worker", "stuck")] {
        let mut running = supervise(kind, &["--budget", "500"])?;
        if says.is_empty() {
            running.wait_for_line(Source::Stderr, SOON, |line| line.starts_with("subject started"))?;
        } else {
            running.wait_for_line(Source::Stdout, SOON, |line| line == says)?;
        }
        stop(&mut running)?;
        assert_seen(running, "exited with 75")?;
    }
    Ok(())
}

#[test]
fn a_forced_end_is_seen_as_128_and_the_signal_and_not_as_a_kill() -> Result {
    let mut running = supervise("stuck/handler", &[])?;
    running.wait_for_line(Source::Stdout, SOON, |line| line == "stuck")?;
    stop(&mut running)?;
    std::thread::sleep(Duration::from_millis(550)); // nearer together they would be one
    stop(&mut running)?;
    assert_seen(running, "exited with 143")
}
