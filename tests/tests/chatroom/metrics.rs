//! The figures that the program writes to a file.

use std::time::{Duration, Instant};

use tests::{Signal, Source};

use crate::run::{PATIENCE, Place};

#[test]
fn figures_are_written_to_a_file_as_they_come() {
    let place = Place::with_files(50);
    let mut running = place.program().args(["--metrics", "figures.prom"]).start().unwrap();
    running.wait_for_line(Source::Stderr, PATIENCE, |line| line.contains("14 personas listen")).unwrap();
    let deadline = Instant::now() + PATIENCE;
    let told = "daemon_events_total{daemon=\"room-membership\",outcome=\"handled\",subscription=\"user_created\"} 15\n";
    let text = || std::fs::read_to_string(place.path("figures.prom")).unwrap_or_default();
    while !text().contains(told) {
        assert!(Instant::now() < deadline, "never {told} in {}", text());
        std::thread::park_timeout(Duration::from_millis(20));
    }
    running.signal(Signal::TERM).unwrap();
    assert_eq!(running.wait(PATIENCE).unwrap().code(), Some(0));
}
