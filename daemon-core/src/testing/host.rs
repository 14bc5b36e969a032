//! The host that a test drives.

use std::fmt;
use std::sync::Arc;

use super::clock;
use super::recorder::{LIMIT, Recorder};
use super::stage::TestHostBuilder;
use crate::context::HostHandle;
use crate::daemon::DaemonBase;
use crate::declaration::Declared;
use crate::duration::IntoDuration;
use crate::error::Result;
use crate::event::{Event, Overflow};
use crate::host::{self, Outside, RunningHost, ShutdownReport, StartReport};
use crate::schedule::Clock;
use crate::status::{HostStatus, IntervalStatus};
use crate::task::Faults;

/// A signal as a process gets it, on any platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Signal {
    /// SIGINT, as from Ctrl-C.
    Int,
    /// SIGTERM, as from a service manager.
    Term,
    /// SIGHUP from a controlling terminal that is gone. It stops, but never forces.
    Hup,
    /// SIGHUP where there is no controlling terminal. It reloads.
    Reload,
}

/// What [`TestHost::fail_next`] puts in the place of a call.
pub(super) fn fail() -> Result<()> {
    Err("injected by the test".into())
}

/// What [`TestHost::panic_next`] puts in the place of a call.
pub(super) fn panics() -> Result<()> {
    panic!("injected by the test")
}

/// A host under a paused clock; see the [module](crate::testing).
///
/// It ends with [`shutdown`](Self::shutdown). Dropping it while it runs is a mistake of the test, and panics.
pub struct TestHost {
    pub(super) name: String,
    /// `None` once the shutdown was asked for.
    pub(super) running: Option<RunningHost>,
    pub(super) outside: Outside,
    pub(super) recorder: Recorder,
    pub(super) faults: Arc<Faults>,
    pub(super) clock: Arc<Clock>,
}

impl TestHost {
    /// Starts a host of one daemon, under the daemon's name.
    ///
    /// # Panics
    /// If the daemon fails to start, or needs another; outside a current-thread tokio runtime.
    ///
    /// # Cancel safety
    /// If the future is dropped the host is shut down.
    pub async fn start<D: DaemonBase>(daemon: D) -> Self {
        Self::new(D::NAME).daemon(daemon).start().await
    }

    /// A host of several daemons, or with limits of its own.
    ///
    /// ```
    /// # use daemon_core::{DaemonBase, daemon, daemons, testing::TestHost};
    /// # #[daemon(no_handlers)]
    /// # #[derive(Default)]
    /// # struct Store;
    /// # impl DaemonBase for Store {}
    /// # #[daemon(requires(Store), no_handlers)]
    /// # #[derive(Default)]
    /// # struct Reader;
    /// # impl DaemonBase for Reader {}
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// let host = TestHost::new("app").daemons(daemons![Store, Reader]).stop_budget("10s").start().await;
    /// # host.shutdown().await.assert_clean();
    /// # });
    /// ```
    #[expect(clippy::new_ret_no_self, reason = "as `Host::new`, it begins an assembly; `start` ends it")]
    pub fn new(name: impl Into<String>) -> TestHostBuilder {
        TestHostBuilder::new(name.into())
    }

    fn running(&self) -> &RunningHost {
        match &self.running {
            Some(running) => running,
            None => unreachable!("only `shutdown` takes it, and takes the test host with it"),
        }
    }

    /// Lets `time` pass: each timer due in it fires in turn, and all that it sets off is done before the next one fires.
    ///
    /// It takes as long, in real time, as the work does that is set off. Work in `cx.spawn_blocking` holds it up. What is less than
    /// a millisecond is rounded up to one.
    ///
    /// # Panics
    /// If `time` is text that does not follow the grammar, or more than 100 years; if no time passes for ten seconds of real time,
    /// since something blocks a thread or never waits.
    ///
    /// # Cancel safety
    /// What has passed has passed.
    pub async fn advance(&self, time: impl IntoDuration) {
        clock::advance(&self.handle(), clock::passage(time)).await;
    }

    /// Stops the process for `time`, as SIGSTOP does: time passes and nothing runs, then everything runs that is due.
    ///
    /// # Panics
    /// If `time` is text that does not follow the grammar, or more than 100 years; if the daemons never come to rest.
    ///
    /// # Cancel safety
    /// What has passed has passed.
    pub async fn freeze(&self, time: impl IntoDuration) {
        clock::freeze(&self.handle(), clock::passage(time)).await;
    }

    /// Lets the machine sleep for `time`: schedules and the clock on the wall go on, nothing else does, timers of tokio
    /// included. Then everything runs that is due.
    ///
    /// ```
    /// # use daemon_core::{DaemonBase, daemon, testing::TestHost};
    /// #[daemon]
    /// #[derive(Default)]
    /// struct Report;
    ///
    /// #[daemon]
    /// impl Report {
    ///     #[every("1h", missed = catch_up_once)]
    ///     fn write(&self) {}
    /// }
    ///
    /// impl DaemonBase for Report {}
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// let host = TestHost::start(Report).await;
    /// host.suspend("5h 40m").await;
    /// host.expect_ticks("write", 1);
    /// host.advance("20m").await;
    /// host.expect_ticks("write", 2);
    /// # host.shutdown().await.assert_clean();
    /// # });
    /// ```
    ///
    /// # Panics
    /// If `time` is text that does not follow the grammar, or more than 100 years; if the daemons never come to rest.
    ///
    /// # Cancel safety
    /// What has passed has passed.
    pub async fn suspend(&self, time: impl IntoDuration) {
        self.clock.suspend(clock::passage(time));
        clock::settle(&self.handle()).await;
    }

    /// Sets the clock on the wall forward by `time`; what goes by elapsed time does not care.
    ///
    /// # Panics
    /// If `time` is text that does not follow the grammar, or more than 100 years; if the daemons never come to rest.
    ///
    /// # Cancel safety
    /// The clock is set in any case.
    pub async fn step_clock_forward(&self, time: impl IntoDuration) {
        self.clock.step(clock::passage(time), true);
        clock::settle(&self.handle()).await;
    }

    /// Sets the clock on the wall back by `time`; what goes by elapsed time does not care.
    ///
    /// # Panics
    /// If `time` is text that does not follow the grammar, or more than 100 years; if the daemons never come to rest.
    ///
    /// # Cancel safety
    /// The clock is set in any case.
    pub async fn step_clock_back(&self, time: impl IntoDuration) {
        self.clock.step(clock::passage(time), false);
        clock::settle(&self.handle()).await;
    }

    /// Lets everything run that is ready to, until nothing is; no time passes. Work in `cx.spawn_blocking` is not waited
    /// for.
    ///
    /// # Panics
    /// If the daemons never come to rest.
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub async fn settle(&self) {
        clock::settle(&self.handle()).await;
    }

    /// Asserts how many ticks of an interval have ended in this life of its daemon, whatever their outcome. `name` is
    /// the interval's, or `daemon.interval`.
    ///
    /// # Panics
    /// If there were more or fewer; if there is no such interval, or one in each of several daemons.
    #[track_caller]
    pub fn expect_ticks(&self, name: &str, ticks: u64) {
        let status = self.status();
        let all = || {
            let of_daemon = |daemon: &'_ crate::DaemonStatus| {
                let named =
                    |interval: &IntervalStatus| (format!("{}.{}", daemon.name, interval.name), interval.clone());
                daemon.intervals.iter().map(named).collect::<Vec<_>>()
            };
            status.daemons.iter().flat_map(of_daemon)
        };
        let found: Vec<_> = all().filter(|(full, interval)| interval.name == name || full == name).collect();
        let names =
            |of: Vec<(String, IntervalStatus)>| of.into_iter().map(|(full, _)| full).collect::<Vec<_>>().join(", ");
        match &*found {
            [(full, seen)] if seen.ticks != ticks => panic!(
                "expected {ticks} ticks of `{full}`, saw {} ({} failed, {} skipped{}) {:?} after the start{}",
                seen.ticks,
                seen.failed,
                seen.skipped,
                if seen.running > 0 { ", one still running" } else { "" },
                status.uptime,
                seen.last_error.as_ref().map_or_else(String::new, |error| format!("; the last failed: {error}")),
            ),
            [_] => {}
            [] if all().next().is_none() => panic!("no interval named `{name}`; no daemon has one"),
            [] => panic!("no interval named `{name}`; there are: {}", names(all().collect())),
            _ => panic!("`{name}` is ambiguous: {}", names(found)),
        }
    }

    /// Publishes an event in the name `host`, and lets everything run that it sets off. Where a queue is full it waits for room, at
    /// most a minute by the paused clock.
    ///
    /// # Panics
    /// If it cannot be published; if the daemons never come to rest.
    ///
    /// # Cancel safety
    /// Once begun, the event may have been published.
    pub async fn publish<E: Event>(&self, event: E) {
        let (host, what) = (self.handle(), std::any::type_name::<E>());
        let published = tokio::time::timeout(LIMIT, host.publish(event));
        match clock::attend(&host, published).await {
            Ok(Ok(())) => clock::settle(&host).await,
            Ok(Err(error)) => panic!("the test could not publish `{what}`: {error}"),
            Err(_) => panic!(
                "the test could not publish `{what}`: no room within {LIMIT:?} of the paused clock in {}",
                full(&host.status()).join(", ")
            ),
        }
    }

    /// The next event of type `E`, on whatever topic. Everything published since the start is seen, in order, each
    /// event once; if there is none yet, it is waited for, at most a minute by the paused clock.
    ///
    /// ```
    /// # use daemon_core::{Context, DaemonBase, Event, Result, daemon, testing::TestHost};
    /// #[derive(Event, serde::Serialize, serde::Deserialize)]
    /// #[event("clock:beat")]
    /// struct Beat(u32);
    ///
    /// #[daemon]
    /// #[derive(Default)]
    /// struct Clock;
    ///
    /// #[daemon]
    /// impl Clock {
    ///     #[every("1s")]
    ///     async fn beat(&self, cx: &Context) -> Result<()> {
    ///         Ok(cx.publish(Beat(7)).await?)
    ///     }
    /// }
    ///
    /// impl DaemonBase for Clock {}
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// let mut host = TestHost::start(Clock).await;
    /// assert_eq!(host.expect_event::<Beat>().await.0, 7);
    /// # host.shutdown().await.assert_clean();
    /// # });
    /// ```
    ///
    /// # Panics
    /// If none comes; the message lists what was published.
    ///
    /// # Cancel safety
    /// An event is given out only when it is returned.
    pub async fn expect_event<E: Event>(&mut self) -> Arc<E> {
        let host = self.handle();
        clock::attend(&host, self.recorder.expect()).await
    }

    /// Every event of type `E` published since the start, in order, whether expected or not.
    pub fn published<E: Event>(&mut self) -> Vec<Arc<E>> {
        self.recorder.all()
    }

    /// Sends the host a signal, which is judged as a real one would be: the first stops it, a second one 500 ms later or
    /// more forces the exit. Nothing of the host runs after that; its report is as things were then.
    ///
    /// ```
    /// # use daemon_core::{DaemonBase, daemon, testing::{Signal, TestHost}};
    /// # #[daemon(no_handlers)]
    /// # #[derive(Default)]
    /// # struct Idle;
    /// # impl DaemonBase for Idle {}
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// let host = TestHost::start(Idle).await;
    /// host.inject(Signal::Term);
    /// let report = host.shutdown().await;
    /// assert_eq!(report.cause, "SIGTERM");
    /// report.assert_clean();
    /// # });
    /// ```
    pub fn inject(&self, signal: Signal) {
        let signal = match signal {
            Signal::Int => host::Signal::INT,
            Signal::Term => host::Signal::TERM,
            Signal::Hup => host::Signal::HUP,
            Signal::Reload => host::Signal::RELOAD,
        };
        self.outside.signal(signal);
    }

    /// Lets the next call of that name return an error instead of being made: `"init"`, `"cleanup"`, an event handler,
    /// interval, task, deferred call, `on_ready` reaction or health check; that of any daemon, or of one: `"store.init"`.
    /// Asked for twice, it happens twice.
    ///
    /// Commands and what is started with `cx.spawn` cannot be failed this way.
    ///
    /// A fault that never happens makes [`shutdown`](Self::shutdown) panic.
    pub fn fail_next(&self, name: &str) {
        self.faults.arm(name, fail);
    }

    /// As [`fail_next`](Self::fail_next), with a panic.
    pub fn panic_next(&self, name: &str) {
        self.faults.arm(name, panics);
    }

    /// The host and its daemons as they are now.
    #[must_use]
    pub fn status(&self) -> HostStatus {
        self.handle().status()
    }

    /// A handle on the host: commands, checks, stopping and restarting single daemons.
    #[must_use]
    pub fn handle(&self) -> HostHandle {
        self.running().handle()
    }

    /// How the start went.
    #[must_use]
    pub fn start_report(&self) -> &StartReport {
        self.running().start_report()
    }

    /// The value of a daemon.
    ///
    /// # Panics
    /// If no daemon of that type runs.
    #[must_use]
    #[track_caller]
    pub fn daemon<D: Declared>(&self) -> Arc<D> {
        match self.handle().daemon() {
            Some(daemon) => daemon,
            None => panic!("daemon `{}` does not run", D::NAME),
        }
    }

    /// Shuts the host down, unless it is stopping already or has stopped, and returns its report.
    ///
    /// # Panics
    /// If a fault that was asked for never happened; if time stands still, since something blocks a thread; if the host's own task
    /// died.
    ///
    /// # Cancel safety
    /// Dropping the future drops the host, which panics.
    pub async fn shutdown(mut self) -> ShutdownReport {
        let Some(running) = &mut self.running else { unreachable!("it is taken at the end of this function only") };
        running.handle().request_shutdown();
        let ended = clock::attend(&running.handle(), running.ended()).await;
        self.running = None;
        let report = match ended {
            Ok(report) => report,
            Err(error) => panic!("the test host `{}`: {error}", self.name),
        };
        let left = self.faults.left();
        assert!(
            left.is_empty(),
            "asked for, but never happened: a fault of `{}`; calls made: {}\n{report}",
            left.join("`, `"),
            calls(&self.faults)
        );
        report
    }
}

/// The queues that are full, and make whoever publishes wait.
fn full(status: &HostStatus) -> Vec<String> {
    let of_daemon = |daemon: &crate::DaemonStatus| {
        let full =
            daemon.subscriptions.iter().filter(|of| of.overflow == Overflow::Block && of.queued >= of.capacity as u64);
        full.map(|of| format!("`{}.{}` ({} waiting)", daemon.name, of.name, of.queued)).collect::<Vec<_>>()
    };
    status.daemons.iter().flat_map(of_daemon).collect()
}

/// Every call so far, and how often it was made.
fn calls(faults: &Faults) -> String {
    let calls = faults.calls();
    let calls =
        calls.iter().map(|(name, times)| if *times == 1 { name.clone() } else { format!("{name} ({times} times)") });
    calls.collect::<Vec<_>>().join(", ")
}

impl Drop for TestHost {
    fn drop(&mut self) {
        let Some(running) = self.running.take() else { return };
        let status = running.handle().status();
        running.handle().request_shutdown();
        if std::thread::panicking() {
            return; // the test has failed already
        }
        let tasks: usize = status.daemons.iter().map(|daemon| daemon.tasks.len()).sum();
        panic!(
            "the test host `{}` was dropped while {}, with {tasks} pieces of work under way: end the test with \
             `host.shutdown().await`, and look at its report",
            self.name, status.state
        );
    }
}

impl fmt::Debug for TestHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestHost").field("name", &self.name).finish_non_exhaustive()
    }
}
