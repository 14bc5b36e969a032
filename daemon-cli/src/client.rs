//! The way to the instance that runs: a connection to its socket, and one deadline for all that is asked.

use std::time::{Duration, Instant};

use daemon_core::CallError;
use daemon_ipc::{Connection, ControlServer};

use crate::error::{Error, Kind};
use crate::instance::{Holder, Instance};

/// How long a question takes at most.
pub(crate) const TO_ASK: Duration = Duration::from_secs(10);
/// How long a call of a command takes at most.
pub(crate) const TO_CALL: Duration = Duration::from_secs(30);
/// How long a change of state takes at most.
pub(crate) const TO_CHANGE: Duration = Duration::from_secs(90);

/// The time a command line has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline {
    pub(crate) limit: Duration,
    since: Instant,
}

impl Deadline {
    pub(crate) fn new(limit: Duration) -> Self {
        Self { limit, since: Instant::now() }
    }

    pub(crate) fn left(&self) -> Duration {
        self.limit.saturating_sub(self.since.elapsed())
    }

    pub(crate) fn is_over(&self) -> bool {
        self.left().is_zero()
    }
}

/// A connection to an instance.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) connection: Connection,
    deadline: Deadline,
}

/// The commands of a host's control server.
pub(crate) type Control<'a> = daemon_ipc::control::ControlServerClient<&'a Connection>;

impl Session {
    pub(crate) async fn open(instance: &Instance, deadline: Deadline) -> Result<Self, Error> {
        let left = deadline.left();
        let builder = Connection::builder(instance.socket()?).connect_timeout(left).timeout(left);
        let connection = builder.build();
        match connection.reconnect().await {
            Ok(()) => Ok(Self { connection, deadline }),
            Err(error) => Err(explained(Error::of_connection(&error), instance)),
        }
    }

    /// The host's own commands.
    pub(crate) fn control(&self) -> Control<'_> {
        ControlServer::client(&self.connection).timeout(self.deadline.left())
    }

    /// What a call came to.
    pub(crate) fn heard<T>(&self, reply: Result<T, CallError>) -> Result<T, Error> {
        reply.map_err(|error| Error::of_call(&error, self.deadline.limit))
    }
}

/// Why there is no connection, with what the lock says of it.
fn explained(error: Error, instance: &Instance) -> Error {
    if error.kind != Kind::NotRunning {
        return error;
    }
    match instance.holder() {
        Holder::Nobody => Error::new(Kind::NotRunning, format!("not running: {}", error.message)),
        Holder::Unknown => error,
        Holder::Process(pid) => {
            let pid = pid.map_or_else(|| "a process".to_owned(), |pid| format!("process {pid}"));
            let message = format!("{pid} has its lock, but nobody answers: {}", error.message);
            Error::new(Kind::Broken, message)
        }
    }
}

/// Runs a command line to its end on this thread.
pub(crate) fn block_on<T>(work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Error::failed(format!("cannot start the runtime: {error}")))?;
    let done = runtime.block_on(work);
    runtime.shutdown_background();
    done
}
