//! What one writes by hand, and well: a line of JSON each, whose payload is read once; a task for each request; a task that writes, as
//! much at once as there is. No limits, no deadlines.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, BufWriter};
use tokio::net::UnixStream;
use tokio::net::unix::OwnedWriteHalf;
use tokio::sync::{mpsc, oneshot};
use tokio_util::task::AbortOnDropHandle;

use crate::contender::{Contender, Echo, EchoOf, InFlight, caller, callers, serve_each};

/// How many messages wait to be written.
const WAITING: usize = 128;

#[derive(Serialize)]
struct Sent<'a, P> {
    id: u64,
    r#type: &'a str,
    payload: P,
}

#[derive(Deserialize)]
struct Received {
    id: u64,
    r#type: String,
    payload: Box<RawValue>,
}

fn line(message: &impl Serialize) -> Vec<u8> {
    let mut line = serde_json::to_vec(message).expect("JSON");
    line.push(b'\n');
    line
}

/// Writes what comes, and flushes when nothing more does.
async fn write(to: OwnedWriteHalf, mut messages: mpsc::Receiver<Vec<u8>>) -> std::io::Result<()> {
    let mut to = BufWriter::with_capacity(16 * 1024, to);
    while let Some(message) = messages.recv().await {
        to.write_all(&message).await?;
        while let Ok(message) = messages.try_recv() {
            to.write_all(&message).await?;
        }
        to.flush().await?;
    }
    Ok(())
}

async fn serve(stream: UnixStream) {
    let (from, to) = stream.into_split();
    let (sender, messages) = mpsc::channel(WAITING);
    tokio::spawn(write(to, messages));
    let mut lines = BufReader::new(from).lines();
    while let Ok(Some(text)) = lines.next_line().await {
        let sender = sender.clone();
        tokio::spawn(async move {
            let request: Received = serde_json::from_str(&text).expect("a message");
            assert_eq!(request.r#type, "request");
            let payload: Echo = serde_json::from_str(request.payload.get()).expect("what was agreed on");
            drop(sender.send(line(&Sent { id: request.id, r#type: "response", payload })).await);
        });
    }
}

#[derive(Clone)]
pub struct Json(Arc<Connection>);

type Answers = Arc<Mutex<HashMap<u64, oneshot::Sender<Box<RawValue>>>>>;

struct Connection {
    sender: mpsc::Sender<Vec<u8>>,
    answers: Answers,
    next: AtomicU64,
    _reader: AbortOnDropHandle<()>,
}

impl Contender for Json {
    async fn serve(place: PathBuf) {
        serve_each(place, serve).await;
    }

    async fn connect(place: &Path, _: Option<usize>) -> Self {
        let (from, to) = UnixStream::connect(place).await.expect("a server").into_split();
        let (sender, messages) = mpsc::channel(WAITING);
        tokio::spawn(write(to, messages));
        let answers = Answers::default();
        let awaited = Arc::clone(&answers);
        let reader = tokio::spawn(async move {
            let mut lines = BufReader::new(from).lines();
            while let Ok(Some(text)) = lines.next_line().await {
                let answer: Received = serde_json::from_str(&text).expect("a message");
                let asked = awaited.lock().unwrap_or_else(PoisonError::into_inner).remove(&answer.id);
                drop(asked.map(|asked| asked.send(answer.payload)));
            }
        });
        Self(Arc::new(Connection { sender, answers, next: AtomicU64::new(0), _reader: AbortOnDropHandle::new(reader) }))
    }

    async fn call(&mut self, data: &str) -> usize {
        let id = self.0.next.fetch_add(1, Ordering::Relaxed);
        let (sender, answer) = oneshot::channel();
        self.0.answers.lock().unwrap_or_else(PoisonError::into_inner).insert(id, sender);
        let request = line(&Sent { id, r#type: "request", payload: EchoOf { data } });
        self.0.sender.send(request).await.expect("a connection");
        let answer = answer.await.expect("an answer");
        let echo: Echo = serde_json::from_str(answer.get()).expect("what was agreed on");
        echo.data.len()
    }

    async fn in_flight(self, load: InFlight) -> Option<u64> {
        callers(load.count, || caller(self.clone(), load.clone())).await
    }
}
