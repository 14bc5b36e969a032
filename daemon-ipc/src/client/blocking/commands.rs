//! The typed clients of a host's daemons, for programs without a runtime.

use super::Connection;
use daemon_core::{Call, CallError};
use serde::{Serialize, de::DeserializeOwned};
use std::{
    fmt,
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Wake, Waker},
    thread::{self, Thread},
    time::Duration,
};

/// What a generated client calls through while [`Connection::commands`] runs. Each call blocks until it is answered.
pub struct Commands<'a>(Mutex<&'a mut Connection>);

impl<'a> Commands<'a> {
    fn connection(&self) -> MutexGuard<'_, &'a mut Connection> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Commands<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Commands").finish_non_exhaustive()
    }
}

impl Call for Commands<'_> {
    async fn call<Q, A>(&self, daemon: &str, command: &str, request: &Q) -> Result<A, CallError>
    where
        Q: Serialize + Send + Sync,
        A: DeserializeOwned + Send,
    {
        self.connection().call_command(daemon, command, request)
    }

    async fn call_within<Q, A>(&self, daemon: &str, command: &str, request: &Q, limit: Duration) -> Result<A, CallError>
    where
        Q: Serialize + Send + Sync,
        A: DeserializeOwned + Send,
    {
        let mut connection = self.connection();
        let before = connection.timeout.replace(limit);
        let answer = connection.call_command(daemon, command, request);
        connection.timeout = before;
        answer
    }

    fn command_hash(&self, daemon: &str) -> Option<String> {
        self.connection().hello()?.commands.get(daemon).cloned()
    }
}

impl Connection {
    /// Calls commands by the typed clients of their daemons.
    ///
    /// ```no_run
    /// # use daemon_core::{DaemonBase, Result, daemon};
    /// # #[daemon]
    /// # struct Calculator;
    /// # #[daemon]
    /// # impl Calculator {
    /// #     #[command]
    /// #     async fn sum(&self, numbers: Vec<i64>) -> Result<i64> { Ok(numbers.iter().sum()) }
    /// # }
    /// # impl DaemonBase for Calculator {}
    /// use daemon_ipc::blocking::Connection;
    ///
    /// let mut connection = Connection::connect("/run/user/1000/calculator/daemon.sock")?;
    /// let sum = connection.commands(async |call| Calculator::client(call).sum(&vec![20, 22]).await)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn commands<R>(&mut self, calls: impl AsyncFnOnce(&Commands<'_>) -> R) -> R {
        let commands = Commands(Mutex::new(self));
        let mut work = pin!(calls(&commands));
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        loop {
            // A call is answered when it is first polled; whatever else is awaited wakes this thread.
            if let Poll::Ready(done) = work.as_mut().poll(&mut Context::from_waker(&waker)) {
                return done;
            }
            thread::park();
        }
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}
