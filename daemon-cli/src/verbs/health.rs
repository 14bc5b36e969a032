//! How the host is.

use daemon_ipc::control::{CheckHealth, Health, Verdict};

use super::Asked;
use crate::error::Error;
use crate::output::Out;
use crate::table::{Cell, Side, Table, Tone};
use crate::words::short;
use std::time::Duration;

pub(super) async fn show(asked: &Asked<'_>) -> Result<(), Error> {
    let session = asked.open().await?;
    let health = session.heard(session.control().health().await)?;
    asked.out.answer(&health, || text(&health, &asked.out))?;
    if health.verdict.is_passing() { Ok(()) } else { Err(Error::failed("")) }
}

fn tone(verdict: Verdict) -> Tone {
    match verdict {
        Verdict::Healthy => Tone::Good,
        Verdict::Degraded | Verdict::Unknown => Tone::Odd,
        Verdict::Unhealthy => Tone::Bad,
    }
}

fn text(health: &Health, out: &Out) -> String {
    let mut text = format!("{} is {}\n", health.name, out.paint(tone(health.verdict), health.verdict.as_str()));
    let titles = [
        ("DAEMON", Side::Left),
        ("HEALTH", Side::Left),
        ("CHECK", Side::Left),
        ("OF", Side::Left),
        ("TOOK", Side::Right),
    ];
    let mut table = Table::new(titles);
    for daemon in &health.daemons {
        let verdict = Cell::new(daemon.verdict.as_str(), tone(daemon.verdict));
        let why = daemon.why.iter().map(|why| Cell::new(why.clone(), tone(daemon.verdict))).collect();
        rows(&mut table, [Cell::from(daemon.name.clone()), verdict], why, &daemon.checks);
    }
    let why: Vec<_> = health.why.iter().map(|why| Cell::new(why.clone(), tone(health.verdict))).collect();
    if !health.checks.is_empty() || !why.is_empty() {
        rows(&mut table, ["(host)".into(), "".into()], why, &health.checks);
    }
    text.push_str(&out.table(&table));
    text
}

/// A row for each check of one daemon or of none, with why it is not healthy after the last.
fn rows(table: &mut Table, first: [Cell; 2], why: Vec<Cell>, checks: &[CheckHealth]) {
    let [mut name, mut verdict] = first;
    let mut why = why;
    let last = checks.len().saturating_sub(1);
    for (at, check) in checks.iter().enumerate() {
        let of = match check.kind {
            daemon_core::CheckKind::Liveness => "liveness",
            daemon_core::CheckKind::Readiness => "readiness",
            daemon_core::CheckKind::Startup => "startup",
            _ => "",
        };
        let check_name = Cell::new(check.name.clone(), tone(check.verdict));
        let took = short(Duration::from_micros(check.took_us));
        let notes = if at == last { std::mem::take(&mut why) } else { Vec::new() };
        table.row([name, verdict, check_name, of.into(), took.into()], notes);
        (name, verdict) = ("".into(), "".into());
    }
    if checks.is_empty() {
        table.row([name, verdict], why);
    }
}
