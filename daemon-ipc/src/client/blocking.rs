//! A client for programs without a runtime, such as command lines: one request at a time, each with a deadline.

mod builder;
mod commands;
mod replies;
mod until;

use builder::ConnectionBuilder;
pub use commands::Commands;
pub use daemon_core::with_sources;
pub use replies::Replies;

use super::{
    command::call_error,
    digits::{About, DeadlineKey, number_of},
    greeting::Greeting,
};
use crate::{
    BadFrame, ConnectionError, Decoder, Extensions, Failure, Frame, FrameError, Hello, Json, Kind, Limits,
    RequestError,
    body::Body,
    codec::encode_without_payload,
    command::{Ask, Published, Subscribe},
    json,
    outbox::Outbox,
    transport::Blocking,
};
use daemon_core::CallError;
use serde::{Serialize, de::DeserializeOwned};
use std::{io, path::PathBuf, time::Duration};
use until::Until;

/// How many items of a long answer may be on their way.
const WINDOW: u32 = 64;

/// How many bytes are read at once.
const READ: usize = 64 * 1024;

/// A connection to a server, for one caller that waits. Dropping it closes it.
///
/// ```no_run
/// use daemon_ipc::blocking::Connection;
///
/// let mut connection = Connection::connect("/run/user/1000/chat/daemon.sock")?;
/// let status: String = connection.call("status")?;
/// println!("{status}");
/// # Ok::<(), daemon_ipc::RequestError>(())
/// ```
#[derive(Debug)]
pub struct Connection {
    stream: Blocking,
    path: PathBuf,
    limits: Limits,
    decoder: Decoder,
    outbox: Outbox,
    input: Vec<u8>,
    timeout: Option<Duration>,
    greeting: Greeting,
    hello: String,
    next: u64,
    /// Nothing can be asked on it any more.
    is_over: bool,
}

impl Connection {
    /// Connects to the server at a path.
    ///
    /// # Errors
    ///
    /// [`ConnectionError`].
    pub fn connect(path: impl Into<PathBuf>) -> Result<Self, ConnectionError> {
        Self::builder(path).connect()
    }

    /// With other settings than the usual ones.
    pub fn builder(path: impl Into<PathBuf>) -> ConnectionBuilder {
        ConnectionBuilder::new(path.into())
    }

    /// Replaces how long each further call may take.
    pub fn set_timeout(&mut self, timeout: Option<Duration>) {
        self.timeout = timeout;
    }

    /// What the server said of itself; `None` before its first answer, and of one that knows nothing of it.
    #[must_use]
    pub fn hello(&self) -> Option<&Hello> {
        self.greeting.hello()
    }

    /// Asks, and waits for the answer. An answer without a payload is read as `null`.
    ///
    /// # Errors
    ///
    /// [`RequestError`]. After a timeout the connection can be used again, unless the request was not sent completely.
    pub fn call<Q, A>(&mut self, request: &Q) -> Result<A, RequestError>
    where
        Q: Serialize + ?Sized,
        A: DeserializeOwned,
    {
        let frame = self.ask(body_of(request)?)?;
        json::read(frame.payload().unwrap_or("null")).map_err(RequestError::Reply)
    }

    /// Asks with JSON, or with no payload, and hands over the answer's payload as it came.
    ///
    /// # Errors
    ///
    /// As [`call`](Self::call).
    pub fn send(&mut self, payload: Option<Json>) -> Result<Option<Json>, RequestError> {
        let frame = self.ask(payload.map_or(Body::Empty, Body::Shared))?;
        Ok(frame.payload_json())
    }

    /// Asks for an answer of many items, such as a subscription, which may go on for ever.
    ///
    /// # Errors
    ///
    /// [`RequestError`] if the request cannot be sent; what the server answers comes from the [`Replies`].
    pub fn stream<Q, A>(&mut self, request: &Q) -> Result<Replies<'_, A>, RequestError>
    where
        Q: Serialize + ?Sized,
        A: DeserializeOwned,
    {
        let body = body_of(request)?;
        let until = Until::of(self.timeout);
        let number = self.request(body, None, Some(WINDOW), &until)?;
        Ok(Replies::new(self, number))
    }

    /// Calls a command of a host's daemon, and waits for its reply.
    ///
    /// # Errors
    ///
    /// [`CallError`].
    pub fn call_command<Q, A>(&mut self, daemon: &str, command: &str, request: &Q) -> Result<A, CallError>
    where
        Q: Serialize + ?Sized,
        A: DeserializeOwned,
    {
        let reply = self.call(&Ask { daemon, command, request });
        reply.map_err(|error| call_error(error, daemon, command, self.timeout))
    }

    /// Subscribes to the events of a host, as [`Connection::subscribe`](crate::Connection::subscribe) does.
    ///
    /// # Errors
    ///
    /// [`RequestError`] if the request cannot be sent; that the pattern is none comes from the [`Replies`].
    pub fn subscribe(&mut self, pattern: &str) -> Result<Replies<'_, Published>, RequestError> {
        self.stream(&Subscribe { subscribe: pattern })
    }

    fn ask(&mut self, body: Body) -> Result<Frame, RequestError> {
        let until = Until::of(self.timeout);
        let number = self.request(body, self.timeout, None, &until)?;
        let (frame, _) = self.answer(number, &until)?;
        Ok(frame)
    }

    /// Sends a request.
    fn request(
        &mut self,
        body: Body,
        deadline: Option<Duration>,
        stream: Option<u32>,
        until: &Until,
    ) -> Result<u64, RequestError> {
        if self.is_over {
            return Err(self.closed().into());
        }
        self.next += 1;
        let number = self.next;
        let about = About {
            hello: self.greeting.say(number).then_some(&*self.hello),
            deadline: deadline.map(DeadlineKey::new),
            stream,
            ..About::new(Kind::Request, number)
        };
        if let Err(error) = body.write(&about, &self.limits, &mut self.outbox) {
            if about.hello.is_some() {
                self.greeting = Greeting::Unsaid;
            }
            return Err(RequestError::Request(error));
        }
        self.flush(until)?;
        Ok(number)
    }

    /// Sends a message about a request, which has no answer.
    fn tell(&mut self, kind: Kind, number: u64, stream: Option<u32>) -> Result<(), RequestError> {
        let about = About { stream, ..About::new(kind, number) };
        encode_without_payload(&about, &self.limits, self.outbox.buffer()).map_err(RequestError::Request)?;
        let until = Until::of(self.timeout);
        self.flush(&until)
    }

    /// Writes what waits. What cannot be written completely ends the connection: the server would take the rest for the
    /// beginning of something else.
    fn flush(&mut self, until: &Until) -> Result<(), RequestError> {
        while !self.outbox.is_empty() {
            match until.left().and_then(|left| self.stream.write(self.outbox.waiting(), left)) {
                Ok(written) if written > 0 => self.outbox.advance(written),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // The server may have said why before it hung up: whoever reads finds out.
                Err(error) if is_hang_up(&error) => break,
                Err(error) if is_timeout(&error) => {
                    self.is_over = true;
                    return Err(self.late(until));
                }
                Ok(_) | Err(_) => {
                    self.is_over = true;
                    return Err(self.closed().into());
                }
            }
        }
        self.outbox.clear();
        Ok(())
    }

    /// Waits for a message that answers a request. Whether others follow.
    fn answer(&mut self, number: u64, until: &Until) -> Result<(Frame, bool), RequestError> {
        loop {
            let frame = self.read(until)?;
            let extensions = match frame.is_plain() {
                true => Extensions::default(),
                false => frame.extensions().map_err(|error| self.unfit(&error))?,
            };
            let answered = frame.id().and_then(number_of);
            for given_up in self.greeting.heard(answered, extensions.hello) {
                self.tell(Kind::Cancel, given_up, None)?;
            }
            match (frame.kind(), answered) {
                (Kind::Event, _) => {}
                (Kind::Error, None) => {
                    self.is_over = true;
                    let (socket_path, failure) = (self.path.clone(), Box::new(Failure::read(frame.payload())));
                    return Err(ConnectionError::Rejected { socket_path, failure }.into());
                }
                (_, answered) if answered != Some(number) => {}
                (Kind::Response, _) => return Ok((frame, extensions.more)),
                (Kind::Error, _) => return Err(RequestError::Failed(Failure::read(frame.payload()))),
                (kind, _) => return Err(self.protocol(format!("its answer is no answer: {}", kind.name()))),
            }
        }
    }

    /// The next message.
    fn read(&mut self, until: &Until) -> Result<Frame, RequestError> {
        loop {
            match self.decoder.next() {
                Some(Ok(frame)) => return Ok(frame),
                Some(Err(BadFrame { error, .. })) => {
                    self.is_over = true;
                    return Err(self.unfit(&error));
                }
                None => {}
            }
            match until.left().and_then(|left| self.stream.read(&mut self.input, left)) {
                Ok(read) if read > 0 => self.decoder.push(&self.input[..read]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if is_timeout(&error) => return Err(self.late(until)),
                Ok(_) | Err(_) => {
                    self.is_over = true;
                    return Err(self.closed().into());
                }
            }
        }
    }

    fn closed(&self) -> ConnectionError {
        ConnectionError::Closed { socket_path: self.path.clone() }
    }

    fn late(&self, until: &Until) -> RequestError {
        let (socket_path, timeout) = (self.path.clone(), until.timeout.unwrap_or_default());
        ConnectionError::Timeout { socket_path, timeout, awaited: "reply" }.into()
    }

    fn unfit(&self, error: &FrameError) -> RequestError {
        self.protocol(with_sources(error))
    }

    fn protocol(&self, details: String) -> RequestError {
        ConnectionError::Protocol { socket_path: self.path.clone(), details }.into()
    }
}

fn body_of<Q: Serialize + ?Sized>(request: &Q) -> Result<Body, RequestError> {
    Body::of(request).map_err(|source| RequestError::Request(FrameError::NotJson { source }))
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

fn is_hang_up(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset)
}
