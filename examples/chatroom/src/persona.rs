//! Personas: who they are, and the client that listens on behalf of each.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use daemon_core::{Context, Result};
use tokio::sync::oneshot;

use crate::daemons::{CommandDaemon, Invocation};
use crate::entity::{ChatMessage, Created, Status, User, UserKind};
use crate::message::{command, mentions};

/// Their ids and names.
const PERSONAS: [(&str, &str); 14] = [
    ("ada", "Ada"),
    ("alan", "Alan"),
    ("barbara", "Barbara"),
    ("claude", "Claude"),
    ("dennis", "Dennis"),
    ("donald", "Donald"),
    ("edsger", "Edsger"),
    ("frances", "Frances"),
    ("grace", "Grace"),
    ("john", "John"),
    ("katherine", "Katherine"),
    ("ken", "Ken"),
    ("margaret", "Margaret"),
    ("radia", "Radia"),
];

/// The personas this system always has.
pub(crate) fn standing() -> Vec<User> {
    let user = |(id, name): (&str, &str)| User {
        id: id.to_owned(),
        display_name: name.to_owned(),
        kind: UserKind::Persona,
        status: Status::Online,
    };
    PERSONAS.map(user).into()
}

/// A running client: a task of the daemon that started it. Dropping the client ends the task.
#[derive(Debug)]
pub(crate) struct PersonaClient {
    heard: Arc<AtomicU64>,
    _running: oneshot::Sender<Infallible>,
    ended: oneshot::Receiver<Infallible>,
}

impl PersonaClient {
    /// Starts listening for `user`.
    pub(crate) fn start(cx: &Context, user: &User) -> Result<Self> {
        let mut messages = cx.subscribe::<Created<ChatMessage>>()?;
        let heard = Arc::new(AtomicU64::new(0));
        let (running, mut stopped) = oneshot::channel();
        let (alive, ended) = oneshot::channel();
        let (counter, id, own) = (heard.clone(), user.id.clone(), cx.clone());
        let listening = async move {
            let _alive = alive;
            loop {
                let message = tokio::select! {
                    message = messages.recv() => message,
                    _ = &mut stopped => return,
                    () = own.cancelled() => return,
                };
                let Some(message) = message else { return };
                counter.fetch_add(1, Ordering::Relaxed);
                if message.sender != id && mentions(&message.text).any(|name| name == id) {
                    answer(&own, &id, &message).await;
                }
            }
        };
        drop(cx.spawn(&format!("persona {}", user.id), listening)?);
        Ok(Self { heard, _running: running, ended })
    }

    /// A client whose task has ended by itself.
    #[cfg(test)]
    pub(crate) fn dead() -> Self {
        Self { heard: Arc::default(), _running: oneshot::channel().0, ended: oneshot::channel().1 }
    }

    /// Messages this persona has heard.
    pub(crate) fn heard(&self) -> u64 {
        self.heard.load(Ordering::Relaxed)
    }

    /// Whether its task has ended, which nobody asked for while this client is here.
    pub(crate) fn is_dead(&mut self) -> bool {
        !matches!(self.ended.try_recv(), Err(oneshot::error::TryRecvError::Empty))
    }
}

/// A persona that is spoken to runs the command that follows its name.
async fn answer(cx: &Context, id: &str, message: &ChatMessage) {
    let Some((name, request)) = command(&message.text) else { return };
    let request = match request {
        "" => Ok(serde_json::Value::Null),
        text => serde_json::from_str(text),
    };
    let room = &message.room;
    let request = match request {
        Ok(request) => request,
        Err(error) => return tracing::info!("{room}: {id} cannot read what `{name}` is asked: {error}"),
    };
    match CommandDaemon::client(cx).run(&Invocation { name, request }).await {
        Ok(reply) => tracing::info!("{room}: {id} says: {reply}"),
        Err(error) => tracing::info!("{room}: {id} says: {error}"),
    }
}
