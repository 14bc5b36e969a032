use std::fs;
#[cfg(unix)]
use std::os::unix::fs::symlink;

use daemon_core::DaemonErrorCode;
use daemon_core::instance::{DaemonLock, PidFile, is_daemon_alive, read_lock_pid};
use tempfile::TempDir;

use super::{exists, own_pid};

#[test]
fn it_holds_the_pid_alone_as_the_seed_writes_it() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("daemon.pid");
    let file = PidFile::create(&path).unwrap();
    assert_eq!(file.path(), path);
    assert_eq!(fs::read_to_string(&path).unwrap(), own_pid().to_string());
    assert_eq!(read_lock_pid(&path), Some(own_pid()));
    file.remove().unwrap();
    assert!(!exists(&path));
}

#[test]
fn a_second_one_is_refused() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("daemon.pid");
    let file = PidFile::create(&path).unwrap();
    let refused = PidFile::create(&path).unwrap_err();
    assert_eq!((refused.code, refused.pid), (DaemonErrorCode::AlreadyRunning, Some(own_pid())));
    assert_eq!(refused.message, format!("PID file already exists: {}", path.display()));
    drop(file);
    assert!(!exists(&path));
}

#[test]
fn one_that_another_has_is_refused_whatever_else_this_process_has() {
    let dir = TempDir::new().unwrap();
    let (lock, path) = (DaemonLock::acquire(dir.path().join("daemon.lock")).unwrap(), dir.path().join("daemon.pid"));
    let other = fs::File::create(&path).unwrap();
    other.lock().unwrap();
    fs::write(&path, own_pid().to_string()).unwrap();
    let refused = PidFile::create(&path).unwrap_err();
    assert_eq!(refused.code, DaemonErrorCode::AlreadyRunning);
    lock.release().unwrap();
}

#[test]
fn w11_one_that_a_dead_process_left_is_no_obstacle() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("daemon.pid");
    for left in ["4194304", "1", "", "garbage", "99999999999999999999"] {
        fs::write(&path, left).unwrap();
        let file = PidFile::create(&path).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), own_pid().to_string(), "{left:?}");
        file.remove().unwrap();
    }
}

#[test]
fn w12_the_lock_and_the_pid_file_may_be_one_file() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("daemon.lock");

    let lock = DaemonLock::acquire(&path).unwrap();
    let pid = PidFile::create(&path).unwrap();
    assert!(PidFile::create(&path).unwrap_err().is_already_running(), "but only once as each");
    assert!(DaemonLock::acquire(&path).unwrap_err().is_already_running());
    lock.release().unwrap();
    assert!(is_daemon_alive(&path), "the PID file needs it still");
    pid.remove().unwrap();
    assert!(!exists(&path));

    let pid = PidFile::create(&path).unwrap();
    let lock = DaemonLock::acquire(&path).unwrap();
    pid.remove().unwrap();
    assert!(is_daemon_alive(&path));
    assert_eq!(read_lock_pid(&path), Some(own_pid()));
    lock.release().unwrap();
    assert!(!exists(&path));
}

#[cfg(unix)]
#[test]
fn one_that_cannot_be_written_is_told_of() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("daemon.pid");
    symlink("elsewhere", &path).unwrap();
    let refused = PidFile::create(&path).unwrap_err();
    assert_eq!(refused.code, DaemonErrorCode::PidError);
    assert!(refused.message.starts_with("Failed to write PID file: the lock file is a symbolic link"), "{refused}");
    let refused = PidFile::create("/proc/daemon.pid").unwrap_err();
    assert_eq!(refused.code, DaemonErrorCode::PidError);
    assert!(refused.io_kind().is_some(), "{refused:?}");
}

#[test]
fn w14_one_that_holds_anothers_pid_by_now_stays() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("daemon.pid");
    let file = PidFile::create(&path).unwrap();
    fs::write(&path, "1").unwrap();
    file.remove().unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "1");
}
