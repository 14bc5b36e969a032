//! The daemons of a host: what they are, what each does, and steering one.

use daemon_core::{DaemonStatus, Histogram, Plane, SubscriptionStatus};
use daemon_ipc::control::{DaemonInterval, DaemonName, DaemonSubscription, Which};

use super::{Asked, odd_count, schedule, state_cell};
use crate::args::DaemonAction;
use crate::error::Error;
use crate::output::Out;
use crate::table::{Cell, Side, Table, Tone};
use crate::words::{short, short_or_dash};

pub(super) async fn show(asked: &Asked<'_>, daemon: Option<String>) -> Result<(), Error> {
    let session = asked.open().await?;
    let is_one = daemon.is_some();
    let daemons = session.heard(session.control().daemons(&Which { daemon }).await)?;
    asked.out.answer(&daemons, || match daemons.first().filter(|_| is_one) {
        Some(daemon) => one(daemon, &asked.out),
        None => list(&daemons, &asked.out),
    })
}

fn list(daemons: &[DaemonStatus], out: &Out) -> String {
    let left = ["DAEMON", "STATE"].map(|title| (title, Side::Left));
    let right = ["HANDLERS", "INTERVALS", "COMMANDS", "TASKS"].map(|title| (title, Side::Right));
    let mut table = Table::new(left.into_iter().chain(right).chain([("NEEDS", Side::Left)]));
    for daemon in daemons {
        let cells = [
            daemon.name.clone().into(),
            state_cell(daemon.state),
            daemon.subscriptions.len().to_string().into(),
            daemon.intervals.len().to_string().into(),
            daemon.commands.len().to_string().into(),
            daemon.tasks.len().to_string().into(),
            needs(daemon).into(),
        ];
        table.row(cells, []);
    }
    out.table(&table)
}

fn needs(daemon: &DaemonStatus) -> String {
    let wants = daemon.wants.iter().map(|wanted| format!("({wanted})"));
    daemon.requires.iter().cloned().chain(wants).collect::<Vec<_>>().join(" ")
}

/// All there is to know of one.
fn one(daemon: &DaemonStatus, out: &Out) -> String {
    let DaemonStatus { name, state, wave, optional, plane, .. } = daemon;
    let mut text = format!("{name} is {}: wave {wave}", out.paint(super::state_tone(*state), state.as_str()));
    let remarks = [(*optional, ", optional"), (*plane == Plane::Operations, ", on the operations plane")];
    remarks.iter().filter(|(is, _)| *is).for_each(|(_, remark)| text.push_str(remark));
    text.push('\n');
    let mut fact = |title: &str, of: String| {
        if !of.is_empty() {
            text.push_str(&format!("  {title:<9} {}\n", crate::words::clean(&of)));
        }
    };
    fact("requires", daemon.requires.join(", "));
    fact("wants", daemon.wants.join(", "));
    fact("commands", daemon.commands.join(", "));
    let numbers = [(daemon.restarts, "restarts"), (daemon.errors, "errors"), (daemon.panics, "panics")];
    fact("counts", numbers.map(|(number, of)| format!("{number} {of}")).join(", "));
    fact("failed", daemon.reason.clone().unwrap_or_default());
    fact("degraded", daemon.degraded.join("; "));
    let subscriptions: Vec<_> = daemon.subscriptions.iter().map(|status| (&*daemon.name, status)).collect();
    let intervals = daemon.intervals.iter().cloned();
    let intervals: Vec<_> = intervals.map(|status| DaemonInterval { daemon: daemon.name.clone(), status }).collect();
    let tables = [subscription_table(&subscriptions), schedule::table(&intervals), task_table(daemon)];
    for table in tables.iter().filter(|table| !table.is_empty()) {
        text.push_str(&out.table(table));
    }
    text
}

fn task_table(daemon: &DaemonStatus) -> Table {
    let columns = [
        ("TASK", Side::Left),
        ("KIND", Side::Left),
        ("AGE", Side::Right),
        ("IDLE", Side::Right),
        ("WAITS IN", Side::Left),
    ];
    let mut table = Table::new(columns);
    for task in &daemon.tasks {
        let waits = task.waits_in.clone().unwrap_or_default();
        let cells = [
            task.name.clone().into(),
            task.kind.to_string().into(),
            short(task.age).into(),
            short_or_dash(task.idle).into(),
            waits.into(),
        ];
        table.row(cells, []);
    }
    table
}

pub(super) async fn subscriptions(asked: &Asked<'_>, daemon: Option<String>) -> Result<(), Error> {
    let session = asked.open().await?;
    let all = session.heard(session.control().subscriptions(&Which { daemon }).await)?;
    asked.out.answer(&all, || {
        let rows: Vec<_> = all.iter().map(|DaemonSubscription { daemon, status }| (&**daemon, status)).collect();
        asked.out.table(&subscription_table(&rows))
    })
}

fn subscription_table(rows: &[(&str, &SubscriptionStatus)]) -> Table {
    let right = ["OFFERED", "HANDLED", "FAILED", "DROPPED", "QUEUED", "P99"].map(|title| (title, Side::Right));
    let mut table = Table::new([("SUBSCRIPTION", Side::Left)].into_iter().chain(right));
    for (daemon, status) in rows {
        let quantile = |times: &Histogram| times.quantile(0.99).map_or_else(|| "-".to_owned(), short);
        let cells = [
            format!("{daemon}.{}", status.name).into(),
            status.offered.to_string().into(),
            status.handled.to_string().into(),
            odd_count(status.failed),
            odd_count(status.dropped),
            (status.queued + status.in_flight).to_string().into(),
            quantile(&status.times).into(),
        ];
        table.row(cells, [Cell::new(status.topic.clone(), Tone::Dim)]);
    }
    table
}

pub(super) async fn steer(asked: &Asked<'_>, action: DaemonAction) -> Result<(), Error> {
    let session = asked.open().await?;
    let control = session.control();
    let status = match action {
        DaemonAction::Start { daemon } => control.start_daemon(&DaemonName { daemon }).await,
        DaemonAction::Stop { daemon } => control.stop_daemon(&DaemonName { daemon }).await,
        DaemonAction::Restart { daemon } => control.restart_daemon(&DaemonName { daemon }).await,
    };
    let status = session.heard(status)?;
    asked.out.answer(&status, || {
        format!("{} is {}\n", status.name, asked.out.paint(super::state_tone(status.state), status.state.as_str()))
    })
}
