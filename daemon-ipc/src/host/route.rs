//! What becomes of a request to a host: a command is called, or events are subscribed to.

use crate::{
    Failure, Handler, Json, Reply, Request, async_trait, code,
    command::{Asked, failure_of},
};
use daemon_core::{CallError, Context, HostHandle};
use serde_json::value::RawValue;
use std::{sync::Arc, time::Duration};
use tokio::sync::Semaphore;

/// What there is to ask, for those who ask for something else.
const USAGE: &str =
    r#"ask for a command with {"command":"daemon.command","request":..}, for events with {"subscribe":"topic:**"}"#;

/// Answers what is asked of a host.
pub(super) struct Route {
    cx: Context,
    host: HostHandle,
    /// One permit for each command that may be at work.
    room: Arc<Semaphore>,
}

impl Route {
    pub(super) fn new(cx: Context, max_commands: usize) -> Self {
        let host = cx.host();
        Self { cx, host, room: Arc::new(Semaphore::new(max_commands)) }
    }

    /// Calls a command, and hands over its reply as JSON.
    async fn call(&self, route: &str, text: &str, request: &Request) -> Result<Reply, Failure> {
        let (daemon, command) = self.find(route)?;
        if let Some(limit) = request.time_limit() {
            let late = late(daemon, command, limit);
            request.if_late(move || failure_of(&late));
        }
        let Ok(permit) = Arc::clone(&self.room).try_acquire_owned() else {
            let text = "this host has as many commands at work as it takes; try again later";
            return Err(Failure::new(text).with_code(code::BUSY));
        };
        let (host, name, text) = (self.host.clone(), route.to_owned(), text.to_owned());
        let (daemon, command) = (daemon.to_owned(), command.to_owned());
        // A task of its own: the command goes on though the request is given up, and has its permit until it has ended.
        let called = self.cx.spawn(&name, async move {
            let reply = host.call_json(&daemon, &command, text).await;
            drop(permit);
            reply
        });
        let stopping = || Failure::new("the server is shutting down").with_code(code::SHUTTING_DOWN);
        let reply = called.map_err(|_| stopping())?.await.map_err(|_| stopping())?;
        let reply = reply.map_err(|error| failure_of(&error))?;
        Ok(reply.parse::<Json>()?.into())
    }

    /// The daemon and the command that a route names. Names may have dots, so the longest daemon's name counts that is one.
    fn find<'r>(&self, route: &'r str) -> Result<(&'r str, &'r str), Failure> {
        let names = self.host.daemon_names();
        let splits = route.rmatch_indices('.').map(|(at, _)| (&route[..at], &route[at + 1..]));
        let mut known = splits.filter(|(daemon, _)| names.iter().any(|name| name == daemon));
        known.next().ok_or_else(|| {
            let daemon = route.split_once('.').map_or(route, |(daemon, _)| daemon).to_owned();
            failure_of(&CallError::UnknownDaemon { daemon, known: names.join(", ") })
        })
    }
}

/// What is told of a command that took too long.
fn late(daemon: &str, command: &str, limit: Duration) -> CallError {
    CallError::Timeout { daemon: daemon.to_owned(), command: command.to_owned(), limit }
}

#[async_trait]
impl Handler for Route {
    async fn handle(&self, mut request: Request) -> Result<Reply, Failure> {
        let bad = |text: String| Failure::new(format!("{text}; {USAGE}")).with_code(code::BAD_REQUEST);
        let payload = request.payload().ok_or_else(|| bad("the request has no payload".to_owned()))?;
        // A list would be read as the fields of the object, in their order.
        if !payload.as_str().starts_with('{') {
            return Err(bad("the payload is no object".to_owned()));
        }
        let asked: Asked<'_> = serde_json::from_str(payload.as_str())
            .map_err(|error| bad(format!("the payload does not fit: {error}")))?;
        match asked {
            Asked { command: Some(route), request: text, subscribe: None } => {
                self.call(&route, text.map_or("null", RawValue::get), &request).await
            }
            Asked { subscribe: Some(pattern), command: None, request: None } => {
                super::tapped::tell(&self.host, &pattern, &mut request).await
            }
            Asked { command: None, subscribe: None, .. } => Err(bad("the payload names neither".to_owned())),
            Asked { .. } => Err(bad("the payload asks for two things".to_owned())),
        }
    }
}
