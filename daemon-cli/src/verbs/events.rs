//! Looking on at what is published.

use daemon_core::CallError;
use daemon_ipc::{Published, RequestError, code};

use super::Asked;
use crate::error::Error;
use crate::output::{Out, say};
use crate::table::Tone;
use crate::words::{clean, count, cut, time_of_day};

/// Shows events as they are published, until so many have come, the host has stopped, or nobody reads them.
pub(super) async fn follow(asked: &Asked<'_>, pattern: &str, most: Option<u64>) -> Result<(), Error> {
    if most == Some(0) {
        return Ok(());
    }
    let session = asked.open().await?;
    // A subscription lasts as long as it lasts, so whether anybody answers is found out before.
    match session.control().status().await {
        Err(CallError::UnknownDaemon { .. }) => {}
        answered => drop(session.heard(answered)?),
    }
    let connection = session.connection.without_timeout();
    let subscribed = connection.subscribe(pattern).await;
    let mut events = subscribed.map_err(|error| Error::of_request(&error))?;
    let mut seen = 0;
    while let Some(event) = events.next().await {
        let event = match event {
            Err(RequestError::Failed(failure)) if failure.has_code(code::SHUTTING_DOWN) => break,
            event => event.map_err(|error| Error::of_request(&error))?,
        };
        match asked.out.json {
            true => asked.out.json(&event)?,
            false => asked.out.text(&text(&event, &asked.out))?,
        }
        seen += 1;
        if Some(seen) == most {
            return Ok(());
        }
    }
    if !asked.out.json {
        say(format_args!("{}: it has stopped", asked.instance.name));
    }
    Ok(())
}

fn text(event: &Published, out: &Out) -> String {
    let mut text = String::new();
    if event.missed > 0 {
        let missed = count(usize::try_from(event.missed).unwrap_or(usize::MAX), "event");
        text.push_str(&(out.paint(Tone::Bad, &format!("{missed} missed, since they came too fast")) + "\n"));
    }
    let Published { topic, publisher, payload, .. } = event;
    let payload = payload.as_ref().map_or("(not for other processes)", |payload| payload.as_str());
    let line = format!("{}  {}  {publisher}  {}", time_of_day(event.published_at()), clean(topic), clean(payload));
    text.push_str(&out.longest_line().map_or_else(|| line.clone(), |columns| cut(&line, columns)));
    text.push('\n');
    text
}
