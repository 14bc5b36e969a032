//! Assembles a test host.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::clock;
use super::host::{TestHost, fail, panics};
use super::recorder::Recorder;
use crate::daemon::DaemonBase;
use crate::duration::IntoDuration;
use crate::error::IntoOutcome;
use crate::host::{Factory, Host, StartError};
use crate::schedule::Clock;
use crate::task::Fault;

/// From 1970 to 2030.
const UNTIL_2030: Duration = Duration::from_secs(1_893_456_000);

/// A [`TestHost`] being put together; see [`TestHost::new`].
#[must_use = "a test host does nothing until `start`"]
pub struct TestHostBuilder {
    name: String,
    host: Host,
    faults: Vec<(String, Fault)>,
    clock: SystemTime,
}

impl TestHostBuilder {
    pub(super) fn new(name: String) -> Self {
        Self { host: Host::new(name.as_str()), name, faults: Vec::new(), clock: UNIX_EPOCH + UNTIL_2030 }
    }

    fn with(mut self, change: impl FnOnce(Host) -> Host) -> Self {
        self.host = change(self.host);
        self
    }

    fn with_fault(mut self, name: &str, fault: Fault) -> Self {
        self.faults.push((name.to_owned(), fault));
        self
    }

    /// Adds a daemon; see [`Host::daemon`].
    pub fn daemon<D: DaemonBase>(self, daemon: D) -> Self {
        self.with(|host| host.daemon(daemon))
    }

    /// Adds a daemon under a name of its own; see [`Host::daemon_as`].
    pub fn daemon_as<D: DaemonBase>(self, name: &str, daemon: D) -> Self {
        self.with(|host| host.daemon_as(name, daemon))
    }

    /// Adds a daemon that `factory` makes at each start; see [`Host::daemon_with`].
    pub fn daemon_with<D: DaemonBase, Kind>(self, factory: impl Factory<D, Kind>) -> Self {
        self.with(|host| host.daemon_with(factory))
    }

    /// Adds the daemons of a list that the compiler has checked; see [`Host::daemons`].
    pub fn daemons(self, list: impl FnOnce(Host) -> Host) -> Self {
        self.with(|host| host.daemons(list))
    }

    /// Gives the daemons a configuration; see [`Host::configuration`].
    pub fn configuration<C: Send + Sync + 'static, Kind>(self, first: C, load: impl Factory<C, Kind>) -> Self {
        self.with(|host| host.configuration(first, load))
    }

    /// Sets how long the whole stop may take \[25 s\], by the paused clock.
    ///
    /// # Panics
    /// If it is text that does not follow the grammar.
    #[track_caller]
    pub fn stop_budget(self, budget: impl IntoDuration) -> Self {
        let budget = clock::length(budget);
        self.with(|host| host.stop_budget(budget))
    }

    /// Sets how long the host goes on once its shutdown is asked for; see [`Host::unready_delay`].
    ///
    /// # Panics
    /// If it is text that does not follow the grammar.
    #[track_caller]
    pub fn unready_delay(self, delay: impl IntoDuration) -> Self {
        let delay = clock::length(delay);
        self.with(|host| host.unready_delay(delay))
    }

    /// Sets how long the start of a daemon may take that does not say so itself \[60 s\], by the paused clock.
    ///
    /// # Panics
    /// If it is text that does not follow the grammar.
    #[track_caller]
    pub fn start_timeout(self, timeout: impl IntoDuration) -> Self {
        let timeout = clock::length(timeout);
        self.with(|host| host.start_timeout(timeout))
    }

    /// Sets what the clock on the wall shows at the start \[midnight at the beginning of 2030, UTC\], for what goes by it.
    pub fn clock_at(mut self, time: SystemTime) -> Self {
        self.clock = time;
        self
    }

    /// Sets how long the start of all daemons together may take \[no limit\], by the paused clock.
    ///
    /// # Panics
    /// If it is text that does not follow the grammar.
    #[track_caller]
    pub fn start_budget(self, budget: impl IntoDuration) -> Self {
        let budget = clock::length(budget);
        self.with(|host| host.start_budget(budget))
    }

    /// Adds what is to be done last; see [`Host::on_shutdown`].
    #[track_caller]
    pub fn on_shutdown<Fut>(self, handler: impl FnOnce() -> Fut + Send + 'static) -> Self
    where
        Fut: Future<Output: IntoOutcome> + Send + 'static,
    {
        let Self { name, host, faults, clock } = self;
        Self { name, host: host.on_shutdown(handler), faults, clock }
    }

    /// Sets how long all shutdown handlers together may take \[5 s\], by the paused clock.
    ///
    /// # Panics
    /// If it is text that does not follow the grammar.
    #[track_caller]
    pub fn shutdown_timeout(self, timeout: impl IntoDuration) -> Self {
        let timeout = clock::length(timeout);
        self.with(|host| host.shutdown_timeout(timeout))
    }

    /// As [`TestHost::fail_next`], from the first start on.
    ///
    /// ```
    /// # use daemon_core::{DaemonBase, daemon, testing::TestHost};
    /// # #[daemon(no_handlers)]
    /// # #[derive(Default)]
    /// # struct Store;
    /// # impl DaemonBase for Store {}
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// let refused = TestHost::new("app").daemon(Store).fail_next("store.init").try_start().await.unwrap_err();
    /// assert_eq!(refused.to_string(), "app did not start: `store`: injected by the test");
    /// # });
    /// ```
    pub fn fail_next(self, name: &str) -> Self {
        self.with_fault(name, fail)
    }

    /// As [`TestHost::panic_next`], from the first start on.
    pub fn panic_next(self, name: &str) -> Self {
        self.with_fault(name, panics)
    }

    /// Pauses the clock and starts the host; returns once every daemon runs.
    ///
    /// # Panics
    /// If a required daemon fails to start, or the host is not sound; outside a current-thread tokio runtime.
    ///
    /// # Cancel safety
    /// If the future is dropped the host is shut down.
    pub async fn start(self) -> TestHost {
        let name = self.name.clone();
        match self.try_start().await {
            Ok(host) => host,
            Err(error) => panic!("the test host `{name}` did not start: {error}"),
        }
    }

    /// As [`start`](Self::start), for a test of a start that fails.
    ///
    /// # Errors
    /// [`StartError`]: the host is not sound, or a required daemon failed. What had started has been stopped.
    ///
    /// # Panics
    /// Outside a current-thread tokio runtime.
    ///
    /// # Cancel safety
    /// If the future is dropped the host is shut down.
    pub async fn try_start(self) -> Result<TestHost, StartError> {
        clock::pause().await;
        let clock = Clock::steered(self.clock);
        let rehearsal = self.host.rehearse(clock.clone())?;
        let recorder = Recorder::of(rehearsal.bus());
        let faults = rehearsal.faults();
        faults.watch();
        for (name, fault) in self.faults {
            faults.arm(&name, fault);
        }
        let handle = rehearsal.handle();
        let (running, outside) = clock::attend(&handle, rehearsal.start()).await?;
        clock::settle(&handle).await;
        Ok(TestHost { name: self.name, running: Some(running), outside, recorder, faults, clock })
    }
}

impl fmt::Debug for TestHostBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TestHostBuilder").field(&self.host).finish()
    }
}
