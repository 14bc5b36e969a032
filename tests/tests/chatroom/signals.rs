//! A signal at any moment ends the program in time, with a report that is true and nothing accepted that is lost.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tests::{Signal, Source};

use crate::run::{PATIENCE, Place, wait_until_it_listens};

/// The host's default budget and what it may take beside.
const BUDGET: Duration = Duration::from_millis(25_250);

#[test]
fn sigterm_at_fifty_random_moments_of_the_first_two_seconds() {
    let next = AtomicUsize::new(0);
    let random = RandomState::new();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while next.fetch_add(1, Ordering::Relaxed) < 50 {
                    let moment = Duration::from_micros(random.hash_one(Instant::now()) % 2_000_000);
                    stop_after(moment, Signal::TERM);
                }
            });
        }
    });
}

#[test]
fn sigterm_and_sigint_at_the_first_moment_they_are_heard() {
    stop_after(Duration::ZERO, Signal::TERM);
    stop_after(Duration::ZERO, Signal::INT);
}

fn stop_after(moment: Duration, signal: Signal) {
    let place = Place::with_files(500);
    let mut running = place.program().start().unwrap();
    let lines: Vec<String> = (0..2_000).map(|number| format!("line {number}")).collect();
    wait_until_it_listens(&running);
    let started = Instant::now();
    // Less than a pipe holds, so this does not wait for a program that no longer reads.
    running.write((lines.join("\n") + "\n").as_bytes()).unwrap();
    std::thread::sleep(moment.saturating_sub(started.elapsed()));

    let asked = Instant::now();
    running.signal(signal).unwrap();
    let status = running.wait(PATIENCE).unwrap();
    let told = || format!("{signal:?} after {moment:?}: {status}\n{}", running.text(Source::Stderr));
    assert!(asked.elapsed() < BUDGET, "took {:?}: {}", asked.elapsed(), told());
    assert_eq!(status.code(), Some(0), "{}", told());

    let report = place.report();
    report.check();
    assert_eq!(report.exit_code, 0, "{}", told());
    for daemon in &report.daemons {
        assert_eq!(daemon.state, "stopped", "{daemon:?} {}", told());
        assert!(daemon.started_ms <= daemon.stopped_ms, "{daemon:?} {}", told());
    }
    if report.daemon("session").started_ms.is_some() {
        let stored = place.messages();
        assert_eq!(stored, lines[..stored.len()], "what is stored is the beginning of what was sent; {}", told());
        let heard = report.events.iter().find(|row| row.subscription == "training.message_created");
        assert_eq!(heard.map(|row| row.offered), Some(stored.len() as u64), "{}", told());
    }
}
