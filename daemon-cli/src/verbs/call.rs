//! Calling commands by name, and telling which there are.

use std::io::Read;

use daemon_core::{Call, CallError, CommandInfo};
use daemon_ipc::Json;
use serde_json::Value;

use super::Asked;
use crate::client::Deadline;
use crate::error::{Error, Kind};
use crate::output::Out;
use crate::table::{Side, Table};
use crate::words::clean;

pub(super) async fn call(asked: &Asked<'_>, route: &str, request: Option<String>) -> Result<(), Error> {
    let usage = |text: String| Error::new(Kind::Usage, text);
    let (daemon, command) =
        route.rsplit_once('.').ok_or_else(|| usage(format!("`{route}` names no command; write DAEMON.COMMAND")))?;
    let text = match request.as_deref() {
        None => "null".to_owned(),
        Some("-") => from_stdin(asked.deadline).await?,
        Some(text) => text.to_owned(),
    };
    let hint = format!("write it as in {route} '{{\"id\": 7}}', and text as in {route} '\"text\"'");
    let request: Json =
        text.trim().parse().map_err(|error| usage(format!("the request is no JSON ({error}); {hint}")))?;
    let session = asked.open().await?;
    let reply = session.connection.call_within::<_, Json>(daemon, command, &request, asked.deadline.left()).await;
    let needs_one = matches!(&reply, Err(CallError::Request(_))) && text == "null";
    let reply = session.heard(reply).map_err(|error| match needs_one {
        true => Error { message: format!("{route} takes a request, in JSON; {hint}: {}", error.message), ..error },
        false => error,
    })?;
    match asked.out.json {
        true => asked.out.text(&format!("{}\n", reply.as_str())),
        false => asked.out.text(&pretty(reply.as_str())),
    }
}

/// Reads standard input to its end, but no longer than there is time.
async fn from_stdin(deadline: Deadline) -> Result<String, Error> {
    let read = tokio::task::spawn_blocking(|| {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).map(|_| text)
    });
    let failed = |error: &dyn std::fmt::Display| Error::failed(format!("cannot read standard input: {error}"));
    let read = tokio::time::timeout(deadline.left(), read).await;
    let read = read.map_err(|_| Error::timed_out("standard input did not end", deadline.limit))?;
    read.map_err(|error| failed(&error))?.map_err(|error| failed(&error))
}

/// JSON for people: in lines, and text alone without quotes.
fn pretty(json: &str) -> String {
    match serde_json::from_str::<Value>(json) {
        Ok(Value::Null) => String::new(),
        Ok(Value::String(text)) => format!("{}\n", text.split('\n').map(clean).collect::<Vec<_>>().join("\n")),
        Ok(value) => serde_json::to_string_pretty(&value).unwrap_or_else(|_| json.to_owned()) + "\n",
        Err(_) => format!("{json}\n"),
    }
}

pub(super) async fn commands(asked: &Asked<'_>, which: Option<&str>) -> Result<(), Error> {
    let session = asked.open().await?;
    let mut commands = session.heard(session.control().commands().await)?;
    if let Some(which) = which {
        commands.retain(|info| info.daemon == which || route(info) == which);
        if commands.is_empty() {
            return Err(Error::failed(format!("there is no daemon and no command `{which}` that has commands")));
        }
    }
    asked.out.answer(&commands, || match (&*commands, which) {
        ([one], Some(which)) if route(one) == which => description(one),
        (all, _) => list(all, &asked.out),
    })
}

fn route(info: &CommandInfo) -> String {
    format!("{}.{}", info.daemon, info.command)
}

fn list(commands: &[CommandInfo], out: &Out) -> String {
    let mut table = Table::new([("COMMAND", Side::Left), ("WHAT IT DOES", Side::Left)]);
    for info in commands {
        let first: Vec<_> = info.doc.lines().map(str::trim).take_while(|line| !line.is_empty()).collect();
        let first = first.join(" ");
        table.row([route(info).into(), first.into()], []);
    }
    out.table(&table)
}

fn description(info: &CommandInfo) -> String {
    let mut text = format!("{}\n", route(info));
    info.doc.lines().for_each(|line| text.push_str(&format!("  {}\n", clean(line.trim()))));
    for (title, schema) in [("request", &info.request), ("reply", &info.reply)] {
        if let Some(schema) = schema {
            let schema = serde_json::to_string_pretty(schema).unwrap_or_default().replace('\n', "\n  ");
            text.push_str(&format!("{title}\n  {schema}\n"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_is_laid_out_for_people() {
        assert_eq!(pretty("null"), "");
        assert_eq!(pretty(r#""one\ntwo\u001b""#), "one\ntwo\\u{1b}\n");
        assert_eq!(pretty(r#"{"sum":42}"#), "{\n  \"sum\": 42\n}\n");
        assert_eq!(pretty("42"), "42\n");
    }
}
