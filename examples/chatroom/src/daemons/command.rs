//! `command`: a table of every command of every daemon, and the one place that runs them by name.

use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use daemon_core::{Call, Context, DaemonBase, Result, daemon};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;

use crate::chaos::Strike;

#[daemon(name = "command")]
pub(crate) struct CommandDaemon {
    stop_after: Option<Duration>,
    table: RwLock<BTreeMap<String, Route>>,
}

/// Where a command leads.
#[derive(Clone, Debug)]
struct Route {
    daemon: String,
    command: String,
}

/// A command by its name in the table, `<daemon> <command>`, and what it is asked.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Invocation {
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) request: Value,
}

#[derive(Debug, Error)]
#[error("no command `{name}`; there are: {known}")]
struct UnknownCommand {
    name: String,
    known: String,
}

#[daemon]
impl CommandDaemon {
    /// The commands there are.
    #[command]
    fn list(&self) -> Result<Vec<String>> {
        Ok(self.table.read().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect())
    }

    /// Runs a command by name.
    #[command]
    async fn run(&self, invocation: Invocation, cx: &Context) -> Result<Value> {
        let route = self.route(&invocation.name)?;
        Ok(cx.call(&route.daemon, &route.command, &invocation.request).await?)
    }

    /// What goes wrong under `--chaos`.
    #[on_event(on_error = restart)]
    async fn struck(&self, strike: &Strike, cx: &Context) -> Result<()> {
        strike.suffer(cx.name()).await
    }
}

impl DaemonBase for CommandDaemon {
    async fn initialize(&self, cx: &Context) -> Result<()> {
        let mut table = BTreeMap::new();
        for daemon in cx.host().status().daemons {
            for command in daemon.commands {
                let name = format!("{} {command}", daemon.name);
                table.insert(name, Route { daemon: daemon.name.clone(), command });
            }
        }
        *self.table.write().unwrap_or_else(PoisonError::into_inner) = table;
        if let Some(time) = self.stop_after {
            let host = cx.clone();
            // Counted from the start of the program, whatever became of this daemon since.
            let left = time.saturating_sub(cx.host().status().uptime);
            cx.defer_initialization(left, move || async move { host.request_shutdown() })?;
        }
        Ok(())
    }
}

impl CommandDaemon {
    /// Obeys `--for`: with a time, the whole host is asked to stop after it.
    pub(crate) fn new(stop_after: Option<Duration>) -> Self {
        Self { stop_after, table: RwLock::default() }
    }

    fn route(&self, name: &str) -> Result<Route, UnknownCommand> {
        let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
        table.get(name).cloned().ok_or_else(|| UnknownCommand {
            name: name.to_owned(),
            known: table.keys().map(String::as_str).collect::<Vec<_>>().join(", "),
        })
    }
}
