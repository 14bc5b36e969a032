//! This project: limits, deadlines and the check of who asks are as they are if one says nothing.

use std::path::{Path, PathBuf};

use daemon_ipc::{Connection, Reply, Request, Server, blocking, from_fn};

use crate::contender::{Contender, Echo, EchoOf, InFlight, caller, callers};

async fn serve(place: PathBuf) {
    let echo = from_fn(|request: Request| async move { Reply::of(&request.read::<Echo>()?) });
    let server = Server::builder(echo).listen(place).expect("a place to listen at");
    benches::ready();
    server.run().await;
}

#[derive(Clone)]
pub struct Async(Connection);

impl Contender for Async {
    async fn serve(place: PathBuf) {
        serve(place).await;
    }

    async fn connect(place: &Path, _: Option<usize>) -> Self {
        Self(Connection::connect(place).await.expect("a server"))
    }

    async fn call(&mut self, data: &str) -> usize {
        let answer: Echo = self.0.call(&EchoOf { data }).await.expect("an answer");
        answer.data.len()
    }

    async fn in_flight(self, load: InFlight) -> Option<u64> {
        callers(load.count, || caller(self.clone(), load.clone())).await
    }
}

/// The client of programs without a runtime, with the same server. It asks one thing at a time.
pub struct Blocking(blocking::Connection);

impl Contender for Blocking {
    async fn serve(place: PathBuf) {
        serve(place).await;
    }

    async fn connect(place: &Path, _: Option<usize>) -> Self {
        Self(blocking::Connection::connect(place).expect("a server"))
    }

    async fn call(&mut self, data: &str) -> usize {
        let answer: Echo = self.0.call(&EchoOf { data }).expect("an answer");
        answer.data.len()
    }
}
