//! The host as a whole: its status, journal and audit, its logs' level, its configuration.

use std::time::Duration;

use daemon_core::{EventAudit, HostStatus, Transition, Undeclared, Unfed, Unheard};
use daemon_ipc::control::{Lines, LogLevel, SetLogLevel};

use super::{Asked, odd_count, state_cell, state_tone};
use crate::error::Error;
use crate::output::Out;
use crate::table::{Cell, Side, Table, Tone};
use crate::words::{count, short};

pub(super) async fn status(asked: &Asked<'_>) -> Result<(), Error> {
    let session = asked.open().await?;
    let status = session.heard(session.control().status().await)?;
    asked.out.answer(&status, || status_text(&status, &asked.out))
}

fn status_text(status: &HostStatus, out: &Out) -> String {
    let HostStatus { name, pid, daemons, uptime, reloads, .. } = status;
    let state = out.paint(state_tone(status.state), status.state.as_str());
    let reloads = if *reloads == 0 {
        String::new()
    } else {
        format!(", {}", count(usize::try_from(*reloads).unwrap_or(0), "reload"))
    };
    let mut text =
        format!("{name} is {state}: PID {pid}, up {}, {}{reloads}\n", short(*uptime), count(daemons.len(), "daemon"));
    let columns = ["DAEMON", "STATE"].map(|title| (title, Side::Left));
    let counts = ["WAVE", "RESTARTS", "ERRORS", "PANICS", "TASKS"].map(|title| (title, Side::Right));
    let mut table = Table::new(columns.into_iter().chain(counts));
    for daemon in daemons {
        let cells = [
            daemon.name.clone().into(),
            state_cell(daemon.state),
            daemon.wave.to_string().into(),
            odd_count(daemon.restarts),
            odd_count(daemon.errors),
            odd_count(daemon.panics),
            daemon.tasks.len().to_string().into(),
        ];
        let failed = daemon.reason.iter().map(|reason| Cell::new(format!("it failed: {reason}"), Tone::Odd));
        let degraded = daemon.degraded.iter().map(|what| Cell::new(format!("degraded: {what}"), Tone::Odd));
        table.row(cells, failed.chain(degraded));
    }
    text.push_str(&out.table(&table));
    for work in &status.blocked {
        let line = format!("  {} of `{}` has blocked a thread for {}", work.work, work.daemon, short(work.blocked));
        text.push_str(&(out.paint(Tone::Bad, &line) + "\n"));
    }
    text
}

pub(super) async fn journal(asked: &Asked<'_>, lines: usize) -> Result<(), Error> {
    let session = asked.open().await?;
    let journal = session.heard(session.control().journal(&Lines { last: Some(lines) }).await)?;
    asked.out.answer(&journal, || {
        let mut table =
            Table::new([("AFTER", Side::Right), ("WHO", Side::Left), ("STATE", Side::Left), ("CAUSE", Side::Left)]);
        for Transition { at_ms, daemon, state, cause, .. } in &journal {
            let who = daemon.clone().unwrap_or_else(|| "(host)".to_owned());
            let after = format!("{}.{:03} s", at_ms / 1_000, at_ms % 1_000);
            let cause = cause.clone().unwrap_or_default();
            table.row([after.into(), who.into(), state_cell(*state), cause.into()], []);
        }
        asked.out.table(&table)
    })
}

pub(super) async fn audit(asked: &Asked<'_>) -> Result<(), Error> {
    let session = asked.open().await?;
    let audit = session.heard(session.control().audit().await)?;
    asked.out.answer(&audit, || audit_text(&audit, &asked.out))
}

fn audit_text(audit: &EventAudit, out: &Out) -> String {
    let mut text = String::new();
    let mut unheard = Table::new([("NOBODY HEARD", Side::Left), ("FROM", Side::Left), ("EVENTS", Side::Right)]);
    for Unheard { topic, publisher, events, .. } in &audit.unheard {
        unheard.row([topic.clone().into(), publisher.clone().into(), events.to_string().into()], []);
    }
    let mut unfed = Table::new([("HEARD NOTHING", Side::Left), ("TOPIC", Side::Left)]);
    for Unfed { subscription, topic, .. } in &audit.unfed {
        unfed.row([subscription.clone().into(), topic.clone().into()], []);
    }
    let mut undeclared = Table::new([("NOT DECLARED", Side::Left), ("BY", Side::Left)]);
    for Undeclared { publisher, topic, .. } in &audit.undeclared {
        undeclared.row([topic.clone().into(), publisher.clone().into()], []);
    }
    for table in [unheard, unfed, undeclared].iter().filter(|table| !table.is_empty()) {
        text.push_str(&out.table(table));
    }
    if text.is_empty() { "every event was heard, and every subscription heard one\n".to_owned() } else { text }
}

pub(super) async fn reload(asked: &Asked<'_>) -> Result<(), Error> {
    let session = asked.open().await?;
    let report = session.heard(session.control().reload().await)?;
    asked.out.answer(&report, || report.to_string())?;
    if report.is_reloaded() { Ok(()) } else { Err(Error::failed("")) }
}

pub(super) async fn log_level(asked: &Asked<'_>, filter: Option<String>, time: Option<Duration>) -> Result<(), Error> {
    let session = asked.open().await?;
    let level = match filter {
        None => session.control().log_level().await,
        Some(filter) => {
            let for_ms = time.map(|time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
            session.control().set_log_level(&SetLogLevel { filter, for_ms }).await
        }
    };
    let level = session.heard(level)?;
    asked.out.answer(&level, || match &level {
        LogLevel { filter, returns_to: Some(before), returns_in_ms: Some(ms) } => {
            format!("{filter}, and {before} again in {}\n", short(Duration::from_millis(*ms)))
        }
        LogLevel { filter, .. } => format!("{filter}\n"),
    })
}
