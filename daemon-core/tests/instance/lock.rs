use std::fs;
#[cfg(unix)]
use std::os::unix::fs::symlink;
use std::path::Path;
#[cfg(unix)]
use std::process::Command;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use daemon_core::instance::{DaemonLock, is_daemon_alive, read_lock_pid};
use tempfile::TempDir;

#[cfg(unix)]
use super::mode;
use super::{exists, own_pid};

/// Takes the lock, looks whether it is held as it should be, and gives it back.
#[track_caller]
fn takes(path: &Path) {
    let lock = DaemonLock::acquire(path).unwrap();
    assert!(is_daemon_alive(path));
    assert_eq!(fs::read_to_string(path).unwrap(), format!("{}\n", own_pid()));
    lock.release().unwrap();
    assert!(!exists(path) && !is_daemon_alive(path));
}

#[cfg(unix)]
#[track_caller]
fn refused(path: &Path) -> String {
    let refused = DaemonLock::acquire(path).unwrap_err();
    assert_eq!((&*refused.lock_path, refused.is_already_running()), (path, false));
    refused.message
}

#[test]
fn the_file_holds_the_pid_as_the_seed_writes_it() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("deep/er/daemon.lock");
    assert!(!is_daemon_alive(&path) && read_lock_pid(&path).is_none());
    let lock = DaemonLock::acquire(&path).unwrap();
    assert_eq!((lock.path(), lock.pid()), (&*path, own_pid()));
    assert_eq!(fs::read_to_string(&path).unwrap(), format!("{}\n", own_pid()));
    assert_eq!((read_lock_pid(&path), is_daemon_alive(&path)), (Some(own_pid()), true));
    #[cfg(unix)]
    assert_eq!(mode(&path), 0o644, "others may read who it is");
    #[cfg(unix)]
    assert_eq!(mode(&dir.path().join("deep")), 0o700, "but only where the directory lets them");
    drop(lock);
    assert!(!exists(&path) && !is_daemon_alive(&path));
}

#[test]
fn a_second_one_is_refused_and_told_who_has_it() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("daemon.lock");
    let lock = DaemonLock::acquire(&path).unwrap();
    let refused = DaemonLock::acquire(&path).unwrap_err();
    assert_eq!((refused.pid, &*refused.lock_path), (Some(own_pid()), &*path));
    assert!(refused.is_already_running());
    assert_eq!(refused.message, format!("Daemon already running with PID {}", own_pid()));
    assert_eq!(refused.to_string(), format!("{} ({})", refused.message, path.display()));
    assert!(is_daemon_alive(&path), "the loser does no harm");
    lock.release().unwrap();
    takes(&path);
}

#[test]
fn w9_of_many_who_race_one_wins_each_time() {
    const THREADS: usize = 8;
    const ROUNDS: usize = 300;
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("daemon.lock");
    let (barrier, holders, wins) = (Barrier::new(THREADS), AtomicUsize::new(0), AtomicUsize::new(0));
    // A thread that panicked would be waited for by the others: what is wrong is told in the end.
    let faults = std::sync::Mutex::new(Vec::new());
    let tell = |fault: String| faults.lock().unwrap().push(fault);
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                for round in 0..ROUNDS {
                    if barrier.wait().is_leader() && round % 2 == 0 {
                        fs::write(&path, "4194304\n").unwrap(); // as one that was killed leaves it
                    }
                    barrier.wait();
                    let taken = DaemonLock::acquire(&path);
                    match &taken {
                        Ok(_) => {
                            if holders.fetch_add(1, Ordering::SeqCst) > 0 {
                                tell("two hold it".to_owned());
                            }
                            wins.fetch_add(1, Ordering::SeqCst);
                        }
                        Err(error) if error.pid == Some(own_pid()) => {}
                        Err(error) => tell(error.to_string()),
                    }
                    barrier.wait(); // held until all have tried
                    if let Ok(lock) = taken {
                        holders.fetch_sub(1, Ordering::SeqCst);
                        lock.release().unwrap_or_else(|error| tell(error.to_string()));
                    }
                    barrier.wait();
                }
            });
        }
    });
    let faults = faults.into_inner().unwrap();
    assert!(faults.is_empty(), "{} times, such as: {}", faults.len(), faults[0]);
    assert_eq!(wins.into_inner(), ROUNDS, "in each round somebody wins");
}

#[test]
fn a_lock_that_is_given_back_while_others_start_is_never_held_twice() {
    const THREADS: usize = 4;
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("daemon.lock");
    let (holders, wins) = (AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                while wins.load(Ordering::SeqCst) < 2_000 {
                    let Ok(lock) = DaemonLock::acquire(&path) else { continue };
                    assert_eq!(holders.fetch_add(1, Ordering::SeqCst), 0, "two hold it");
                    wins.fetch_add(1, Ordering::SeqCst);
                    holders.fetch_sub(1, Ordering::SeqCst);
                    drop(lock);
                }
            });
        }
    });
    assert!(!exists(&path));
}

#[test]
fn asking_whether_somebody_lives_keeps_nobody_from_starting() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("daemon.lock");
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    std::hint::black_box(is_daemon_alive(&path));
                }
            });
        }
        let started = std::panic::catch_unwind(|| {
            for _ in 0..500 {
                takes_although_asked(&path);
            }
        });
        over.store(true, Ordering::Relaxed);
        started.unwrap();
    });
}

fn takes_although_asked(path: &Path) {
    fs::write(path, "0\n").unwrap();
    let lock = DaemonLock::acquire(path).unwrap();
    assert!(is_daemon_alive(path));
    lock.release().unwrap();
}

#[test]
fn w13_the_pid_of_a_living_stranger_in_the_file_is_no_lock() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("daemon.lock");
    #[cfg(unix)]
    let stranger = std::os::unix::process::parent_id();
    #[cfg(windows)]
    let stranger = 4; // the system's own
    for pid in [1, stranger, own_pid()] {
        fs::write(&path, format!("{pid}\n")).unwrap();
        assert_eq!((read_lock_pid(&path), is_daemon_alive(&path)), (Some(pid), false));
        takes(&path);
    }
}

#[test]
fn whatever_is_in_the_file_is_no_obstacle() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("daemon.lock");
    let huge = vec![b'7'; 1 << 20];
    for content in
        [&b""[..], b"\n", b"garbage", b"1e5", b"-1\n", b"4294967296", &[0xff, 0, 0xfe], b"12345678901", &huge]
    {
        fs::write(&path, content).unwrap();
        assert!(!is_daemon_alive(&path));
        takes(&path);
    }
}

#[cfg(unix)]
#[test]
fn w14_a_link_is_not_followed_and_its_target_not_touched() {
    let dir = TempDir::new().unwrap();
    let (path, victim) = (dir.path().join("daemon.lock"), dir.path().join("victim"));
    fs::write(&victim, "precious").unwrap();
    for target in [&*victim, Path::new("nowhere"), &path, dir.path()] {
        symlink(target, &path).unwrap();
        assert_eq!(refused(&path), "the lock file is a symbolic link, which is not followed; remove it");
        assert_eq!((read_lock_pid(&path), is_daemon_alive(&path)), (None, false));
        assert_eq!(fs::read_link(&path).unwrap(), target, "it is left alone");
        fs::remove_file(&path).unwrap();
    }
    fs::hard_link(&victim, &path).unwrap();
    assert!(refused(&path).contains("has a second name"));
    assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
    fs::remove_file(&path).unwrap();
    takes(&path);
}

#[cfg(unix)]
#[test]
fn what_is_no_file_is_refused_and_left_alone() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("daemon.lock");
    fs::create_dir(&path).unwrap();
    assert_eq!(refused(&path), "the lock file is a directory; remove it");
    let held = fs::File::open(&path).unwrap();
    held.lock().unwrap();
    assert!(!is_daemon_alive(&path), "whatever it is locked for");
    drop(held);
    fs::remove_dir(&path).unwrap();
    let made = Command::new("mkfifo").arg(&path).status().unwrap();
    assert!(made.success());
    assert!(refused(&path).contains("no regular file"), "and nobody waits for the other end of the pipe");
    assert!(!is_daemon_alive(&path) && read_lock_pid(&path).is_none());
    assert!(exists(&path));
    assert!(refused(Path::new("/dev/null")).contains("no regular file"));
    assert!(refused(Path::new("/proc/daemon.lock")).starts_with("Failed to open lock file: "));
    assert!(refused(Path::new("/dev/null/daemon.lock")).starts_with("Failed to make its directory: "));
}

#[test]
fn w14_a_file_that_has_anothers_pid_by_now_is_not_removed() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("daemon.lock");
    let lock = DaemonLock::acquire(&path).unwrap();
    fs::write(&path, "1\n").unwrap();
    lock.release().unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "1\n");
}

// Windows keeps a file that is open; so do the next two.
#[cfg(unix)]
#[test]
fn w14_only_what_is_ours_is_removed() {
    let dir = TempDir::new().unwrap();
    let (path, other) = (dir.path().join("daemon.lock"), dir.path().join("other"));
    let lock = DaemonLock::acquire(&path).unwrap();
    fs::write(&other, "somebody else's").unwrap();
    fs::rename(&other, &path).unwrap();
    lock.release().unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "somebody else's");

    fs::remove_file(&path).unwrap();
    let lock = DaemonLock::acquire(&path).unwrap();
    fs::rename(&path, &other).unwrap();
    symlink(&other, &path).unwrap();
    lock.release().unwrap();
    assert!(exists(&path) && exists(&other), "the link is somebody else's, though it leads to ours");
}

#[cfg(unix)]
#[test]
fn a_lock_whose_file_is_gone_is_given_back_all_the_same() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("daemon.lock");
    let lock = DaemonLock::acquire(&path).unwrap();
    fs::remove_file(&path).unwrap();
    lock.release().unwrap();
    assert!(!exists(&path));
}

#[cfg(unix)]
#[test]
fn whoever_loses_the_file_under_its_lock_does_not_keep_the_next_from_starting() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("daemon.lock");
    let first = DaemonLock::acquire(&path).unwrap();
    fs::remove_file(&path).unwrap(); // an operator's doing: they are two now, and that was asked for
    let second = DaemonLock::acquire(&path).unwrap();
    drop(first);
    assert!(is_daemon_alive(&path), "the first does not take the second's file along");
    second.release().unwrap();
    assert!(!exists(&path));
}

#[test]
fn clones_share_it() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("daemon.lock");
    let lock = DaemonLock::acquire(&path).unwrap();
    let clone = lock.clone();
    lock.release().unwrap();
    assert!(is_daemon_alive(&path));
    assert!(DaemonLock::acquire(&path).is_err());
    drop(clone);
    takes(&path);
}

#[cfg(unix)]
#[test]
fn a_program_that_is_executed_does_not_get_it() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("daemon.lock");
    let lock = DaemonLock::acquire(&path).unwrap();
    let mut child = Command::new("cat").stdin(std::process::Stdio::piped()).spawn().unwrap();
    let open = format!("/proc/{}/fd", child.id());
    if Path::new(&open).exists() {
        let files = fs::read_dir(open).unwrap().filter_map(|entry| fs::read_link(entry.unwrap().path()).ok());
        assert!(!files.into_iter().any(|file| file == path));
    }
    drop(lock);
    takes(&path);
    drop(child.stdin.take());
    child.wait().unwrap();
}
