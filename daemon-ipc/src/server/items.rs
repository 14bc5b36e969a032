//! What a server sends that is not the one answer to a request: the items of a long answer, and events.

use super::shared::{Returned, Shared};
use crate::{Envelope, Failure, FrameError, Json, Kind, code, codec::encode_value};
use serde::Serialize;
use std::{
    fmt,
    future::poll_fn,
    sync::{Arc, Weak},
};
use thiserror::Error;
use tokio::sync::Semaphore;

/// The items of an answer that has many. The handler's reply, or failure, ends it.
///
/// Sending waits while the peer takes no more: nothing piles up. Dropping it sends nothing more.
#[derive(Debug)]
pub struct Items {
    id: Option<Json>,
    /// The greeting, if it is still to be answered; the first item does.
    hello: Option<Arc<str>>,
    window: Arc<Window>,
    connection: Arc<Shared>,
}

/// How many items the peer can still take.
#[derive(Debug)]
pub(super) struct Window(Semaphore);

impl Window {
    pub(super) fn new(items: u32) -> Self {
        let window = Self(Semaphore::new(0));
        window.widen(items);
        window
    }

    /// The peer can take more. What it claims beyond all reason is not believed.
    pub(super) fn widen(&self, items: u32) {
        let room = Semaphore::MAX_PERMITS - self.0.available_permits();
        self.0.add_permits(room.min(items as usize));
    }

    /// The answer ends, or is given up: whoever waits to send hears of it.
    pub(super) fn close(&self) {
        self.0.close();
    }

    pub(super) fn is_closed(&self) -> bool {
        self.0.is_closed()
    }
}

impl Items {
    pub(super) fn new(id: Option<Json>, hello: Option<Arc<str>>, window: Arc<Window>, connection: Arc<Shared>) -> Self {
        Self { id, hello, window, connection }
    }

    /// Sends one item, once the peer can take it.
    ///
    /// # Errors
    ///
    /// A failure meant to be answered: the item cannot be written as JSON or is too long, or the request was given up.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the item is not sent.
    pub async fn send<T: Serialize + ?Sized>(&mut self, item: &T) -> Result<(), Failure> {
        let given_up = || Failure::new("the request was given up").with_code(code::CANCELLED);
        let id = self.id.as_ref().map(Json::as_str);
        let envelope =
            Envelope { id, hello: self.hello.as_deref(), more: Some("true"), ..Envelope::new(Kind::Response) };
        let mut message = Vec::new();
        encode_value(&envelope, item, &self.connection.limits, &mut message)
            .map_err(|error| Failure::of_code(code_of(&error), &error))?;
        let permit = self.window.0.acquire().await.map_err(|_| given_up())?;
        poll_fn(|cx| self.connection.poll_send(cx, &mut message, &self.window)).await.map_err(|_| given_up())?;
        permit.forget();
        self.hello = None;
        Ok(())
    }
}

/// The code of what cannot be written.
pub(super) fn code_of(error: &FrameError) -> &'static str {
    match error {
        FrameError::TooLong { .. } => code::FRAME_TOO_LONG,
        _ => code::BAD_REPLY,
    }
}

/// Tells one peer of events. May be kept for as long as one likes; it keeps no connection open.
#[derive(Clone)]
pub struct Pusher(Weak<Shared>);

/// Why a peer was not told of an event.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PushError {
    /// It has not taken those before; see [`Limits::max_waiting`](crate::Limits::max_waiting).
    #[error("the peer has too many events to read")]
    Full,
    /// Its connection has ended.
    #[error("the peer is gone")]
    Gone,
    /// It has not said that it understands events.
    #[error("the peer does not understand events")]
    Unheard,
    /// The event cannot be sent.
    #[error("the event cannot be sent")]
    Event(#[source] FrameError),
}

impl Pusher {
    pub(super) fn new(connection: &Arc<Shared>) -> Self {
        Self(Arc::downgrade(connection))
    }

    /// Tells of an event. Does not wait.
    ///
    /// # Errors
    ///
    /// [`PushError`]; the event is then not sent.
    pub fn push<T: Serialize + ?Sized>(&self, topic: &str, payload: &T) -> Result<(), PushError> {
        let connection = self.0.upgrade().ok_or(PushError::Gone)?;
        let event = encode_event(topic, payload, &connection.limits).map_err(PushError::Event)?;
        connection.push(event).map_err(|returned| match returned {
            Returned::Full => PushError::Full,
            Returned::Gone => PushError::Gone,
            Returned::Unheard => PushError::Unheard,
        })
    }
}

impl fmt::Debug for Pusher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Pusher").field(&self.0.upgrade().map(|connection| connection.peer)).finish()
    }
}

pub(super) fn encode_event<T: Serialize + ?Sized>(
    topic: &str,
    payload: &T,
    limits: &crate::Limits,
) -> Result<Vec<u8>, FrameError> {
    let topic = Json::of(topic).map_err(|source| FrameError::NotJson { source })?;
    let mut event = Vec::new();
    let envelope = Envelope { topic: Some(topic.as_str()), ..Envelope::new(Kind::Event) };
    encode_value(&envelope, payload, limits, &mut event)?;
    Ok(event)
}
