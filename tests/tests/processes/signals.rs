use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt};
use tests::{Program, Signal, Source};

use super::{Result, SOON, SUBJECT, Subject};

/// How far apart two signals must be for the second to force.
pub(super) const APART: Duration = Duration::from_millis(550);

#[test]
fn sigterm_and_sigint_stop() -> Result {
    for (signal, name) in [(Signal::TERM, "SIGTERM"), (Signal::INT, "SIGINT")] {
        let subject = Subject::start("calm/idle", &[])?;
        subject.started()?;
        subject.signal(signal)?;
        let ended = subject.ends()?;
        assert_eq!(ended.code, Some(0), "{ended:#?}");
        assert_eq!(ended.report().cause, name);
        assert!(ended.report().is_clean(), "{ended:#?}");
    }
    Ok(())
}

#[test]
fn a_second_signal_half_a_second_later_forces() -> Result {
    for (second, code) in [(Signal::TERM, 128 + 15), (Signal::INT, 128 + 2)] {
        let subject = Subject::start("calm/slow-stop", &[])?;
        subject.started()?;
        subject.signal(Signal::TERM)?;
        subject.says("cleaning up")?;
        std::thread::sleep(APART);
        subject.signal(second)?;
        let ended = subject.ends()?;
        assert_eq!(ended.code, Some(code), "{ended:#?}");
        assert_eq!(ended.said("cleaned up"), 0, "it was forced: {ended:#?}");
        assert!(ended.after < Duration::from_secs(2), "{ended:#?}");
        let report = ended.report();
        assert_eq!(i32::from(report.exit_code), code);
        assert_eq!(report.daemons[0].cut[0].work, "cleanup", "{ended:#?}");
    }
    Ok(())
}

#[test]
fn two_signals_a_moment_apart_are_one() -> Result {
    let subject = Subject::start("calm/slow-stop", &[])?;
    subject.started()?;
    subject.signal(Signal::INT)?;
    std::thread::sleep(Duration::from_millis(1));
    subject.signal(Signal::TERM)?;
    let ended = subject.ends()?;
    assert_eq!((ended.code, ended.said("cleaned up")), (Some(0), 1), "{ended:#?}");
    assert!(!ended.err.contains("waiting for"), "nobody watches the seconds where there is no terminal: {ended:#?}");
    Ok(())
}

#[test]
fn a_signal_during_start_cancels_it_and_cleans_up() -> Result {
    let subject = Subject::start("calm/slow-start", &[])?;
    subject.says("initialising")?;
    subject.signal(Signal::TERM)?;
    let ended = subject.ends()?;
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert_eq!(ended.said("cleaned up"), 1, "{ended:#?}");
    assert_eq!(ended.said("started too early"), 0, "{ended:#?}");
    let report = ended.report();
    assert!(report.is_clean(), "{ended:#?}");
    for (name, started) in [("idle", true), ("slow-start", false), ("later", false)] {
        let started_ms = report.daemon(name).and_then(|daemon| daemon.started_ms);
        assert_eq!(started_ms.is_some(), started, "{name}: {ended:#?}");
    }
    Ok(())
}

/// A terminal of which nobody is the session yet: its far end, and the end for a process.
fn terminal() -> Result<(OwnedFd, OwnedFd)> {
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let far = openpt(flags)?;
    grantpt(&far)?;
    unlockpt(&far)?;
    let near = ioctl_tiocgptpeer(&far, flags)?;
    Ok((far, near))
}

/// Starts programs whose controlling terminal is their standard input.
fn on_terminal(near: OwnedFd) -> Program {
    Program::new("setsid").args(["--ctty"]).stdin(near)
}

#[test]
fn the_hang_up_of_its_terminal_stops() -> Result {
    let (far, near) = terminal()?;
    let subject = Subject::start_by(on_terminal(near).args([SUBJECT]), "calm/idle", &[])?;
    subject.started()?;
    drop(far);
    let ended = subject.ends()?;
    assert_eq!((ended.code, &*ended.report().cause), (Some(0), "SIGHUP"), "{ended:#?}");
    assert!(ended.report().is_clean(), "{ended:#?}");
    Ok(())
}

#[test]
fn ctrl_c_on_a_terminal_stops_and_says_whom_it_waits_for() -> Result {
    let (far, near) = terminal()?;
    let on_screen = "exec \"$@\" 2>&0"; // standard error goes where standard input comes from
    let program = on_terminal(near).args(["sh", "-c", on_screen, "sh", SUBJECT]);
    let subject = Subject::start_by(program, "calm/slow-stop", &[])?;
    let (mut screen, mut keyboard) = (Screen::of(far.try_clone()?.into()), std::fs::File::from(far));
    screen.shows("subject started")?;
    keyboard.write_all(b"\x03")?;
    subject.says("cleaning up")?;
    screen.shows("s left; waiting for slow-stop")?;
    screen.shows("exit code 0")?;
    let ended = subject.ends()?;
    assert_eq!((ended.code, &*ended.report().cause), (Some(0), "SIGINT"), "{ended:#?}");
    Ok(())
}

#[test]
fn a_quiet_one_does_not_count_the_seconds_on_a_terminal_either() -> Result {
    let (far, near) = terminal()?;
    let program = on_terminal(near).args(["sh", "-c", "exec \"$@\" 2>&0", "sh", SUBJECT]);
    let subject = Subject::start_by(program, "calm/slow-stop", &["--quiet", "yes", "--settled", "settled"])?;
    let screen = Screen::of(far.into());
    subject.running.wait_for_line(Source::Stdout, SOON, |line| line.starts_with("settled: "))?;
    subject.signal(Signal::TERM)?;
    let ended = subject.ends()?;
    assert_eq!((ended.code, ended.said("cleaned up")), (Some(0), 1), "{ended:#?}");
    assert_eq!(screen.rest()?, "");
    Ok(())
}

#[test]
fn a_terminal_that_is_held_still_holds_up_no_stop() -> Result {
    let (far, near) = terminal()?;
    let program = on_terminal(near).args(["sh", "-c", "exec \"$@\" 2>&0", "sh", SUBJECT]);
    let subject = Subject::start_by(program, "calm/slow-stop", &["--budget", "4500"])?;
    let (mut screen, mut keyboard) = (Screen::of(far.try_clone()?.into()), std::fs::File::from(far));
    screen.shows("subject started")?;
    keyboard.write_all(b"\x13")?; // Ctrl-S: who writes to it waits
    subject.signal(Signal::TERM)?;
    let ended = subject.ends()?;
    assert_eq!((ended.code, ended.said("cleaned up")), (Some(0), 1), "{ended:#?}");
    assert!(ended.report().is_clean() && ended.after < Duration::from_millis(4_500 + 250 + 1_000), "{ended:#?}");
    Ok(())
}

/// What a terminal shows.
struct Screen {
    shown: String,
    chunks: mpsc::Receiver<String>,
}

impl Screen {
    fn of(mut far: std::fs::File) -> Self {
        let (sender, chunks) = mpsc::channel();
        std::thread::spawn(move || {
            let mut bytes = [0; 1024];
            // It fails once nobody has the near end any more.
            while let Ok(count @ 1..) = far.read(&mut bytes) {
                let text = String::from_utf8_lossy(&bytes[..count]).into_owned();
                if sender.send(text).is_err() {
                    return;
                }
            }
        });
        Self { shown: String::new(), chunks }
    }

    /// Waits until nothing more can come, and returns all that it has shown.
    fn rest(mut self) -> Result<String> {
        let deadline = Instant::now() + SOON;
        loop {
            match self.chunks.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(more) => self.shown.push_str(&more),
                Err(mpsc::RecvTimeoutError::Disconnected) => return Ok(self.shown),
                Err(late) => return Err(format!("{late}: {:?}", self.shown).into()),
            }
        }
    }

    /// Waits until it has shown this.
    fn shows(&mut self, text: &str) -> Result {
        let deadline = Instant::now() + SOON;
        while !self.shown.contains(text) {
            let left = deadline.saturating_duration_since(Instant::now());
            let more = self.chunks.recv_timeout(left).map_err(|_| format!("no {text:?} in {:?}", self.shown))?;
            self.shown.push_str(&more);
        }
        Ok(())
    }
}

#[test]
fn a_hang_up_never_forces() -> Result {
    let (_far, near) = terminal()?;
    let subject = Subject::start_by(on_terminal(near).args([SUBJECT]), "calm/slow-stop", &[])?;
    subject.started()?;
    subject.signal(Signal::HUP)?;
    subject.says("cleaning up")?;
    std::thread::sleep(APART);
    subject.signal(Signal::HUP)?;
    let ended = subject.ends()?;
    assert_eq!((ended.code, ended.said("cleaned up")), (Some(0), 1), "{ended:#?}");
    Ok(())
}

#[test]
fn under_nohup_a_hang_up_is_nothing() -> Result {
    let (_far, near) = terminal()?;
    let subject = Subject::start_by(on_terminal(near).args(["nohup", SUBJECT]), "calm/idle", &[])?;
    subject.started()?;
    assert!(ignores_hang_up(&subject)?, "the host must leave it ignored");
    subject.signal(Signal::HUP)?;
    subject.signal(Signal::TERM)?;
    let ended = subject.ends()?;
    assert_eq!((ended.code, &*ended.report().cause), (Some(0), "SIGTERM"), "{ended:#?}");
    Ok(())
}

/// Whether the system drops SIGHUP before the process sees it; see proc(5).
fn ignores_hang_up(subject: &Subject) -> Result<bool> {
    let path = format!("/proc/{}/status", subject.running.pid().as_raw_nonzero());
    let status = std::fs::read_to_string(path)?;
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).ok_or("no SigIgn")?;
    Ok(u64::from_str_radix(ignored.trim(), 16)? & 1 == 1)
}

#[test]
fn a_forced_exit_runs_no_destructor_on_the_main_thread() -> Result {
    let subject = Subject::start("stuck/unstarted-drop", &[])?;
    subject.says("stuck")?;
    subject.signal(Signal::TERM)?;
    subject.says("cleaning up")?;
    std::thread::sleep(APART);
    let forced = Instant::now();
    subject.signal(Signal::TERM)?;
    let ended = subject.ends()?;
    assert_eq!(ended.code, Some(128 + 15), "{ended:#?}");
    assert!(forced.elapsed() < Duration::from_secs(2), "{ended:#?}");
    Ok(())
}

#[test]
fn the_main_thread_wakes_no_future_of_a_user() -> Result {
    let subject = Subject::start("calm/waiting", &[])?;
    subject.says("initialising")?;
    subject.says("waiting")?;
    subject.signal(Signal::TERM)?;
    let ended = subject.ends()?;
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    let woken: Vec<_> = ended.out.lines().filter(|line| line.starts_with("woken by")).collect();
    assert!(!woken.is_empty() && woken.iter().all(|line| *line == "woken by Some(\"daemon\")"), "{ended:#?}");
    Ok(())
}

#[test]
fn the_receipt_comes_before_the_report() -> Result {
    let subject = Subject::start("calm/idle", &[])?;
    subject.started()?;
    subject.running.wait_for_line(Source::Stderr, SOON, |line| line.contains("running"))?;
    subject.signal(Signal::TERM)?;
    let ended = subject.ends()?;
    let (started, stopped) = (ended.err.find("subject started"), ended.err.find("subject stopped"));
    assert!(started.is_some() && started < stopped, "{ended:#?}");
    Ok(())
}
