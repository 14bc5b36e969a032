//! What takes part: a server, and a client on one connection to it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use serde::{Deserialize, Serialize};
use tokio::net::{UnixListener, UnixStream};

/// What is asked and answered, as its receiver has it.
#[derive(Serialize, Deserialize)]
pub struct Echo {
    pub data: String,
}

/// The same as its sender has it.
#[derive(Serialize)]
pub struct EchoOf<'a> {
    pub data: &'a str,
}

/// Many calls at once, on one connection.
#[derive(Clone)]
pub struct InFlight {
    pub data: Arc<str>,
    pub count: usize,
    pub until: Instant,
}

/// A way to ask another process for something.
pub trait Contender: Sized {
    /// Listens at a place, says that it is ready, and serves for ever.
    async fn serve(place: PathBuf);

    /// Connects. Those that know nothing of messages must be told how long they are, or that it does not matter.
    async fn connect(place: &Path, message: Option<usize>) -> Self;

    /// Asks once; the length of what came back.
    async fn call(&mut self, data: &str) -> usize;

    /// Keeps calls in flight until it is time; how many were answered, if it asks more than one thing at a time.
    async fn in_flight(self, _: InFlight) -> Option<u64> {
        None
    }
}

/// Listens at a place, says that it is ready, and serves each connection in a task of its own, for ever.
pub async fn serve_each<F>(place: PathBuf, serve: impl Fn(UnixStream) -> F)
where
    F: Future<Output: Send> + Send + 'static,
{
    let listener = UnixListener::bind(place).expect("a place to listen at");
    benches::ready();
    while let Ok((stream, _)) = listener.accept().await {
        tokio::spawn(serve(stream));
    }
}

/// One of many callers.
pub async fn caller<C: Contender>(mut client: C, load: InFlight) -> u64 {
    let mut answered = 0;
    // The clock is not looked at for each.
    while answered % 8 != 0 || Instant::now() < load.until {
        assert_eq!(client.call(&load.data).await, load.data.len());
        answered += 1;
    }
    answered
}

/// Callers in a task each; how many calls were answered.
pub async fn callers<F>(count: usize, caller: impl Fn() -> F) -> Option<u64>
where
    F: Future<Output = u64> + Send + 'static,
{
    let tasks: Vec<_> = (0..count).map(|_| tokio::spawn(caller())).collect();
    let mut answered = 0;
    for task in tasks {
        answered += task.await.expect("a caller does not panic");
    }
    Some(answered)
}
