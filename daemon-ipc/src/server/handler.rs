//! What answers requests: the trait that users implement, what it is given and what it gives back.

use super::{items::Items, items::Pusher, shared::Shared};
use crate::{Failure, Frame, Json, Peer, body::Body, code, json};
use async_trait::async_trait;
use serde::{Serialize, de::DeserializeOwned};
use std::{
    fmt,
    pin::Pin,
    sync::{Arc, OnceLock},
    time::Duration,
};
use tokio_util::sync::CancellationToken;

/// Answers requests.
///
/// Requests of one connection are answered side by side in the task of that connection: a handler that computes for long holds up the
/// others of its connection and belongs on a thread of its own. A panic is answered as a failure, and harms nobody else.
///
/// A request is given up when its sender cancels it or is gone, when its deadline passes, and when the server closes. Its
/// [token](Request::cancelled) is then cancelled, and its handler has [a moment](crate::Limits::cancel_grace) before it is dropped.
/// Work that must not be dropped is to be spawned.
///
/// ```
/// use daemon_ipc::{Failure, Handler, Reply, Request, async_trait};
///
/// struct Calculator;
///
/// #[async_trait]
/// impl Handler for Calculator {
///     async fn handle(&self, request: Request) -> Result<Reply, Failure> {
///         let numbers: Vec<i64> = request.read()?;
///         let sum = numbers.iter().try_fold(0_i64, |sum, number| sum.checked_add(*number));
///         Reply::of(&sum.ok_or_else(|| Failure::new("the sum is too large").with_code("overflow"))?)
///     }
/// }
/// ```
#[async_trait]
pub trait Handler: Send + Sync + 'static {
    /// Answers one request. Its future is dropped when the request was given up and the handler goes on.
    ///
    /// # Errors
    ///
    /// The failure that the sender is told of.
    async fn handle(&self, request: Request) -> Result<Reply, Failure>;
}

#[async_trait]
impl<H: Handler + ?Sized> Handler for Arc<H> {
    async fn handle(&self, request: Request) -> Result<Reply, Failure> {
        (**self).handle(request).await
    }
}

/// A handler made of a function. See [`from_fn`].
#[derive(Clone, Copy)]
pub struct FromFn<F>(F);

/// Makes a handler of an async function.
///
/// ```
/// use daemon_ipc::{Reply, Request, from_fn};
///
/// let echo = from_fn(|request: Request| async move { Ok(Reply::from(request.payload())) });
/// # fn is_handler(_: impl daemon_ipc::Handler) {}
/// # is_handler(echo);
/// ```
pub fn from_fn<F, R>(function: F) -> FromFn<F>
where
    F: Fn(Request) -> R + Send + Sync + 'static,
    R: Future<Output = Result<Reply, Failure>> + Send + 'static,
{
    FromFn(function)
}

/// Written out, so that the function's future is boxed as it is and not inside another.
impl<F, R> Handler for FromFn<F>
where
    F: Fn(Request) -> R + Send + Sync + 'static,
    R: Future<Output = Result<Reply, Failure>> + Send + 'static,
{
    fn handle<'h, 'f>(&'h self, request: Request) -> Pin<Box<dyn Future<Output = Result<Reply, Failure>> + Send + 'f>>
    where
        'h: 'f,
        Self: 'f,
    {
        Box::pin((self.0)(request))
    }
}

impl<F> fmt::Debug for FromFn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("from_fn(..)")
    }
}

/// What a peer asks.
#[derive(Debug)]
pub struct Request {
    frame: Frame,
    number: u64,
    time_limit: Option<Duration>,
    items: Option<Box<Items>>,
    connection: Arc<Shared>,
    /// Kept from when it is first asked for: once the request has ended, the connection knows nothing of it any more.
    given_up: OnceLock<CancellationToken>,
}

impl Request {
    pub(super) fn new(
        frame: Frame,
        number: u64,
        time_limit: Option<Duration>,
        items: Option<Box<Items>>,
        connection: Arc<Shared>,
    ) -> Self {
        Self { frame, number, time_limit, items, connection, given_up: OnceLock::new() }
    }

    /// The payload as a `T`.
    ///
    /// # Errors
    ///
    /// A failure with the code [`BAD_REQUEST`](code::BAD_REQUEST), meant to be answered: there is no payload, or it is no `T`.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        let Some(payload) = self.frame.payload() else {
            return Err(Failure::new("the request has no payload").with_code(code::BAD_REQUEST));
        };
        json::read(payload)
            .map_err(|error| Failure::new(format!("the payload does not fit: {error}")).with_code(code::BAD_REQUEST))
    }

    /// The payload as it came; `None` if there is none.
    #[must_use]
    pub fn payload(&self) -> Option<Json> {
        self.frame.payload_json()
    }

    /// Who asks, as the system tells.
    #[must_use]
    pub fn peer(&self) -> Peer {
        self.connection.peer
    }

    /// How long it may take from when it was handed over, by the sender's own deadline or the server's; `None` if for ever.
    #[must_use]
    pub fn time_limit(&self) -> Option<Duration> {
        self.time_limit
    }

    /// Waits until the request is given up, or its connection ends before it was answered. The future may be taken along by work that the
    /// handler starts. Once the request has been answered nobody gives it up any more, and whoever still waits may wait for ever, also
    /// if the connection ends: work that goes on beyond the answer needs an end of its own, such as that of its daemon.
    ///
    /// ```
    /// # use daemon_ipc::{Failure, Reply, Request};
    /// # use std::time::Duration;
    /// # async fn handle(request: Request) -> Result<Reply, Failure> {
    /// tokio::select! {
    ///     () = request.cancelled() => Err(Failure::new("nobody waits for it")),
    ///     () = tokio::time::sleep(Duration::from_secs(1)) => Ok(Reply::empty()),
    /// }
    /// # }
    /// ```
    ///
    /// # Cancel safety
    /// Cancel safe.
    pub fn cancelled(&self) -> impl Future<Output = ()> + Send + use<> {
        self.given_up().clone().cancelled_owned()
    }

    /// Whether [`cancelled`](Self::cancelled) would return at once: for work that looks now and then, also beyond the
    /// handler if it looked before that ended.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.given_up().is_cancelled()
    }

    fn given_up(&self) -> &CancellationToken {
        self.given_up.get_or_init(|| self.connection.token(self.number))
    }

    /// Sets what is told if the request takes longer than it may, instead of a text that knows nothing of it. The code should be
    /// [`DEADLINE_EXCEEDED`](code::DEADLINE_EXCEEDED).
    pub fn if_late(&self, failure: impl FnOnce() -> Failure + Send + 'static) {
        self.connection.set_late(self.number, Box::new(failure));
    }

    /// Where the items of an answer go that has many.
    ///
    /// # Errors
    ///
    /// A failure with the code [`NOT_STREAMING`](code::NOT_STREAMING), meant to be answered: the sender takes one reply and no more.
    pub fn items(&mut self) -> Result<Items, Failure> {
        self.items.take().map(|items| *items).ok_or_else(|| {
            let text = "the answer has many items; ask for them with `stream`, after a `hello`";
            Failure::new(text).with_code(code::NOT_STREAMING)
        })
    }

    /// A way to tell this peer of events from now on, beside the answer.
    #[must_use]
    pub fn pusher(&self) -> Pusher {
        Pusher::new(&self.connection)
    }
}

/// What a handler answers.
#[derive(Debug, Default)]
pub struct Reply(Body);

impl Reply {
    /// Nothing but that it worked: a reply without a payload.
    #[must_use]
    pub const fn empty() -> Self {
        Self(Body::Empty)
    }

    /// A value.
    ///
    /// # Errors
    ///
    /// A failure with the code [`BAD_REPLY`](code::BAD_REPLY), meant to be answered: it cannot be written as JSON.
    pub fn of<T: Serialize + ?Sized>(value: &T) -> Result<Self, Failure> {
        Body::of(value).map(Self).map_err(|error| {
            Failure::new(format!("the reply cannot be written as JSON: {error}")).with_code(code::BAD_REPLY)
        })
    }

    pub(super) fn into_body(self) -> Body {
        self.0
    }
}

impl From<Json> for Reply {
    fn from(payload: Json) -> Self {
        Self(Body::Shared(payload))
    }
}

/// A payload, or none.
impl From<Option<Json>> for Reply {
    fn from(payload: Option<Json>) -> Self {
        payload.map_or_else(Self::empty, Self::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Limits;

    #[test]
    fn that_a_request_was_given_up_is_known_beyond_its_end() {
        let shared = Arc::new(Shared::new(Peer::default(), Arc::new(Limits::default())));
        let frame = Frame::read(r#"{"id":1,"type":"request"}"#.into()).ok().unwrap();
        let request = Request::new(frame, 7, None, None, Arc::clone(&shared));
        assert!(!request.is_cancelled());
        shared.cancel(7);
        shared.forget(7);
        assert!(request.is_cancelled());
    }
}
