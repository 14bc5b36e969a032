//! How a connection that blocks is made.

use super::{Connection, READ};
use crate::{
    ConnectionError, Decoder, Hello, Limits,
    client::{dial::refusal, greeting::Greeting},
    outbox::Outbox,
    transport::Blocking,
};
use std::{
    io,
    path::PathBuf,
    thread,
    time::{Duration, Instant},
};

/// How long it is waited before a server that cannot be connected to is asked again.
const PAUSE: Duration = Duration::from_millis(20);

/// How a connection is made, with other settings than the usual ones.
#[derive(Debug)]
pub struct ConnectionBuilder {
    path: PathBuf,
    limits: Limits,
    connect_timeout: Duration,
    timeout: Option<Duration>,
    waits_for_server: bool,
}

impl ConnectionBuilder {
    pub(super) fn new(path: PathBuf) -> Self {
        Self {
            path,
            limits: Limits::default(),
            connect_timeout: Duration::from_secs(5),
            timeout: Some(Duration::from_secs(30)),
            waits_for_server: false,
        }
    }

    /// Replaces how long connecting may take \[5 s\].
    #[must_use]
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// Replaces how long a call may take \[30 s\]. The server is told.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Tries again within the [timeout](Self::connect_timeout) while there is no server yet.
    #[must_use]
    pub fn wait_for_server(mut self) -> Self {
        self.waits_for_server = true;
        self
    }

    /// Replaces the limits, of which the longest frame is kept.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Connects.
    ///
    /// # Errors
    ///
    /// [`ConnectionError`].
    pub fn connect(self) -> Result<Connection, ConnectionError> {
        let stream = self.dial()?;
        Ok(Connection {
            stream,
            decoder: Decoder::new(&self.limits),
            path: self.path,
            limits: self.limits,
            outbox: Outbox::default(),
            input: vec![0; READ],
            timeout: self.timeout,
            greeting: Greeting::Unsaid,
            hello: serde_json::to_string(&Hello::new(Default::default())).unwrap_or_default(),
            next: 0,
            is_over: false,
        })
    }

    fn dial(&self) -> Result<Blocking, ConnectionError> {
        let since = Instant::now();
        loop {
            let error = match Blocking::connect(&self.path) {
                Ok(stream) => return Ok(stream),
                Err(error) => error,
            };
            let may_come = match error.kind() {
                io::ErrorKind::WouldBlock => true,
                io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => self.waits_for_server,
                _ => false,
            };
            if !may_come {
                return Err(refusal(Some(&self.path), error, || self.path.clone()));
            }
            if since.elapsed() >= self.connect_timeout {
                let (socket_path, timeout) = (self.path.clone(), self.connect_timeout);
                return Err(ConnectionError::Timeout { socket_path, timeout, awaited: "connection" });
            }
            thread::sleep(PAUSE.min(self.connect_timeout));
        }
    }
}
