//! A host's commands for its operators: what it looks like, and what can be done to it.
//!
//! Whatever carries calls carries these: the socket of the host's instance for other processes, a [`HostHandle`] inside. The requests and
//! replies are plain data; a command line prints them as they are.
//!
//! [`HostHandle`]: daemon_core::HostHandle

mod health;
mod log_level;
mod requests;

use std::sync::Arc;

use daemon_core::{
    BoxError, Call, CheckKind, CommandInfo, Context, DaemonBase, DaemonStatus, Declared, EventAudit, HostHandle,
    HostStatus, ReloadReport, Result, Transition, daemon,
};
use serde_json::Value;

pub use health::{CheckHealth, DaemonHealth, Health, Verdict};
pub use log_level::{LogFilter, LogLevel};
pub use requests::{
    CallByName, DaemonInterval, DaemonName, DaemonSubscription, IntervalName, IntervalPeriod, Lines, SetLogLevel,
    ShuttingDown, Which,
};

use health::Spoken;
use log_level::Logs;

/// The daemon that exposes its host to operators, under the name `control`.
///
/// ```
/// use daemon_core::{DaemonBase, Host, Result, State, daemon};
/// use daemon_ipc::ControlServer;
///
/// #[daemon(no_handlers)]
/// struct Store;
///
/// impl DaemonBase for Store {}
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<()> {
/// let host = Host::new("app").daemon(Store).daemon(ControlServer::new()).start().await?;
/// let control = ControlServer::client(host.handle()); // or a connection to the host's socket
/// let status = control.status().await?;
/// assert_eq!((&*status.name, status.state), ("app", State::Running));
/// control.shutdown().await?;
/// host.wait().await?;
/// # Ok(())
/// # }
/// ```
#[daemon(name = "control", plane = operations, optional)]
#[derive(Debug, Default)]
pub struct ControlServer {
    logs: Logs,
}

impl ControlServer {
    /// One that knows nothing of the program's logs.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets operators see and change what the program logs.
    #[must_use]
    pub fn log_filter(mut self, filter: Arc<dyn LogFilter>) -> Self {
        self.logs = Logs::of(filter);
        self
    }
}

#[daemon]
impl ControlServer {
    /// Tells all there is to tell of the host and its daemons.
    #[command]
    fn status(&self, cx: &Context) -> Result<HostStatus> {
        Ok(cx.host().status())
    }

    /// Lists the daemons, or tells of one.
    #[command]
    fn daemons(&self, request: Which, cx: &Context) -> Result<Vec<DaemonStatus>> {
        request.of(cx)
    }

    /// Lists the subscriptions, with the counts of their events.
    #[command]
    fn subscriptions(&self, request: Which, cx: &Context) -> Result<Vec<DaemonSubscription>> {
        let of = |daemon: DaemonStatus| {
            let name = daemon.name;
            daemon.subscriptions.into_iter().map(move |status| DaemonSubscription { daemon: name.clone(), status })
        };
        Ok(request.of(cx)?.into_iter().flat_map(of).collect())
    }

    /// Lists the intervals.
    #[command]
    fn schedules(&self, request: Which, cx: &Context) -> Result<Vec<DaemonInterval>> {
        Ok(request.of(cx)?.into_iter().flat_map(DaemonInterval::of).collect())
    }

    /// Keeps an interval from ticking until it is resumed.
    #[command]
    fn pause_schedule(&self, request: IntervalName, cx: &Context) -> Result<DaemonInterval> {
        cx.host().pause_interval(&request.daemon, &request.interval)?;
        request.look(cx)
    }

    /// Lets a paused interval tick again.
    #[command]
    fn resume_schedule(&self, request: IntervalName, cx: &Context) -> Result<DaemonInterval> {
        cx.host().resume_interval(&request.daemon, &request.interval)?;
        request.look(cx)
    }

    /// Makes an interval tick now.
    #[command]
    fn run_schedule(&self, request: IntervalName, cx: &Context) -> Result<DaemonInterval> {
        cx.host().run_interval(&request.daemon, &request.interval)?;
        request.look(cx)
    }

    /// Gives an interval another period, until its daemon's life ends.
    #[command]
    fn set_period(&self, request: IntervalPeriod, cx: &Context) -> Result<DaemonInterval> {
        let IntervalPeriod { daemon, interval, period } = request;
        cx.host().set_interval_period(&daemon, &interval, &*period)?;
        IntervalName { daemon, interval }.look(cx)
    }

    /// Starts a daemon that has stopped or failed, and waits until it runs.
    #[command]
    async fn start_daemon(&self, request: DaemonName, cx: &Context) -> Result<DaemonStatus> {
        cx.host().start_daemon(&request.daemon).await?;
        request.look(cx)
    }

    /// Stops a daemon, after those that require it, and waits until it has stopped.
    #[command]
    async fn stop_daemon(&self, request: DaemonName, cx: &Context) -> Result<DaemonStatus> {
        request.check_steerable(cx)?;
        cx.host().stop_daemon(&request.daemon).await?;
        request.look(cx)
    }

    /// Stops a daemon and starts it again, with those that require it around it, and waits until it runs.
    #[command]
    async fn restart_daemon(&self, request: DaemonName, cx: &Context) -> Result<DaemonStatus> {
        request.check_steerable(cx)?;
        cx.host().restart_daemon(&request.daemon).await?;
        request.look(cx)
    }

    /// Tells how the host and its daemons are: as the health monitor or the HTTP endpoint says, which say the same; without either, it runs
    /// the checks.
    #[command]
    async fn health(&self, cx: &Context) -> Result<Health> {
        let host = cx.host();
        if let Some(spoken) = spoken(&host).await {
            return Ok(Health::spoken(&host.status(), spoken, &host.checks()));
        }
        let checks = host.run_checks().await;
        Ok(Health::of(&host.status(), &host.readiness(), &checks))
    }

    /// Tells the latest changes of state of the host and its daemons, the oldest first.
    #[command]
    fn journal(&self, request: Lines, cx: &Context) -> Result<Vec<Transition>> {
        let mut all = cx.host().journal();
        let from = request.last.map_or(0, |last| all.len().saturating_sub(last));
        Ok(all.split_off(from))
    }

    /// Tells which events nobody heard so far, and which subscriptions heard nothing.
    #[command]
    fn audit(&self, cx: &Context) -> Result<EventAudit> {
        Ok(cx.host().audit())
    }

    /// Tells which logs are written.
    #[command]
    fn log_level(&self) -> Result<LogLevel> {
        self.logs.level()
    }

    /// Changes which logs are written, for good or for some time.
    #[command]
    fn set_log_level(&self, request: SetLogLevel) -> Result<LogLevel> {
        self.logs.set(&request.filter, request.for_ms)
    }

    /// Loads the configuration anew and has the daemons take it on.
    #[command]
    async fn reload(&self, cx: &Context) -> Result<ReloadReport> {
        Ok(cx.host().reload().await?)
    }

    /// Begins the shutdown of the host.
    #[command]
    fn shutdown(&self, cx: &Context) -> Result<ShuttingDown> {
        cx.request_shutdown();
        Ok(ShuttingDown { pid: std::process::id() })
    }

    /// Lists the commands of all daemons.
    #[command]
    fn commands(&self, cx: &Context) -> Result<Vec<CommandInfo>> {
        Ok(cx.host().commands())
    }

    /// Calls a command by its name.
    #[command]
    async fn call(&self, request: CallByName, cx: &Context) -> Result<Value> {
        let CallByName { daemon, command, request } = request;
        Ok(cx.host().call(&daemon, &command, &request).await?)
    }

    /// Takes a change of the log level back when its time is up.
    #[task]
    async fn take_log_level_back(&self, cx: &Context) {
        tokio::select! {
            () = cx.cancelled() => {}
            () = self.logs.take_back_in_time() => {}
        }
    }
}

impl DaemonBase for ControlServer {}

/// The command of a daemon that speaks for its host's health. All that do say the same.
const SPEAKS: &str = "host_health";

/// What the first daemon says that speaks for the host's health and runs; `None` if there is none.
async fn spoken(host: &HostHandle) -> Option<Spoken> {
    for CommandInfo { daemon, .. } in host.commands().into_iter().filter(|command| command.command == SPEAKS) {
        match host.call_json(&daemon, SPEAKS, "null".to_owned()).await.map(|text| serde_json::from_str(&text)) {
            Ok(Ok(spoken)) => return Some(spoken),
            Ok(Err(error)) => tracing::warn!(daemon, %error, "what it says of the host's health cannot be read"),
            Err(error) => tracing::debug!(daemon, %error, "it says nothing of the host's health"),
        }
    }
    None
}

impl Which {
    /// What it picks of the host's daemons.
    fn of(&self, cx: &Context) -> Result<Vec<DaemonStatus>> {
        let HostStatus { daemons, .. } = cx.host().status();
        let Some(name) = &self.daemon else { return Ok(daemons) };
        let known = daemons.iter().map(|daemon| &*daemon.name).collect::<Vec<_>>().join(", ");
        let found: Vec<_> = daemons.into_iter().filter(|daemon| daemon.name == *name).collect();
        if found.is_empty() {
            let name = name.clone();
            return Err(daemon_core::Error::UnknownDaemon { name, known }.into());
        }
        Ok(found)
    }
}

impl DaemonName {
    fn look(self, cx: &Context) -> Result<DaemonStatus> {
        let found = Which { daemon: Some(self.daemon.clone()) }.of(cx)?;
        found.into_iter().next().ok_or_else(|| gone(&self.daemon))
    }

    /// Who stops what carries this call could not start it again.
    fn check_steerable(&self, cx: &Context) -> Result<()> {
        if self.daemon == cx.name() || self.daemon == <crate::IpcServer as Declared>::NAME {
            let why = format!(
                "`{}` carries the calls of operators, this one included; stop or restart the whole host",
                self.daemon
            );
            return Err(BoxError::from(why));
        }
        Ok(())
    }
}

impl IntervalName {
    fn look(self, cx: &Context) -> Result<DaemonInterval> {
        let found = Which { daemon: Some(self.daemon.clone()) }.of(cx)?;
        let mut intervals = found.into_iter().flat_map(DaemonInterval::of);
        intervals.find(|found| found.status.name == self.interval).ok_or_else(|| gone(&self.interval))
    }
}

fn gone(name: &str) -> BoxError {
    format!("`{name}` is gone").into()
}
