use std::path::Path;
use std::time::Instant;

use daemon_core::instance::is_daemon_alive;
use rustix::process::{Pid, Signal, kill_process};

use super::{Arena, Result, SOON};

/// The children of a process, by their numbers; see proc(5).
fn children(pid: u32) -> Result<Vec<u32>> {
    let listed = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"))?;
    Ok(listed.split_whitespace().map(str::parse).collect::<Result<_, _>>()?)
}

/// Whether a process has a file open.
fn has_open(pid: u32, file: &Path) -> Result<bool> {
    let open = std::fs::read_dir(format!("/proc/{pid}/fd"))?;
    Ok(open.filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok()).any(|open| open == file))
}

#[test]
fn a_forked_child_does_not_keep_the_lock_of_a_dead_parent() -> Result {
    let arena = Arena::new()?;
    let (_gate, mut parent) = arena.enter_one(&["--fork", "stays"])?;
    assert_eq!(parent.says(), format!("held by {}", parent.pid()));
    let [child] = *children(parent.pid())? else { return Err("it has no child".into()) };
    let second = arena.witness.with_extension("second");
    assert!(has_open(parent.pid(), &arena.lock)? && has_open(parent.pid(), &second)?);
    let deadline = Instant::now() + SOON;
    while has_open(child, &arena.lock)? || has_open(child, &second)? {
        assert!(Instant::now() < deadline, "the child has its parent's lock");
        std::thread::yield_now(); // it has not run yet
    }
    parent.kill();
    assert!(!is_daemon_alive(&arena.lock));
    // The child has the first witness still: it was not opened by those who know of forks.
    let arena = Arena { witness: arena.dir.path().join("another"), ..arena };
    let (gate, mut next) = arena.enter_one(&[])?;
    assert_eq!(next.says(), format!("held by {}", next.pid()), "the child keeps the next from starting");
    drop(gate);
    assert!(next.end().success());
    let child = Pid::from_raw(child.cast_signed()).ok_or("no PID")?;
    Ok(kill_process(child, Signal::KILL)?)
}

#[test]
fn a_forked_child_that_ends_takes_nothing_along() -> Result {
    let arena = Arena::new()?;
    let (gate, mut parent) = arena.enter_one(&["--fork", "goes"])?;
    assert_eq!(parent.says(), format!("held by {}", parent.pid()));
    let deadline = Instant::now() + SOON;
    while !ended(&children(parent.pid())?)? {
        assert!(Instant::now() < deadline, "the child does not end");
        std::thread::yield_now();
    }
    assert!(is_daemon_alive(&arena.lock), "the child dropped its copy of the lock, and the parent has it still");
    let (_other_gate, mut other) = arena.enter_one(&[])?;
    assert_eq!(other.says(), format!("refused by {}", parent.pid()));
    drop(gate);
    assert!(parent.end().success());
    arena.starts();
    Ok(())
}

#[test]
fn a_forked_child_that_takes_a_lock_keeps_that_and_loses_nothing_else() -> Result {
    let arena = Arena::new()?;
    let (gate, mut parent) = arena.enter_one(&["--fork", "takes"])?;
    let mut said = [parent.says(), parent.says(), parent.says()];
    said.sort();
    assert_eq!(said, ["child: true".to_owned(), "grandchild: true".to_owned(), format!("held by {}", parent.pid())]);
    assert!(is_daemon_alive(&arena.lock), "the child dropped its copy of the lock, and the parent has it still");
    drop(gate);
    assert!(parent.end().success());
    arena.starts();
    Ok(())
}

/// Whether all of them have ended, and only their parent has not asked yet.
fn ended(pids: &[u32]) -> Result<bool> {
    for pid in pids {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
        if !status.lines().any(|line| line.starts_with("State:") && line.contains('Z')) {
            return Ok(false);
        }
    }
    Ok(true)
}
