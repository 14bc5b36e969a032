//! What goes wrong in a daemon, and how far that reaches: into its health, its life, its next life, the end of its host.

#![expect(clippy::unwrap_used, reason = "a test states what it expects")]

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, mpsc};

use daemon_core::{Context, DaemonBase, Event, Host, HostHandle, Result, State, daemon};

mod log;
mod probe;

use probe::{S, until};

/// Asks for something that goes well, or does not.
#[derive(Event)]
#[event("faulty:asked", local)]
struct Asked(bool);

fn outcome(is_well: bool) -> Result<()> {
    if is_well { Ok(()) } else { Err("it went wrong".into()) }
}

#[daemon(name = "patient")]
struct Patient;

#[daemon]
impl Patient {
    #[on_event]
    fn asked(&self, event: &Asked) -> Result<()> {
        outcome(event.0)
    }
}

impl DaemonBase for Patient {}

/// Asks, and waits for the answer, whatever it is.
async fn ask(handle: &HostHandle, well: &[bool]) {
    for is_well in well {
        assert_eq!(handle.publish_and_wait(Asked(*is_well)).await.is_ok(), *is_well);
    }
}

#[tokio::test(start_paused = true)]
async fn three_failures_in_a_row_degrade_and_not_three_in_all() {
    let host = Host::new("t").daemon(Patient).start().await.unwrap();
    let handle = host.handle();
    let degraded = || handle.status().daemon("patient").unwrap().degraded.clone();
    ask(&handle, &[false, false, true, false, false, true, false]).await;
    assert!(degraded().is_empty(), "{:?}", degraded());
    ask(&handle, &[false, false]).await;
    assert_eq!(degraded(), ["`asked` fails on and on"]);
    ask(&handle, &[true]).await;
    assert!(degraded().is_empty(), "one success is enough");
    ask(&handle, &[false, false, false]).await;
    assert_eq!(degraded(), ["`asked` fails on and on"]);
    handle.restart_daemon("patient").await.unwrap();
    assert!(degraded().is_empty(), "the next life has not failed yet");
    assert_eq!(handle.status().daemon("patient").unwrap().errors, 10, "but what was counted stays");
    assert!(host.shutdown().await.unwrap().is_clean());
}

/// Its ticks fail as often as it says.
#[daemon(name = "sickly", no_handlers)]
struct Sickly(u32);

impl DaemonBase for Sickly {
    async fn initialize(&self, cx: &Context) -> Result<()> {
        let (failures, ticks) = (self.0, AtomicU32::new(0));
        let is_well = move || ticks.fetch_add(1, Ordering::Relaxed) >= failures;
        cx.register_interval("tick", S(1), move || std::future::ready(outcome(is_well())))?;
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn what_fails_on_and_on_is_told_of_once_and_so_is_its_recovery() {
    for (failures, times) in [(2, 0), (3, 1), (5, 1)] {
        let (log, _listening) = log::listen();
        let host = Host::new("t").daemon(Patient).daemon(Sickly(failures)).start().await.unwrap();
        let handle = host.handle();
        let told = |work: &str| {
            let told = |what: &str| {
                let text = log.text();
                text.lines().filter(|line| line.contains(what) && line.contains(&format!("work=\"{work}\""))).count()
            };
            (told("degraded: it failed 3 times in a row"), told("recovered"))
        };
        let degraded = |name: &str| handle.status().daemon(name).unwrap().degraded.clone();
        ask(&handle, &vec![false; failures as usize]).await;
        until("the failures", || handle.status().daemon("sickly").unwrap().errors == u64::from(failures)).await;
        for (name, work) in [("patient", "asked"), ("sickly", "tick")] {
            assert_eq!(degraded(name), vec![format!("`{work}` fails on and on"); times], "{failures}");
            assert_eq!(told(work), (times, 0), "{failures}: {}", log.text());
        }
        ask(&handle, &[true, true]).await;
        tokio::time::sleep(S(3)).await;
        for (name, work) in [("patient", "asked"), ("sickly", "tick")] {
            assert!(degraded(name).is_empty());
            assert_eq!(told(work), (times, times), "{failures}: {}", log.text());
        }
        assert!(host.shutdown().await.unwrap().is_clean());
    }
}

/// A handler and a tick that each decide about the life of their daemon.
macro_rules! decisive {
    ($ty:ident, $name:literal, $on_error:ident) => {
        #[daemon(name = $name, optional)]
        struct $ty(Arc<AtomicU32>);

        #[daemon]
        impl $ty {
            #[on_event(on_error = $on_error)]
            fn asked(&self, event: &Asked) -> Result<()> {
                outcome(event.0)
            }

            #[every("1h", on_error = $on_error)]
            fn tick(&self) -> Result<()> {
                outcome(false)
            }
        }

        impl DaemonBase for $ty {
            async fn initialize(&self, _cx: &Context) -> Result<()> {
                self.0.fetch_add(1, Ordering::Relaxed);
                Ok(())
            }
        }
    };
}
decisive!(Restarts, "restarts", restart);
decisive!(Fails, "fails", fail);

#[tokio::test(start_paused = true)]
async fn a_failure_of_a_handler_or_a_tick_decides_about_its_daemon_as_it_says() {
    for by_tick in [false, true] {
        let lives = [(); 2].map(|()| Arc::new(AtomicU32::new(0)));
        let host =
            Host::new("t").daemon(Restarts(lives[0].clone())).daemon(Fails(lives[1].clone())).start().await.unwrap();
        let handle = host.handle();
        let what = if by_tick {
            for name in ["restarts", "fails"] {
                handle.run_interval(name, "tick").unwrap();
            }
            "`tick`"
        } else {
            handle.publish(Asked(false)).await.unwrap();
            "`asked`"
        };
        until("the second life", || lives[0].load(Ordering::Relaxed) == 2).await;
        until("the end", || handle.status().daemon("fails").unwrap().state == State::Failed).await;
        tokio::time::sleep(S(120)).await;
        assert_eq!(lives.each_ref().map(|lives| lives.load(Ordering::Relaxed)), [2, 1], "by {what}");
        let report = host.shutdown().await.unwrap();
        let reason = report.daemon("fails").unwrap().reason.clone().unwrap();
        assert_eq!((reason, report.exit_code), (format!("{what} failed: it went wrong"), 0), "{report}");
    }
}

/// Cleans up badly so often.
#[daemon(name = "untidy", no_handlers)]
struct Untidy(AtomicU32);

impl DaemonBase for Untidy {
    async fn cleanup(&self, _cx: &Context) -> Result<()> {
        let left = self.0.load(Ordering::Relaxed);
        self.0.store(left.saturating_sub(1), Ordering::Relaxed);
        outcome(left == 0)
    }
}

#[daemon(name = "unneeded", no_handlers, optional)]
struct Unneeded;

impl DaemonBase for Unneeded {
    async fn cleanup(&self, _cx: &Context) -> Result<()> {
        outcome(false)
    }
}

#[tokio::test(start_paused = true)]
async fn a_cleanup_that_fails_counts_in_the_last_life_of_a_daemon_that_the_host_requires() {
    let host = Host::new("t").daemon(Untidy(1.into())).daemon(Unneeded).start().await.unwrap();
    host.handle().restart_daemon("untidy").await.unwrap();
    let report = host.shutdown().await.unwrap();
    assert!(report.daemon("untidy").unwrap().problems.is_empty(), "another life followed: {report}");
    assert_eq!(report.daemon("unneeded").unwrap().problems, ["cleanup: it went wrong"]);
    assert_eq!(report.exit_code, 0, "the host does not require that one: {report}");

    let host = Host::new("t").daemon(Untidy(1.into())).start().await.unwrap();
    let report = host.shutdown().await.unwrap();
    assert_eq!((&*report.daemon("untidy").unwrap().problems[0], report.exit_code), ("cleanup: it went wrong", 1));
}

/// In its first life begins what blocks a thread until it is told to end.
#[daemon(name = "blocking", no_handlers, stop_timeout = "100ms")]
struct Blocking(std::sync::Mutex<Option<mpsc::Receiver<()>>>);

impl DaemonBase for Blocking {
    async fn initialize(&self, cx: &Context) -> Result<()> {
        if let Some(end) = self.0.lock().unwrap().take() {
            drop(cx.spawn_blocking("vacuum", move || end.recv().unwrap_or_default())?);
        }
        Ok(())
    }
}

#[tokio::test]
async fn a_thread_that_an_earlier_life_left_blocked_is_in_the_report() {
    let (end, told) = mpsc::channel();
    let host = Host::new("t").daemon(Blocking(Some(told).into())).start().await.unwrap();
    host.handle().restart_daemon("blocking").await.unwrap();
    let report = host.shutdown().await.unwrap();
    let cut = &report.daemon("blocking").unwrap().cut;
    let left: Vec<_> = cut.iter().filter(|cut| !cut.gone).map(|cut| &*cut.work).collect();
    assert_eq!((left, report.exit_code), (vec!["blocking work `vacuum`"], 75), "{report}");
    drop(end); // which lets go of the thread
}
