//! Intervals: listed, paused, resumed, run, changed.

use daemon_core::{IntervalState, IntervalStatus};
use daemon_ipc::control::{DaemonInterval, IntervalName, IntervalPeriod, Which};

use super::{Asked, odd_count};
use crate::args::{Interval, ScheduleAction};
use crate::client::Session;
use crate::error::{Error, Kind};
use crate::table::{Cell, Side, Table, Tone};
use crate::words::{period, short_or_dash};

pub(super) async fn act(asked: &Asked<'_>, action: Option<ScheduleAction>) -> Result<(), Error> {
    let session = asked.open().await?;
    let control = session.control();
    let changed = match action.unwrap_or(ScheduleAction::List { daemon: None }) {
        ScheduleAction::List { daemon } => {
            let all = session.heard(control.schedules(&Which { daemon }).await)?;
            return asked.out.answer(&all, || match all.is_empty() {
                true => "there are no intervals\n".to_owned(),
                false => asked.out.table(&table(&all)),
            });
        }
        ScheduleAction::Pause(of) => control.pause_schedule(&named(&session, of).await?).await,
        ScheduleAction::Resume(of) => control.resume_schedule(&named(&session, of).await?).await,
        ScheduleAction::Run(of) => control.run_schedule(&named(&session, of).await?).await,
        ScheduleAction::Period { of, period } => {
            let IntervalName { daemon, interval } = named(&session, of).await?;
            control.set_period(&IntervalPeriod { daemon, interval, period }).await
        }
    };
    let changed = session.heard(changed)?;
    asked.out.answer(&changed, || asked.out.table(&table(std::slice::from_ref(&changed))))
}

/// The daemon and the interval of it that are meant. Both names may have dots in them, so those there are decide.
async fn named(session: &Session, of: Interval) -> Result<IntervalName, Error> {
    let all = session.heard(session.control().schedules(&Which { daemon: None }).await)?;
    match all.into_iter().find(|one| of.interval == route(&one.daemon, &one.status.name)) {
        Some(DaemonInterval { daemon, status }) => Ok(IntervalName { daemon, interval: status.name }),
        None => match of.interval.rsplit_once('.') {
            Some((daemon, interval)) => Ok(IntervalName { daemon: daemon.to_owned(), interval: interval.to_owned() }),
            None => {
                let text = format!("`{}` names no interval; write DAEMON.INTERVAL", of.interval);
                Err(Error::new(Kind::Usage, text))
            }
        },
    }
}

fn route(daemon: &str, interval: &str) -> String {
    format!("{daemon}.{interval}")
}

pub(super) fn table(intervals: &[DaemonInterval]) -> Table {
    let left = ["INTERVAL", "SCHEDULE", "STATE"].map(|title| (title, Side::Left));
    let right = ["TICKS", "SKIPPED", "FAILED", "LAST", "NEXT"].map(|title| (title, Side::Right));
    let mut table = Table::new(left.into_iter().chain(right));
    for DaemonInterval { daemon, status } in intervals {
        let IntervalStatus { name, schedule, state, ticks, skipped, failed, last_run, next_run, .. } = status;
        let (state, tone) = match state {
            IntervalState::Active if status.running > 0 => ("ticking", Tone::Good),
            IntervalState::Active => ("active", Tone::Good),
            IntervalState::Paused => ("paused", Tone::Odd),
            _ => ("off", Tone::Dim),
        };
        let cells = [
            route(daemon, name).into(),
            status.period.and_then(period).unwrap_or_else(|| schedule.clone()).into(),
            Cell::new(state, tone),
            ticks.to_string().into(),
            odd_count(*skipped),
            odd_count(*failed),
            short_or_dash(*last_run).into(),
            short_or_dash(*next_run).into(),
        ];
        table.row(cells, status.last_error.iter().map(|error| Cell::new(error.clone(), Tone::Odd)));
    }
    table
}
