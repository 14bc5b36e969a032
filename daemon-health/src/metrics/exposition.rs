//! What is shown of a host, and to whom.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, PoisonError};

use daemon_core::HostHandle;

use super::facade::Recorded;
use super::family::Families;
use super::names::Names;
use super::process::Process;
use super::text::Format;
use super::{accept, health, host, text};
use crate::HealthReport;

type Collect = dyn Fn(&mut Families) + Send + Sync;
type Health = dyn Fn() -> HealthReport + Send + Sync;
type Program = dyn Fn() -> String + Send + Sync;

/// The figures of a host as text, made anew each time somebody asks.
///
/// ```
/// # use daemon_core::{DaemonBase, Host, Result, daemon};
/// # #[daemon(no_handlers, name = "user")]
/// # struct UserDaemon;
/// # impl DaemonBase for UserDaemon {}
/// use daemon_health::metrics::Metrics;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<()> {
/// let host = Host::new("chat").daemon(UserDaemon).start().await?;
/// let metrics = Metrics::of(host.handle())
///     .info("version", env!("CARGO_PKG_VERSION"))
///     .with(|figures| figures.gauge("chat_rooms", "Rooms that are open.").add(&[("kind", "public")], 3));
/// let shown = metrics.render(None);
/// assert!(shown.text.contains("daemon_state{daemon=\"user\",state=\"running\"} 1\n"));
/// assert!(shown.text.contains("chat_rooms{kind=\"public\"} 3\n"));
/// # host.shutdown().await?;
/// # Ok(())
/// # }
/// ```
pub struct Metrics {
    host: HostHandle,
    process: Process,
    info: Vec<(String, String)>,
    collects: Vec<Box<Collect>>,
    health: Option<Box<Health>>,
    program: Option<Box<Program>>,
    names: Mutex<Names>,
    recorded: Mutex<Recorded>,
}

/// What is answered to whoever asks for the figures.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Exposition {
    /// The value of the header `Content-Type`.
    pub content_type: &'static str,
    /// The figures.
    pub text: String,
}

impl Metrics {
    /// The figures of a host, and of this process.
    #[must_use]
    pub fn of(host: HostHandle) -> Self {
        let status = host.status();
        // Names that are there already come before those that are made up later.
        let mut names = Names::default();
        host::collect(&status, &mut names, &mut Families::default());
        Self {
            process: Process::this(status.uptime),
            info: vec![("host".to_owned(), status.name)],
            host,
            collects: Vec::new(),
            health: None,
            program: None,
            names: Mutex::new(names),
            recorded: Mutex::default(),
        }
    }

    /// A fact about the program, such as its version or commit, to be shown as a label of `daemon_build_info`.
    #[must_use]
    pub fn info(mut self, label: &str, value: &str) -> Self {
        self.info.push((label.to_owned(), value.to_owned()));
        self
    }

    /// Figures of the program's own, or of a part of it, asked for each time. `collect` has to be quick; if it panics, that is logged
    /// and its figures are left out. A family that has a name of the framework's is, too.
    #[must_use]
    pub fn with(mut self, collect: impl Fn(&mut Families) + Send + Sync + 'static) -> Self {
        self.collects.push(Box::new(collect));
        self
    }

    /// What health checks said last: `last` gives the latest report, without asking anything, as
    /// [`HealthChecker::last`](crate::HealthChecker::last) does.
    #[must_use]
    pub fn health(mut self, last: impl Fn() -> HealthReport + Send + Sync + 'static) -> Self {
        self.health = Some(Box::new(last));
        self
    }

    /// Figures that the program has as text of Prometheus already, such as those it counts with the `metrics` facade:
    /// `.program(move || recorder.render())`, with the handle of the recorder that `metrics-exporter-prometheus` installed. Families
    /// that have a name of the framework's are left out.
    #[must_use]
    pub fn program(mut self, text: impl Fn() -> String + Send + Sync + 'static) -> Self {
        self.program = Some(Box::new(text));
        self
    }

    /// The figures as they are now, in the format that the header `Accept` asks for, if there is one. Where the program's own
    /// [are shown](Self::program), it is the one they come in, which every reader knows.
    #[must_use]
    pub fn render(&self, accept: Option<&str>) -> Exposition {
        let families = self.families();
        let format = if self.program.is_some() { Format::Prometheus } else { accept::format(accept) };
        let mut text = text::write(&families, format);
        if let Some(more) = self.program.as_ref().and_then(|program| careful("figures of the program", program)) {
            append(&mut text, &more, &families);
        }
        Exposition { content_type: format.content_type(), text }
    }

    /// Writes the figures as they are now into the recorder that the program installed for the `metrics` facade, whatever that does
    /// with them. Call it as often as they should be fresh, from an interval for example.
    ///
    /// Counters of that facade are whole numbers, so seconds of processor time are cut to such. A histogram gets for each new duration
    /// the middle of the bucket it is in.
    pub fn record(&self) {
        let families = self.families();
        let mut recorded = self.recorded.lock().unwrap_or_else(PoisonError::into_inner);
        metrics::with_recorder(|recorder| recorded.write(&families, recorder));
    }

    fn families(&self) -> Families {
        let mut families = Families::default();
        let mut labels: Vec<_> = self.info.iter().map(|(name, value)| (&**name, &**value)).collect();
        labels.push(("daemon_core", env!("CARGO_PKG_VERSION")));
        families.info("daemon_build", "What runs here.").add(&labels, 1);
        self.process.collect(&mut families);
        let health = self.health.as_ref().and_then(|last| careful("the health report", last));
        {
            let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
            host::collect(&self.host.status(), &mut names, &mut families);
            if let Some(report) = health {
                health::collect(&report, &mut names, &mut families);
            }
        }
        for collect in &self.collects {
            let mut own = Families::default();
            if careful("figures of the program", || collect(&mut own)).is_some() {
                families.absorb(own);
            }
        }
        families
    }
}

/// Calls what the program gave; a panic costs only what it would have told.
fn careful<T>(what: &str, call: impl FnOnce() -> T) -> Option<T> {
    let result = catch_unwind(AssertUnwindSafe(call));
    if result.is_err() {
        tracing::error!("{what} cannot be shown: what makes them panicked");
    }
    result.ok()
}

/// Appends the text of a recorder, but for families that are there already: one name may come once only.
fn append(text: &mut String, more: &str, there: &Families) {
    let is_there = |name: &str| {
        let family = |name: &str| there.all.get(name).is_some_and(|family| !family.samples.is_empty());
        family(name) || ["_total", "_info"].iter().any(|suffix| name.strip_suffix(suffix).is_some_and(family))
    };
    let mut keeps = true;
    for line in more.lines().filter(|line| !line.is_empty()) {
        let told = line.strip_prefix("# HELP ").or_else(|| line.strip_prefix("# TYPE "));
        if let Some(name) = told.and_then(|told| told.split(' ').next()) {
            keeps = !is_there(name);
        }
        if keeps {
            text.push_str(line);
            text.push('\n');
        }
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").field("host", &self.host).field("info", &self.info).finish_non_exhaustive()
    }
}
