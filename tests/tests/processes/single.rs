//! One instance: what a second one does, and what a first one leaves behind, however it ends.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};

use daemon_core::Settled;
use daemon_core::instance::{is_daemon_alive, read_lock_pid};
use tests::{Program, Running, Signal, Source, TempDir};

use super::{Result, SOON, SUBJECT, Subject};

/// Where the instances of one test meet.
struct Place(TempDir);

impl Place {
    fn new() -> Result<Self> {
        Ok(Self(TempDir::new()?))
    }

    fn program(&self) -> Program {
        Program::new(SUBJECT).runtime_dir(self.0.path())
    }

    fn start(&self, kind: &str, options: &[&str]) -> Result<Subject> {
        Subject::start_by(self.program(), kind, options)
    }

    /// Starts one that runs.
    fn runs(&self) -> Result<Subject> {
        let subject = self.start("calm/idle", &[])?;
        subject.started()?;
        Ok(subject)
    }

    fn lock(&self) -> PathBuf {
        self.0.path().join("subject/daemon.lock")
    }

    fn pid_file(&self) -> PathBuf {
        self.0.path().join("subject/daemon.pid")
    }

    /// What is in the directory of the instance.
    fn left(&self) -> Result<Vec<String>> {
        let entries = std::fs::read_dir(self.0.path().join("subject"))?;
        let name = |entry: std::io::Result<std::fs::DirEntry>| Ok(entry?.file_name().to_string_lossy().into_owned());
        let mut names = entries.map(name).collect::<Result<Vec<_>>>()?;
        names.sort();
        Ok(names)
    }
}

fn pid(of: &Subject) -> u32 {
    of.running.pid().as_raw_pid().cast_unsigned()
}

/// Expects that the lock and the PID file are those of this one.
#[track_caller]
fn assert_has(place: &Place, subject: &Subject) {
    let text = |file| std::fs::read_to_string(file).ok();
    assert_eq!(text(place.lock()), Some(format!("{}\n", pid(subject))));
    assert_eq!(text(place.pid_file()), Some(pid(subject).to_string()));
    assert!(is_daemon_alive(place.lock()));
}

#[test]
fn a_second_instance_ends_at_once_and_names_the_first() -> Result {
    let place = Place::new()?;
    let first = place.runs()?;
    assert_has(&place, &first);
    let mut second = place.start("calm/idle", &[])?;
    assert_eq!(second.running.wait(SOON)?.code(), Some(69));
    let told = second.running.text(Source::Stderr);
    let lock = place.lock();
    let expected =
        format!("Daemon \"subject\" is already running with PID {}; its lock is {}\n", pid(&first), lock.display());
    assert_eq!(told, expected);
    assert!(!second.dir.path().join("report.json").exists(), "the report is the first one's to write");
    assert_has(&place, &first);
    first.signal(Signal::TERM)?;
    assert_eq!(first.ends()?.code, Some(0));
    assert!(place.left()?.is_empty(), "{:?}", place.left()?);
    Ok(())
}

#[test]
fn a_second_instance_ends_also_if_it_can_tell_nobody() -> Result {
    let place = Place::new()?;
    let first = place.runs()?;
    let mut second = place.program().args(["stuck/locked-stderr"]).start()?;
    assert_eq!(second.wait(SOON)?.code(), Some(69));
    first.signal(Signal::TERM)?;
    assert_eq!(first.ends()?.code, Some(0));
    Ok(())
}

#[test]
fn another_directory_is_another_instance() -> Result {
    let (one, other) = (Place::new()?, Place::new()?);
    let (one, other) = (one.runs()?, other.runs()?);
    for subject in [one, other] {
        subject.signal(Signal::TERM)?;
        assert_eq!(subject.ends()?.code, Some(0));
    }
    Ok(())
}

#[test]
fn w11_after_kill_9_the_next_one_starts_at_once() -> Result {
    let place = Place::new()?;
    for _ in 0..3 {
        let subject = place.runs()?;
        assert_has(&place, &subject);
        subject.signal(Signal::KILL)?;
        let mut running = subject.running;
        running.wait(SOON)?;
        assert_eq!(place.left()?, ["daemon.lock", "daemon.pid"], "nobody was there to remove them");
        assert!(!is_daemon_alive(place.lock()) && read_lock_pid(place.lock()).is_some());
    }
    let last = place.runs()?;
    last.signal(Signal::TERM)?;
    assert_eq!(last.ends()?.code, Some(0));
    assert!(place.left()?.is_empty());
    Ok(())
}

#[test]
fn w16_the_lock_is_held_until_the_end_however_it_comes() -> Result {
    for (kind, stuck, budget, code) in [
        ("faulty/start", None, "25000", 1),
        ("stuck/cleanup", Some("stuck"), "500", 75),
        ("stuck/workers", Some("stuck"), "500", 75),
    ] {
        let place = Place::new()?;
        let subject = place.start(kind, &["--budget", budget])?;
        if let Some(stuck) = stuck {
            subject.says(stuck)?;
            assert_has(&place, &subject);
            subject.signal(Signal::TERM)?;
            assert_eq!(place.start("calm/idle", &[])?.running.wait(SOON)?.code(), Some(69), "{kind}: it still ends");
        }
        assert_eq!(subject.ends()?.code, Some(code), "{kind}");
        assert!(place.left()?.is_empty(), "{kind}: {:?}", place.left()?);
    }
    Ok(())
}

/// What `on_settled` was told, which is said once.
fn settled(subject: &Subject) -> Result<Settled> {
    let line = subject.running.wait_for_line(Source::Stdout, SOON, |line| line.starts_with("told: "))?;
    Ok(serde_json::from_str(&line["told: ".len()..])?)
}

#[test]
fn who_waits_for_a_start_is_told_once_what_it_came_to() -> Result {
    let (place, told) = (Place::new()?, ["--settled", "told"]);
    let winner = place.start("calm/idle", &told)?;
    let Settled::Running(start) = settled(&winner)? else { panic!("it runs") };
    assert!(start.started && start.daemons.len() == 1);

    let loser = place.start("calm/idle", &told)?;
    let Settled::AlreadyRunning { message, pid: named } = settled(&loser)? else { panic!("another runs") };
    assert_eq!(named, Some(pid(&winner)));
    assert!(message.contains("is already running with PID"), "{message}");
    winner.signal(Signal::TERM)?;
    let ended = winner.ends()?;
    assert_eq!(ended.out.matches("told: ").count(), 1, "{ended:#?}");

    let fails = place.start("faulty/start", &told)?;
    let Settled::Failed(start) = settled(&fails)? else { panic!("it does not start") };
    assert!(!start.started && start.daemons.iter().any(|daemon| daemon.reason.is_some()));
    assert_eq!(fails.ends()?.code, Some(1));

    let refused = place.start("calm/idle", &["--settled", "told", "--lock", "/proc/daemon.lock"])?;
    let Settled::Refused { message } = settled(&refused)? else { panic!("it has no lock") };
    assert!(message.contains("cannot have its lock"), "{message}");
    Ok(())
}

#[test]
fn a_panic_of_who_waits_for_a_start_is_told_and_changes_nothing() -> Result {
    let place = Place::new()?;
    let told = ["--settled", "panics"];
    let panicked = "what `on_settled` was given panicked";
    let winner = place.start("calm/idle", &told)?;
    winner.started()?;
    winner.running.wait_for_line(Source::Stderr, SOON, |line| line.contains(panicked))?;
    let mut loser = place.start("calm/idle", &told)?;
    assert_eq!(loser.running.wait(SOON)?.code(), Some(69));
    let said = loser.running.text(Source::Stderr);
    assert!(said.contains("is already running with PID") && said.contains(panicked), "{said}");
    winner.signal(Signal::TERM)?;
    let ended = winner.ends()?;
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert!(ended.err.contains("exit code 0"), "{ended:#?}");
    Ok(())
}

#[test]
fn who_waits_for_a_start_is_told_before_the_process_ends() -> Result {
    let ended = Subject::start("faulty/start", &["--settled", "slowly"])?.ends()?;
    assert!(ended.code == Some(1) && ended.out.contains("slowly: {"), "{ended:#?}");

    // Also if there is nothing else to say.
    let subject = Subject::start("calm/ticking", &["--settled", "slowly", "--quiet", "yes"])?;
    subject.says("tick 1")?;
    subject.signal(Signal::TERM)?;
    let ended = subject.ends()?;
    assert!(ended.code == Some(0) && ended.out.contains("slowly: {") && ended.err.is_empty(), "{ended:#?}");
    Ok(())
}

#[test]
fn of_many_hosts_that_start_at_once_one_runs() -> Result {
    let place = Place::new()?;
    let mut all: Vec<_> = (0..8).map(|_| place.start("calm/idle", &[])).collect::<Result<_>>()?;
    let said = |subject: &Subject| {
        let line = subject.running.wait_for_line(Source::Stderr, SOON, |line| {
            line.starts_with("subject started") || line.contains("is already running with PID ")
        });
        line.map(|line| line.starts_with("subject started"))
    };
    let runs: Vec<bool> = all.iter().map(said).collect::<Result<_, _>>()?;
    let winners: Vec<_> = (0..all.len()).filter(|at| runs[*at]).collect();
    let [winner] = *winners else { panic!("{} run", winners.len()) };
    let winner = all.swap_remove(winner);
    let named = format!("is already running with PID {};", pid(&winner));
    for mut loser in all {
        assert_eq!(loser.running.wait(SOON)?.code(), Some(69));
        assert!(loser.running.text(Source::Stderr).contains(&named));
    }
    winner.signal(Signal::TERM)?;
    assert_eq!(winner.ends()?.code, Some(0));
    Ok(())
}

#[test]
fn a_lock_that_cannot_be_had_is_told_of_with_1() -> Result {
    let place = Place::new()?;
    let elsewhere = TempDir::new()?;
    let dir = place.0.path().join("subject");
    symlink(elsewhere.path(), &dir)?;
    refused(&place, &[], &format!("has no place for its lock: {} is a symbolic link; remove it", dir.display()))?;
    std::fs::remove_file(&dir)?;
    std::fs::create_dir(&dir)?;
    std::fs::set_permissions(&dir, std::fs::Permissions::from_mode(0o777))?;
    refused(&place, &[], "can be written to by others; forbid it: chmod go-w")?;
    std::fs::set_permissions(&dir, std::fs::Permissions::from_mode(0o700))?;

    symlink("/etc/passwd", place.lock())?;
    refused(&place, &[], "cannot have its lock: the lock file is a symbolic link, which is not followed; remove it")?;
    std::fs::remove_file(place.lock())?;
    std::fs::create_dir(place.pid_file())?;
    refused(&place, &[], "Failed to write PID file: the lock file is a directory; remove it")?;
    assert_eq!(place.left()?, ["daemon.pid"], "the lock is not kept");
    refused(&place, &["--lock", "/proc/daemon.lock"], "Failed to open lock file: ")?;
    Ok(())
}

/// Expects that a host is refused, for this reason.
#[track_caller]
fn refused(place: &Place, options: &[&str], why: &str) -> Result {
    let ended = place.start("calm/idle", options)?.ends()?;
    assert_eq!(ended.code, Some(1), "{ended:#?}");
    assert!(ended.err.contains(why), "{why}: {ended:#?}");
    Ok(())
}

#[test]
fn a_lock_and_a_pid_file_can_be_somewhere_else() -> Result {
    let (place, dir) = (Place::new()?, TempDir::new()?);
    let (lock, pid_file) = (dir.path().join("my.lock"), dir.path().join("my.pid"));
    let options = ["--lock", lock.to_str().unwrap(), "--pid-file", pid_file.to_str().unwrap()];
    let subject = place.start("calm/idle", &options)?;
    subject.started()?;
    assert_eq!((read_lock_pid(&lock), read_lock_pid(&pid_file)), (Some(pid(&subject)), Some(pid(&subject))));
    assert!(!place.0.path().join("subject").exists(), "none of its usual files");
    subject.signal(Signal::TERM)?;
    assert_eq!(subject.ends()?.code, Some(0));
    assert!(!lock.exists() && !pid_file.exists());
    Ok(())
}

#[test]
fn under_a_service_manager_the_files_are_in_its_directory() -> Result {
    let (place, dir) = (Place::new()?, TempDir::new()?);
    let given = dir.path().join("subject");
    std::fs::create_dir(&given)?;
    let program = Program::new("env").runtime_dir(place.0.path());
    let variable = format!("RUNTIME_DIRECTORY={}", given.display());
    let subject = Subject::start_by(program.args([&*variable, SUBJECT]), "calm/idle", &[])?;
    subject.started()?;
    assert!(given.join("daemon.lock").exists() && !place.lock().exists());
    subject.signal(Signal::TERM)?;
    assert_eq!(subject.ends()?.code, Some(0));
    Ok(())
}

#[test]
fn w20_whatever_the_umask_the_files_are_closed_to_others() -> Result {
    let place = Place::new()?;
    let program = Program::new("sh").runtime_dir(place.0.path());
    let subject = Subject::start_by(program.args(["-c", "umask 0; exec \"$0\" \"$@\"", SUBJECT]), "calm/idle", &[])?;
    subject.started()?;
    let mode = |path: &Path| std::fs::metadata(path).map(|data| data.permissions().mode() & 0o777);
    assert_eq!(mode(&place.0.path().join("subject"))?, 0o700);
    assert_eq!((mode(&place.lock())?, mode(&place.pid_file())?), (0o644, 0o644));
    subject.signal(Signal::TERM)?;
    assert_eq!(subject.ends()?.code, Some(0));
    Ok(())
}

#[test]
fn w20_a_directory_that_others_can_write_to_is_no_place_for_the_lock() -> Result {
    let place = Place::new()?;
    let dir = place.0.path().join("subject");
    std::fs::create_dir(&dir)?;
    std::fs::set_permissions(&dir, std::fs::Permissions::from_mode(0o777))?;
    let ended = place.start("calm/idle", &[])?.ends()?;
    assert_eq!(ended.code, Some(1), "{ended:#?}");
    assert!(ended.err.contains("can be written to by others"), "{ended:#?}");
    Ok(())
}

/// A process that is started by hand.
fn by_hand(place: &Place, kind: &str) -> Result<Running> {
    let running = place.program().args([kind]).start()?;
    running.wait_for_line(Source::Stdout, SOON, |line| line == "running")?;
    assert_eq!(read_lock_pid(place.pid_file()), Some(running.pid().as_raw_pid().cast_unsigned()));
    Ok(running)
}

#[test]
fn w15_a_process_started_by_hand_ends_as_soon_as_it_has_stopped() -> Result {
    let place = Place::new()?;
    for (kind, end) in
        [("process/idle", Some(Signal::TERM)), ("process/idle", Some(Signal::INT)), ("process/idle", None)]
    {
        let mut running = by_hand(&place, kind)?;
        match end {
            Some(signal) => running.signal(signal)?,
            None => running.write(b"stop\n")?,
        }
        let status = running.wait(SOON)?; // its shutdown timeout is an hour
        assert_eq!((status.code(), &*running.text(Source::Stdout)), (Some(0), "running\nclosed\n"), "{end:?}");
        assert!(place.left()?.is_empty());
    }
    Ok(())
}

#[test]
fn w16_work_of_its_own_does_not_keep_a_process_alive() -> Result {
    let place = Place::new()?;
    let mut running = by_hand(&place, "process/busy")?;
    running.signal(Signal::TERM)?;
    assert_eq!(running.wait(SOON)?.code(), Some(0));
    let mut running = by_hand(&place, "process/overruns")?;
    running.signal(Signal::TERM)?;
    assert_eq!(running.wait(SOON)?.code(), Some(1));
    let said = running.text(Source::Stdout);
    assert!(said.ends_with("SHUTDOWN_TIMEOUT: Shutdown handlers exceeded timeout of 300ms\n"), "{said}");
    assert!(place.left()?.is_empty());
    Ok(())
}

#[test]
fn a_signal_of_an_earlier_run_does_not_make_that_of_the_next_a_second_one() -> Result {
    let place = Place::new()?;
    let mut running = by_hand(&place, "process/starts-again")?;
    running.signal(Signal::TERM)?;
    running.wait_for_line(Source::Stdout, SOON, |line| line == "running again")?;
    std::thread::sleep(super::signals::APART);
    assert!(running.wait(std::time::Duration::from_millis(1)).is_err(), "it is not told of once more either");
    running.signal(Signal::TERM)?;
    assert_eq!(running.wait(SOON)?.code(), Some(0));
    assert!(place.left()?.is_empty());
    Ok(())
}

#[test]
fn a_signal_ends_a_process_started_by_hand_that_is_stopped() -> Result {
    let place = Place::new()?;
    let mut running = by_hand(&place, "process/stays")?;
    running.write(b"stop\n")?;
    running.wait_for_line(Source::Stdout, SOON, |line| line == "stopped")?;
    running.signal(Signal::TERM)?;
    assert_eq!(running.wait(SOON)?.code(), Some(128 + 15));
    Ok(())
}

#[test]
fn a_process_started_by_hand_leaves_signals_alone_if_it_is_told_to() -> Result {
    let place = Place::new()?;
    let mut running = by_hand(&place, "process/without-signals")?;
    running.signal(Signal::TERM)?;
    assert_eq!(running.wait(SOON)?.signal(), Some(15), "nobody listens to it");
    Ok(())
}

#[test]
fn w17_a_second_signal_ends_a_process_started_by_hand() -> Result {
    let place = Place::new()?;
    let mut running = by_hand(&place, "process/never-ends")?;
    running.signal(Signal::TERM)?;
    running.wait_for_line(Source::Stdout, SOON, |line| line == "closing")?;
    std::thread::sleep(super::signals::APART);
    running.signal(Signal::INT)?;
    assert_eq!(running.wait(SOON)?.code(), Some(128 + 2));
    assert!(place.left()?.is_empty());
    Ok(())
}

#[test]
fn w19_a_hang_up_without_a_terminal_kills_nobody() -> Result {
    let place = Place::new()?;
    for (kind, runs) in [("calm/idle", Source::Stderr), ("process/idle", Source::Stdout)] {
        let program = Program::new("setsid").runtime_dir(place.0.path()).args([SUBJECT, kind]);
        let mut running = program.env("RUST_LOG", "info").start()?;
        running.wait_for_line(runs, SOON, |line| line.starts_with("subject started") || line == "running")?;
        running.signal(Signal::HUP)?;
        if kind == "calm/idle" {
            running.wait_for_line(Source::Stderr, SOON, |line| line.contains("reload"))?;
        } else {
            running.wait_for_line(Source::Stdout, SOON, |line| line == "reloaded")?;
        }
        running.signal(Signal::TERM)?;
        assert_eq!(running.wait(SOON)?.code(), Some(0), "{kind}");
        assert!(place.left()?.is_empty());
    }
    Ok(())
}
