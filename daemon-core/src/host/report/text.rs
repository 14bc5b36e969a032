//! Reports as a person reads them.

use std::fmt;

use super::{Cut, EventAccount, Left, ShutdownReport, StartReport};
use crate::status::{State, Transition, Unheard};

/// A duration of so many milliseconds, short enough for a table.
fn short(ms: u64) -> String {
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..60_000 => format!("{}.{} s", ms / 1_000, ms % 1_000 / 100),
        _ => format!("{}m {:02}s", ms / 60_000, ms % 60_000 / 1_000),
    }
}

/// Where this crate's sources are; what was spawned there was spawned by the host.
const HOST: &str = {
    let (here, _) = file!().as_bytes().split_at(file!().len() - "host/report/text.rs".len());
    match str::from_utf8(here) {
        Ok(here) => here,
        Err(_) => panic!("the path was text before it was cut at a slash"),
    }
};

/// Where a piece of work was spawned, in words; nothing if that was the host, which tells nobody anything.
pub(in crate::host) fn spawned_at(place: &str) -> String {
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
        for handler in &self.handlers {
            let problem = handler.problem.as_ref().map(|problem| format!("  {problem}")).unwrap_or_default();
            writeln!(f, "  shutdown handler {}  {:>7}{problem}", handler.name, short(handler.stop_ms))?;
            handler.cut.iter().try_for_each(|cut| writeln!(f, "          {cut}"))?;
        }
        self.problems.iter().try_for_each(|problem| writeln!(f, "  {problem}"))?;
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
            (Some(since), true, true) => {
                write!(f, "{} had blocked a thread for {since}, and has ended since", self.work)?;
            }
            (Some(since), false, true) => write!(f, "{} has blocked a thread for {since}", self.work)?,
            (Some(since), true, _) => write!(f, "{} was aborted, {since} after it last ran", self.work)?,
            (Some(since), false, _) => write!(f, "{} did not end, and last ran {since} before", self.work)?,
            (None, true, _) => write!(f, "{} was aborted before it ran", self.work)?,
            (None, false, _) if self.behind.is_empty() => write!(f, "{} never got a thread to run on", self.work)?,
            (None, false, _) => {
                let behind: Vec<_> = self.behind.iter().map(|name| format!("`{name}`")).collect();
                let (work, s) = (&self.work, if behind.len() == 1 { "" } else { "s" });
                write!(f, "{work} had not begun, behind the destructor{s} of {}", behind.join(" and "))?;
            }
        }
        if let (Some(call), false) = (&self.waits_in, self.blocking) {
            write!(f, ", waiting in {call}")?;
        }
        write!(f, " (polled {}", if self.polls == 1 { "once".to_owned() } else { format!("{} times", self.polls) })?;
        write!(f, "{})", spawned_at(&self.spawned_at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How a report tells of work, by when it last ran and what became of it.
    fn told(idle_ms: Option<u64>, gone: bool, blocking: bool, behind: &[&str]) -> String {
        let cut = Cut {
            work: "it".to_owned(),
            spawned_at: "src/main.rs:7".to_owned(),
            polls: u64::from(idle_ms.is_some()),
            idle_ms,
            waits_in: Some("cx.publish".to_owned()),
            blocking,
            gone,
            behind: behind.iter().map(ToString::to_string).collect(),
        };
        cut.to_string()
    }

    #[test]
    fn work_that_was_cut_is_told_of_as_it_was() {
        let (waits, once) = (", waiting in cx.publish", " (polled once, spawned at src/main.rs:7)");
        let never = format!("{waits} (polled 0 times, spawned at src/main.rs:7)");
        for (told, words, where_from) in [
            (told(Some(5), true, true, &[]), "it had blocked a thread for 5 ms, and has ended since", once.to_owned()),
            (told(Some(5), false, true, &[]), "it has blocked a thread for 5 ms", once.to_owned()),
            (told(Some(1_500), true, false, &[]), "it was aborted, 1.5 s after it last ran", format!("{waits}{once}")),
            (
                told(Some(90_000), false, false, &[]),
                "it did not end, and last ran 1m 30s before",
                format!("{waits}{once}"),
            ),
            (told(None, true, false, &[]), "it was aborted before it ran", never.clone()),
            (told(None, false, false, &[]), "it never got a thread to run on", never.clone()),
            (told(None, false, false, &["a"]), "it had not begun, behind the destructor of `a`", never.clone()),
            (told(None, false, false, &["a", "b"]), "it had not begun, behind the destructors of `a` and `b`", never),
        ] {
            assert_eq!(told, format!("{words}{where_from}"));
        }
    }

    #[test]
    fn where_the_host_spawned_it_is_nobody_s_concern() {
        assert_eq!(spawned_at(&format!("{}:1", file!())), "");
        assert_eq!(spawned_at("src/main.rs:7"), ", spawned at src/main.rs:7");
    }

    #[test]
    fn of_a_long_journal_the_latest_lines_are_shown() {
        let line = |at_ms| Transition { at_ms, daemon: None, state: State::Running, cause: None };
        let shown = |lines: u64| {
            let mut report = ShutdownReport::refused("t".to_owned(), 1, "it says");
            report.journal = (0..lines).map(line).collect();
            let text = report.to_string();
            text.lines().skip_while(|line| !line.starts_with("  journal")).map(str::to_owned).collect::<Vec<_>>()
        };
        assert!(shown(0).is_empty());
        assert_eq!(shown(40).len(), 1 + 40);
        let latest = shown(41);
        assert_eq!((&*latest[0], latest.len()), ("  journal, the latest 40 of 41", 1 + 40));
        assert!(latest[1].contains("0.001 s  (host)  running"), "{latest:?}");
    }
}
