//! SIGHUP without a controlling terminal reloads.

use std::path::Path;
use std::time::Duration;

use tests::{Program, Signal, Source, TempDir};

use super::{Result, SOON, SUBJECT, Subject};

/// Starts programs without a controlling terminal, whoever runs the tests.
fn without_terminal() -> Program {
    Program::new("setsid").args([SUBJECT])
}

/// Starts a host whose settings are in this file.
fn configured(settings: &Path) -> Result<Subject> {
    let subject = Subject::start_by(without_terminal().env("SUBJECT_SETTINGS", settings), "calm/configured", &[])?;
    subject.started()?;
    Ok(subject)
}

#[test]
fn a_hang_up_without_a_terminal_reloads_and_the_process_goes_on() -> Result {
    let dir = TempDir::new()?;
    let settings = dir.path().join("settings");
    std::fs::write(&settings, "one")?;
    let subject = configured(&settings)?;
    subject.says("has one")?;
    let hang_up = |text: &str, told: &str| -> Result {
        std::fs::write(&settings, text)?;
        subject.signal(Signal::HUP)?;
        subject.running.wait_for_line(Source::Stderr, SOON, |line| line.starts_with(told))?;
        Ok(())
    };
    hang_up("two", "subject reloaded: SIGHUP")?;
    subject.says("has two")?;
    hang_up("bad", "subject refused to reload: SIGHUP")?;
    subject.signal(Signal::TERM)?;
    let ended = subject.ends()?;
    assert_eq!((ended.code, &*ended.report().cause), (Some(0), "SIGTERM"), "{ended:#?}");
    assert!(ended.err.contains("configured  refused      bad is bad"), "{ended:#?}");
    assert!(ended.out.ends_with("has two\n"), "{ended:#?}");
    Ok(())
}

#[test]
fn of_many_hang_ups_the_last_is_not_lost() -> Result {
    let dir = TempDir::new()?;
    let settings = dir.path().join("settings");
    std::fs::write(&settings, "0")?;
    let subject = configured(&settings)?;
    for number in 1..=50 {
        std::fs::write(dir.path().join("new"), number.to_string())?;
        std::fs::rename(dir.path().join("new"), &settings)?;
        subject.signal(Signal::HUP)?;
    }
    subject.says("has 50")?;
    subject.signal(Signal::TERM)?;
    assert_eq!(subject.ends()?.code, Some(0));
    Ok(())
}

#[test]
fn a_hang_up_in_a_stop_is_nothing() -> Result {
    let subject = Subject::start_by(without_terminal(), "calm/slow-stop", &[])?;
    subject.started()?;
    subject.signal(Signal::TERM)?;
    subject.says("cleaning up")?;
    subject.signal(Signal::HUP)?;
    let ended = subject.ends()?;
    assert_eq!((ended.code, ended.said("cleaned up")), (Some(0), 1), "{ended:#?}");
    assert!(!ended.err.contains("reload"), "{ended:#?}");
    Ok(())
}

#[test]
fn a_configuration_whose_loading_blocks_holds_no_stop_up_and_is_named() -> Result {
    let subject = Subject::start_by(without_terminal(), "stuck/load", &["--budget", "1000"])?;
    subject.started()?;
    subject.signal(Signal::HUP)?;
    subject.says("stuck")?;
    subject.signal(Signal::TERM)?;
    let ended = subject.ends()?;
    assert_eq!(ended.code, Some(75), "{ended:#?}");
    assert!(ended.after < Duration::from_millis(1000 + 250 + 1000), "{ended:#?}");
    let report = ended.report();
    let [cut] = &report.cut[..] else { panic!("{ended:#?}") };
    assert_eq!((&*cut.work, cut.gone, cut.blocking), ("loading of the configuration", false, true));
    assert!(report.daemons.iter().all(|daemon| daemon.cut.is_empty()), "{ended:#?}");
    assert!(ended.err.contains("  loading of the configuration has blocked a thread for "), "{ended:#?}");
    Ok(())
}

#[test]
fn a_hang_up_during_a_reload_is_followed_by_another_reload() -> Result {
    let dir = TempDir::new()?;
    let settings = dir.path().join("settings");
    std::fs::write(&settings, "one")?;
    let subject = configured(&settings)?;
    std::fs::write(&settings, "slow")?;
    subject.signal(Signal::HUP)?;
    subject.says("loading")?;
    std::fs::write(&settings, "two")?;
    subject.signal(Signal::HUP)?;
    subject.says("has two")?;
    let mut told = 0;
    let both = |line: &str| {
        told += usize::from(line.starts_with("subject reloaded: SIGHUP"));
        told == 2
    };
    subject.running.wait_for_line(Source::Stderr, SOON, both)?;
    subject.signal(Signal::TERM)?;
    let ended = subject.ends()?;
    assert_eq!((ended.code, ended.said("has slow"), ended.said("has two")), (Some(0), 1, 1), "{ended:#?}");
    Ok(())
}

#[test]
fn a_quiet_host_says_of_a_reload_only_that_it_went_wrong() -> Result {
    let dir = TempDir::new()?;
    let settings = dir.path().join("settings");
    std::fs::write(&settings, "one")?;
    let program = without_terminal().env("SUBJECT_SETTINGS", &settings);
    let subject = Subject::start_by(program, "calm/configured", &["--quiet", "yes"])?;
    subject.says("has one")?;
    std::fs::write(&settings, "two")?;
    subject.signal(Signal::HUP)?;
    subject.says("has two")?;
    std::fs::write(&settings, "bad")?;
    subject.signal(Signal::HUP)?;
    subject.running.wait_for_line(Source::Stderr, SOON, |line| line.starts_with("subject refused to reload"))?;
    subject.signal(Signal::TERM)?;
    let ended = subject.ends()?;
    assert!(ended.code == Some(0) && !ended.err.contains("subject reloaded"), "{ended:#?}");
    Ok(())
}
