//! What a reload came to: typed, serialisable, printable.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a reload came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ReloadOutcome {
    /// Every daemon that runs has the new configuration.
    Reloaded,
    /// It could not be loaded, or a daemon refused it when it was asked. Nothing has changed.
    Refused,
    /// A daemon could not take it on. Those that had were given the one before again.
    RolledBack,
    /// The host began to shut down meanwhile.
    Abandoned,
}

/// What a reload came to for one daemon.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum DaemonReloadOutcome {
    /// It was not reloaded: it did not run, or its turn did not come.
    Unchanged,
    /// It has the new configuration.
    Reloaded,
    /// It refused the new configuration when it was asked.
    Refused,
    /// It could not take the new configuration on, and says that it has the one before.
    Failed,
    /// It had the new configuration, and has the one before again.
    RolledBack,
    /// Nobody knows which configuration it has, so it is restarted as its policy says.
    Restarting,
}

impl fmt::Display for DaemonReloadOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Unchanged => "unchanged",
            Self::Reloaded => "reloaded",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::RolledBack => "rolled back",
            Self::Restarting => "restarting",
        })
    }
}

/// How a reload went.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ReloadReport {
    /// The host's name.
    pub name: String,
    /// What it came to.
    pub outcome: ReloadOutcome,
    /// What asked for it.
    pub cause: String,
    /// Why the configuration could not be loaded.
    pub reason: Option<String>,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
    /// The daemons, by wave.
    pub daemons: Vec<DaemonReload>,
}

/// How the reload of one daemon went.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct DaemonReload {
    /// The daemon's name.
    pub name: String,
    /// What it came to.
    pub outcome: DaemonReloadOutcome,
    /// Why it refused or failed.
    pub reason: Option<String>,
}

impl ReloadReport {
    /// Whether every daemon that runs has the new configuration.
    #[must_use]
    pub fn is_reloaded(&self) -> bool {
        self.outcome == ReloadOutcome::Reloaded
    }

    /// The daemon of that name.
    #[must_use]
    pub fn daemon(&self, name: &str) -> Option<&DaemonReload> {
        self.daemons.iter().find(|daemon| daemon.name == name)
    }
}

impl fmt::Display for ReloadReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = match self.outcome {
            ReloadOutcome::Reloaded => "reloaded",
            ReloadOutcome::Refused => "refused to reload",
            ReloadOutcome::RolledBack => "did not reload, and has its configuration from before",
            ReloadOutcome::Abandoned => "did not reload, since it stops",
        };
        let Self { name, cause, took_ms, .. } = self;
        writeln!(f, "{name} {verdict}: {cause}; it took {took_ms} ms")?;
        if let Some(reason) = &self.reason {
            writeln!(f, "  the configuration: {reason}")?;
        }
        let told: Vec<_> =
            self.daemons.iter().filter(|daemon| daemon.outcome != DaemonReloadOutcome::Unchanged).collect();
        let wide = told.iter().map(|daemon| daemon.name.chars().count()).max().unwrap_or(0);
        for DaemonReload { name, outcome, reason } in told {
            let line = format!("  {name:wide$}  {outcome:11}  {}", reason.as_deref().unwrap_or(""));
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}
