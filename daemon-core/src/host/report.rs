//! What the host says at its start and at its end: typed, serialisable, printable.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::status::{State, Transition, Unheard};

/// How the start went.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct StartReport {
    /// The host's name.
    pub name: String,
    /// Whether the host is running.
    pub started: bool,
    /// How long the start took, in milliseconds.
    pub took_ms: u64,
    /// The daemons, by wave.
    pub daemons: Vec<DaemonStart>,
    /// Remarks that stop nothing, such as a wanted daemon that is absent.
    pub notes: Vec<String>,
}

/// How one daemon started.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct DaemonStart {
    /// The daemon's name.
    pub name: String,
    /// Its wave.
    pub wave: u32,
    /// Whether the host goes on without it.
    pub optional: bool,
    /// Its state when the start ended.
    pub state: State,
    /// The last of its dependencies to settle.
    pub waited_for: Option<String>,
    /// How long it waited for it, in milliseconds after the host's start.
    pub waited_ms: u64,
    /// How long its own start took, in milliseconds.
    pub took_ms: u64,
    /// Why it failed.
    pub reason: Option<String>,
}

/// How the host's whole run went.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ShutdownReport {
    /// The host's name.
    pub name: String,
    /// The code the process exits with.
    pub exit_code: u8,
    /// What began the shutdown.
    pub cause: String,
    /// How long the host was up, in milliseconds.
    pub uptime_ms: u64,
    /// How long the stop took, in milliseconds.
    pub stop_ms: u64,
    /// The daemons, by wave.
    pub daemons: Vec<DaemonStop>,
    /// Work of the host itself that could not be ended: the loading of a configuration, or its destructor.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cut: Vec<Cut>,
    /// Worker threads that were blocked at the end by what was not spawned through the host, and so has no name here.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub blocked_threads: usize,
    /// What is left; all zero unless something could not be stopped.
    pub left: Left,
    /// Every subscription's account.
    pub events: Vec<EventAccount>,
    /// What was published while nobody subscribed to it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unheard: Vec<Unheard>,
    /// The latest 1,000 changes of state, where the exit code is not 0.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub journal: Vec<Transition>,
}

fn is_zero(number: &usize) -> bool {
    *number == 0
}

/// How one daemon ended.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct DaemonStop {
    /// The daemon's name.
    pub name: String,
    /// Its wave.
    pub wave: u32,
    /// What it requires.
    pub requires: Vec<String>,
    /// When it was running, in milliseconds after the host's start; `None` if it never was.
    pub started_ms: Option<u64>,
    /// When it had stopped, in milliseconds after the host's start; `None` if it never started or did not stop.
    pub stopped_ms: Option<u64>,
    /// Its last state.
    pub state: State,
    /// How long its stop took, in milliseconds.
    pub stop_ms: u64,
    /// Why it failed, or did not end its start.
    pub reason: Option<String>,
    /// How often it was started again.
    pub restarts: u64,
    /// Work that had to be aborted, or could not even be.
    pub cut: Vec<Cut>,
    /// What went wrong while it stopped.
    pub problems: Vec<String>,
    /// Errors of its handlers, ticks, tasks and hooks.
    pub errors: u64,
    /// Panics of its handlers, ticks, tasks and hooks.
    pub panics: u64,
}

/// A piece of work that overran the stop.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Cut {
    /// What it was.
    pub work: String,
    /// Where it was spawned.
    pub spawned_at: String,
    /// How often it was polled.
    pub polls: u64,
    /// How long ago it was last polled when it was cut, in milliseconds.
    pub idle_ms: Option<u64>,
    /// The call of its context that it waited in.
    pub waits_in: Option<String>,
    /// Whether it did not even yield, but blocked its thread.
    pub blocking: bool,
    /// Whether it is gone.
    pub gone: bool,
}

/// What is left after a stop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Left {
    /// Event handlers and run-time subscriptions.
    pub subscriptions: usize,
    /// Intervals.
    pub intervals: usize,
    /// Work of any other kind.
    pub tasks: usize,
}

impl Left {
    /// Whether nothing is left.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

/// What became of the events offered to one subscription.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct EventAccount {
    /// The subscription, as `daemon.handler`.
    pub subscription: String,
    /// Events published that matched it.
    pub offered: u64,
    /// Handled without an error.
    pub handled: u64,
    /// Handled with an error or a panic.
    pub failed: u64,
    /// Dropped by its overflow policy.
    pub dropped: u64,
    /// Still queued or under way at the end, or published after it.
    pub abandoned: u64,
}

impl ShutdownReport {
    /// The report of a host that could not even begin.
    pub(super) fn refused(name: String, why: &str) -> Self {
        Self {
            name,
            exit_code: 1,
            cause: format!("refused: {why}"),
            uptime_ms: 0,
            stop_ms: 0,
            daemons: Vec::new(),
            cut: Vec::new(),
            blocked_threads: 0,
            left: Left::default(),
            events: Vec::new(),
            unheard: Vec::new(),
            journal: Vec::new(),
        }
    }

    /// Whether everything ended well: exit code 0, no trouble while stopping, nothing cut, nothing left, no thread blocked.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        let stopped_well = |daemon: &DaemonStop| daemon.cut.is_empty() && daemon.problems.is_empty();
        let nothing_left = self.left.is_nothing() && self.cut.is_empty() && self.blocked_threads == 0;
        self.exit_code == 0 && nothing_left && self.daemons.iter().all(stopped_well)
    }

    /// The daemon of that name.
    #[must_use]
    pub fn daemon(&self, name: &str) -> Option<&DaemonStop> {
        self.daemons.iter().find(|daemon| daemon.name == name)
    }
}

/// A duration of so many milliseconds, short enough for a table.
pub(crate) fn short(ms: u64) -> String {
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..60_000 => format!("{}.{} s", ms / 1_000, ms % 1_000 / 100),
        _ => format!("{}m {:02}s", ms / 60_000, ms % 60_000 / 1_000),
    }
}

pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Where this crate's sources are; what was spawned there was spawned by the host.
const HOST: &str = {
    let (here, _) = file!().as_bytes().split_at(file!().len() - "host/report.rs".len());
    match str::from_utf8(here) {
        Ok(here) => here,
        Err(_) => panic!("the path was text before it was cut at a slash"),
    }
};

/// Where a piece of work was spawned, in words; nothing if that was the host, which tells nobody anything.
pub(super) fn spawned_at(place: &str) -> String {
    if place.starts_with(HOST) { String::new() } else { format!(", spawned at {place}") }
}

fn width<'a>(names: impl Iterator<Item = &'a String>) -> usize {
    names.map(|name| name.chars().count()).max().unwrap_or(0)
}

/// A number of things in words, such as `1 daemon`.
fn count(number: impl Into<u64>, of: &str) -> String {
    let number = number.into();
    format!("{number} {of}{}", if number == 1 { "" } else { "s" })
}

/// A daemon's line: its columns, then whatever there is to say of it.
fn write_daemon(
    f: &mut fmt::Formatter<'_>,
    (wave, name, wide): (u32, &str, usize),
    state: State,
    took: Option<u64>,
    more: impl IntoIterator<Item = String>,
) -> fmt::Result {
    let took = took.map(short).unwrap_or_default();
    let mut line = format!("  wave {wave}  {name:wide$}  {state:8}  {took:>7}");
    for more in more {
        line.push_str("  ");
        line.push_str(&more);
    }
    writeln!(f, "{}", line.trim_end())
}

impl fmt::Display for StartReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = match self.started {
            true => "started",
            false if self.daemons.iter().all(|daemon| daemon.reason.is_none()) => "was stopped while it started",
            false => "did not start",
        };
        let daemons = count(self.daemons.len() as u64, "daemon");
        writeln!(f, "{} {verdict}: {daemons} in {}", self.name, short(self.took_ms))?;
        let wide = width(self.daemons.iter().map(|daemon| &daemon.name));
        for daemon in &self.daemons {
            let took = matches!(daemon.state, State::Running | State::Failed).then_some(daemon.took_ms);
            let waited = daemon.waited_for.as_ref();
            let waited = waited.map(|on| format!("after {on}, ready at {}", short(daemon.waited_ms)));
            let more = waited.into_iter().chain(daemon.reason.clone());
            write_daemon(f, (daemon.wave, &daemon.name, wide), daemon.state, took, more)?;
        }
        self.notes.iter().try_for_each(|note| writeln!(f, "  note: {note}"))
    }
}

impl fmt::Display for ShutdownReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = if self.exit_code == 0 { "stopped" } else { "ended badly" };
        writeln!(
            f,
            "{} {verdict} after {}: {}; the stop took {}, exit code {}",
            self.name,
            short(self.uptime_ms),
            self.cause,
            short(self.stop_ms),
            self.exit_code
        )?;
        let wide = width(self.daemons.iter().map(|daemon| &daemon.name));
        for daemon in self.daemons.iter().rev() {
            let took = daemon.stopped_ms.map(|_| daemon.stop_ms);
            let numbers = [(daemon.errors, "error"), (daemon.panics, "panic"), (daemon.restarts, "restart")];
            let numbers = numbers.into_iter().filter(|(number, _)| *number > 0).map(|(number, of)| count(number, of));
            let more = numbers.chain(daemon.reason.clone());
            write_daemon(f, (daemon.wave, &daemon.name, wide), daemon.state, took, more)?;
            for problem in &daemon.problems {
                writeln!(f, "          {problem}")?;
            }
            for cut in &daemon.cut {
                writeln!(f, "          {cut}")?;
            }
        }
        self.cut.iter().try_for_each(|cut| writeln!(f, "  {cut}"))?;
        if self.blocked_threads > 0 {
            let threads = count(self.blocked_threads as u64, "worker thread");
            writeln!(f, "  {threads} blocked by what was not spawned through the host")?;
        }
        write_events(f, &self.events)?;
        for Unheard { topic, publisher, events } in &self.unheard {
            let events = count(*events, "event");
            writeln!(f, "  nobody heard `{topic}`: {events}, the first from `{publisher}`")?;
        }
        let Left { subscriptions, intervals, tasks } = self.left;
        let left = [(subscriptions, "subscription"), (intervals, "interval"), (tasks, "task")];
        let left = left.map(|(number, of)| count(number as u64, of));
        writeln!(f, "  left: {}", left.join(", "))?;
        write_journal(f, &self.journal)
    }
}

/// How many lines of the journal are shown; the report holds all of it.
const SHOWN: usize = 40;

fn write_journal(f: &mut fmt::Formatter<'_>, journal: &[Transition]) -> fmt::Result {
    if journal.len() <= SHOWN {
        return write_transitions(f, "journal", journal);
    }
    let latest = &journal[journal.len() - SHOWN..];
    write_transitions(f, &format!("journal, the latest {SHOWN} of {}", journal.len()), latest)
}

fn write_transitions(f: &mut fmt::Formatter<'_>, title: &str, transitions: &[Transition]) -> fmt::Result {
    if transitions.is_empty() {
        return Ok(());
    }
    writeln!(f, "  {title}")?;
    let who = |transition: &'_ Transition| transition.daemon.clone().unwrap_or_else(|| "(host)".to_owned());
    let names: Vec<_> = transitions.iter().map(who).collect();
    let wide = width(names.iter());
    for (Transition { at_ms, state, cause, .. }, name) in transitions.iter().zip(&names) {
        let (seconds, millis) = (at_ms / 1_000, at_ms % 1_000);
        let line = format!("  {seconds:>4}.{millis:03} s  {name:wide$}  {state:8}  {}", cause.as_deref().unwrap_or(""));
        writeln!(f, "{}", line.trim_end())?;
    }
    Ok(())
}

fn write_events(f: &mut fmt::Formatter<'_>, events: &[EventAccount]) -> fmt::Result {
    let busy: Vec<_> = events.iter().filter(|account| account.offered > 0).collect();
    if busy.is_empty() {
        return Ok(());
    }
    let wide = width(busy.iter().map(|account| &account.subscription));
    writeln!(
        f,
        "  {:wide$}  {:>9} {:>9} {:>7} {:>7} {:>9}",
        "events", "offered", "handled", "failed", "dropped", "abandoned"
    )?;
    for account in busy {
        writeln!(
            f,
            "  {:wide$}  {:>9} {:>9} {:>7} {:>7} {:>9}",
            account.subscription, account.offered, account.handled, account.failed, account.dropped, account.abandoned
        )?;
    }
    Ok(())
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let since = self.idle_ms.map(short);
        match (&since, self.gone, self.blocking) {
            (Some(since), _, true) => write!(f, "{} has blocked a thread for {since}", self.work)?,
            (Some(since), true, _) => write!(f, "{} was aborted, {since} after it last ran", self.work)?,
            (Some(since), false, _) => write!(f, "{} did not end, and last ran {since} before", self.work)?,
            (None, true, _) => write!(f, "{} was aborted before it ran", self.work)?,
            (None, false, _) => write!(f, "{} never got a thread to run on", self.work)?,
        }
        if let (Some(call), false) = (&self.waits_in, self.blocking) {
            write!(f, ", waiting in {call}")?;
        }
        write!(f, " (polled {}", if self.polls == 1 { "once".to_owned() } else { format!("{} times", self.polls) })?;
        write!(f, "{})", spawned_at(&self.spawned_at))
    }
}
