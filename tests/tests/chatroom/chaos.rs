//! Under chaos the daemons are killed and hung at random; the program recovers, and what it accounts for is right.

use tests::{Running, Signal, Source};

use crate::run::{PATIENCE, Place};

fn start(place: &Place, options: &[&str]) -> (Running, Vec<String>) {
    let mut running =
        place.program().args(["--chaos", "--seed", "7"]).args(options).env("RUST_BACKTRACE", "0").start().unwrap();
    let lines: Vec<String> = (0..300).map(|number| format!("line {number}")).collect();
    running.write((lines.join("\n") + "\n").as_bytes()).unwrap();
    (running, lines)
}

#[test]
fn the_program_recovers_from_every_fault_and_ends_clean() {
    let place = Place::with_files(50);
    let (mut running, lines) = start(&place, &["--for", "8s"]);
    let status = running.wait(PATIENCE).unwrap();
    let said = running.text(Source::Stderr);
    assert_eq!(status.code(), Some(0), "{said}");
    assert!(said.contains("chaos: seed 7, for 8s") && said.contains("every daemon runs"), "{said}");
    for fault in ["Panic", "Error", "Hang", "Block"] {
        assert!(said.contains(&format!(": {fault} in `")), "no {fault}: {said}");
    }
    let report = place.report();
    report.check();
    assert_eq!(report.exit_code, 0);
    assert!(report.daemons.iter().all(|daemon| daemon.state == "stopped"), "{report:#?}");
    assert!(report.daemons.iter().map(|daemon| daemon.restarts).sum::<u64>() >= 3, "{report:#?}");
    let struck: u64 =
        report.events.iter().filter(|row| row.subscription.ends_with(".struck")).map(|row| row.failed).sum();
    assert!(struck >= 2, "{report:#?}");
    let stored = place.messages();
    assert_eq!(stored, lines[..stored.len()], "what is stored is the beginning of what was sent: {said}");
}

#[test]
fn a_signal_in_the_midst_of_it_ends_in_time_with_a_true_report() {
    let place = Place::with_files(50);
    let (mut running, lines) = start(&place, &[]);
    running.wait_for_line(Source::Stderr, PATIENCE, |line| line.contains(": Hang in `")).unwrap();
    running.signal(Signal::TERM).unwrap();
    let status = running.wait(PATIENCE).unwrap();
    let (said, report) = (running.text(Source::Stderr), place.report());
    report.check();
    // What hangs is cut, unless the strike had not come to it.
    assert!([0, 75].contains(&report.exit_code) && status.code() == Some(report.exit_code), "{said}");
    let stored = place.messages();
    assert_eq!(stored, lines[..stored.len()], "{said}");
}
