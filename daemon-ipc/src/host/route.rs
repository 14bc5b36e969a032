//! What becomes of a request to a host: a command is called, or events are subscribed to.

use super::{counted::Counts, room::Room, tapped};
use crate::{
    Failure, Handler, Json, Reply, Request, async_trait, code,
    command::{Asked, failure_of},
};
use daemon_core::{CallError, Context, HostHandle, State};
use serde_json::value::RawValue;
use std::time::Duration;
use tokio::time::sleep;

/// What there is to ask, for those who ask for something else.
const USAGE: &str =
    r#"ask for a command with {"command":"daemon.command","request":..}, for events with {"subscribe":"topic:**"}"#;

/// How long what is asked may be that is named in an answer: two names of the longest kind, and topics of many words.
const LONGEST: usize = 256;

/// How long calls under way have to end once the server stops: while the host runs on, and in its shutdown, when there are no others left than
/// to what stops beside the server.
const DRAIN: Duration = Duration::from_secs(2);
const DRAIN_IN_SHUTDOWN: Duration = Duration::from_millis(250);

/// Answers what is asked of a host.
pub(super) struct Route {
    cx: Context,
    host: HostHandle,
    commands: Room,
    subscriptions: Room,
    counts: Counts,
}

impl Route {
    /// Lets so many commands of each daemon be at work, and so many subscriptions be open.
    pub(super) fn new(cx: Context, max_commands: usize, max_subscriptions: usize) -> Self {
        let (host, counts) = (cx.host(), Counts::of(&cx));
        let (commands, subscriptions) = (Room::new(max_commands), Room::new(max_subscriptions));
        Self { cx, host, commands, subscriptions, counts }
    }

    /// Calls a command, and hands over its reply as JSON.
    async fn call(&self, route: &str, text: &str, request: &Request) -> Result<Reply, Failure> {
        let (daemon, command) = self.find(route)?;
        if let Some(limit) = request.time_limit() {
            let late = late(daemon, command, limit);
            request.if_late(move || failure_of(&late));
        }
        let permit = self.commands.enter(daemon).ok_or_else(|| {
            busy(format!(
                "daemon `{daemon}` has as many commands at work for other processes as it may; try again later"
            ))
        })?;
        let (cx, host, text) = (self.cx.clone(), self.host.clone(), text.to_owned());
        let (daemon, command) = (daemon.to_owned(), command.to_owned());
        // A task of its own: the command goes on though the request is given up, and has its permit until it has ended.
        let called = self.cx.spawn(route, async move {
            let _permit = permit;
            tokio::select! {
                biased;
                reply = host.call_json(&daemon, &command, text) => Some(reply),
                () = drained(&cx) => None,
            }
        });
        let stopping = || Failure::new("the server is shutting down").with_code(code::SHUTTING_DOWN);
        let reply = called.map_err(|_| stopping())?.await.map_err(|_| stopping())?.ok_or_else(stopping)?;
        let reply = reply.map_err(|error| failure_of(&error))?;
        Ok(reply.parse::<Json>()?.into())
    }

    /// The daemon and the command that a route names. Names may have dots, so the longest daemon's name counts that is one.
    fn find<'r>(&self, route: &'r str) -> Result<(&'r str, &'r str), Failure> {
        let splits = route.rmatch_indices('.').map(|(at, _)| (&route[..at], &route[at + 1..]));
        let mut known = splits.filter(|(daemon, _)| self.host.has_daemon(daemon));
        known.next().ok_or_else(|| {
            let daemon = route.split_once('.').map_or(route, |(daemon, _)| daemon).to_owned();
            failure_of(&CallError::UnknownDaemon { daemon, known: self.host.daemon_names().join(", ") })
        })
    }

    async fn subscribe(&self, pattern: &str, request: &mut Request) -> Result<Reply, Failure> {
        let _permit = self.subscriptions.enter("").ok_or_else(|| {
            busy("this host has as many subscriptions of other processes as it may; try again later".to_owned())
        })?;
        tapped::tell(&self.host, pattern, request).await
    }
}

/// Waits until calls under way are not waited for any more, because the server stops.
async fn drained(cx: &Context) {
    cx.cancelled().await;
    sleep(if cx.host().status().state == State::Stopping { DRAIN_IN_SHUTDOWN } else { DRAIN }).await;
}

/// What is told of a command that took too long.
fn late(daemon: &str, command: &str, limit: Duration) -> CallError {
    CallError::Timeout { daemon: daemon.to_owned(), command: command.to_owned(), limit }
}

fn busy(text: String) -> Failure {
    Failure::new(text).with_code(code::BUSY)
}

fn bad(text: impl std::fmt::Display) -> Failure {
    let mut text = text.to_string();
    // It may repeat what was asked, which may be as long as a frame.
    if let Some((end, _)) = text.char_indices().nth(LONGEST) {
        text.truncate(end);
        text.push_str("..");
    }
    Failure::new(format!("{text}; {USAGE}")).with_code(code::BAD_REQUEST)
}

impl Route {
    /// Answers what is asked for.
    async fn answer(&self, mut request: Request) -> Result<Reply, Failure> {
        let payload = request.payload().ok_or_else(|| bad("the request has no payload"))?;
        // A list would be read as the fields of the object, in their order.
        if !payload.as_str().starts_with('{') {
            return Err(bad("the payload is no object"));
        }
        let asked = serde_json::from_str::<Asked<'_>>(payload.as_str());
        match asked.map_err(|error| bad(format_args!("the payload does not fit: {error}")))? {
            Asked { command: Some(name), .. } | Asked { subscribe: Some(name), .. } if name.len() > LONGEST => {
                Err(bad(format_args!("there is no name or topic of {} bytes", name.len())))
            }
            Asked { command: Some(route), request: text, subscribe: None } => {
                self.call(&route, text.map_or("null", RawValue::get), &request).await
            }
            Asked { subscribe: Some(pattern), command: None, request: None } => {
                self.subscribe(&pattern, &mut request).await
            }
            Asked { command: None, subscribe: None, .. } => Err(bad("the payload names neither")),
            Asked { .. } => Err(bad("the payload asks for two things")),
        }
    }
}

#[async_trait]
impl Handler for Route {
    async fn handle(&self, request: Request) -> Result<Reply, Failure> {
        let counted = self.counts.begin();
        let answered = self.answer(request).await;
        counted.end(answered.as_ref().err());
        answered
    }
}
