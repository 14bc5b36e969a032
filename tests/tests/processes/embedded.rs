//! What a host promises that runs in the program's own runtime, and what it does not.

use std::time::Duration;

use daemon_core::ShutdownReport;
use tests::{ProcessError, Program, Running, Source};

use super::{Result, SOON, SUBJECT};

/// The stop budget these hosts get, in milliseconds.
const BUDGET: u64 = 1000;

/// Starts a host, waits until it is stuck, and asks it to stop.
fn stop(kind: &str) -> Result<Running> {
    let mut running = Program::new(SUBJECT).args([kind, "--budget", &BUDGET.to_string()]).start()?;
    running.wait_for_line(Source::Stdout, SOON, |line| line == "stuck")?;
    running.write(b"stop\n")?;
    running.wait_for_line(Source::Stdout, SOON, |line| line == "asked")?;
    Ok(running)
}

fn report(running: &Running) -> Result<ShutdownReport> {
    Ok(serde_json::from_str(running.text(Source::Stdout).lines().last().ok_or("it said nothing")?)?)
}

#[test]
fn what_yields_is_cut_in_time_by_an_embedded_host_too() -> Result {
    let mut running = stop("embedded/hangs")?;
    let status = running.wait(SOON)?;
    let report = report(&running)?;
    assert_eq!((status.code(), report.exit_code), (Some(75), 75));
    assert!(report.stop_ms < BUDGET + 1_000, "{report}");
    let cut = &report.daemon("hangs").ok_or("no such daemon")?.cut[0];
    assert_eq!((&*cut.work, cut.gone), ("task `hang`", true), "{report}");
    Ok(())
}

#[test]
fn an_embedded_host_stops_only_once_its_thread_is_free() -> Result {
    let mut running = stop("embedded/blocks")?;
    // With a thread of its own it would have ended by now.
    let waited = running.wait(Duration::from_millis(BUDGET + 250 + 1_000));
    assert!(matches!(waited, Err(ProcessError::StillRunning { .. })), "{waited:?}");
    running.write(b"unblock\n")?;
    running.wait(SOON)?;
    let report = report(&running)?;
    assert!(report.left.is_nothing() && report.stop_ms > BUDGET, "{report}");
    Ok(())
}
