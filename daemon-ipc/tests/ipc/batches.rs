//! Where several workers run, the other end is at work before the last of many messages is written.

use crate::raw::Raw;
use daemon_ipc::{Connection, Memory, Reply, Request, Server, from_fn};
use std::{
    pin::Pin,
    sync::{Arc, Mutex, mpsc},
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWriteExt, BufReader, DuplexStream, ReadBuf, ReadHalf};
use tokio::time::timeout;

const SOON: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_answers_of_many_are_written_before_the_last_is_made() {
    let place = Memory::new();
    let (go_on, waits) = mpsc::channel::<()>();
    let waits = Mutex::new(waits);
    let server = Server::builder(from_fn(move |request: Request| {
        // The ninth holds up its thread, and with it the connection.
        let number = request.read::<u32>();
        let seen = if matches!(number, Ok(8)) { waits.lock().unwrap().recv_timeout(SOON) } else { Ok(()) };
        async move {
            seen.map_err(|_| daemon_ipc::Failure::new("nobody read the first answers meanwhile"))?;
            Reply::of(&number?)
        }
    }));
    tokio::spawn(server.listen(&place).unwrap().run());
    let mut peer = Raw::connect(&place).await;
    let requests = (0..9).map(|number| format!("{{\"id\":{number},\"type\":\"request\",\"payload\":{number}}}\n"));
    peer.send(requests.collect::<String>()).await;
    for number in 0..8 {
        let answer = timeout(SOON * 2, peer.json()).await.expect("an answer");
        assert_eq!(answer["payload"], number, "{answer}");
    }
    go_on.send(()).unwrap();
    let last = timeout(SOON, peer.json()).await.expect("an answer");
    assert_eq!(last["payload"], 8, "{last}");
}

/// Callers who ask again when they are woken, as many as are written together.
struct Crowd {
    connection: Connection,
    server: Mutex<Option<ReadHalf<DuplexStream>>>,
    /// How many requests were there to be read while the last caller had not returned.
    told: mpsc::Sender<usize>,
}

impl Wake for Crowd {
    fn wake(self: Arc<Self>) {
        let Some(mut server) = self.server.lock().unwrap().take() else { return };
        let mut nobody = Context::from_waker(Waker::noop());
        let mut calls: Vec<_> = (0..16).map(|_| Box::pin(self.connection.call::<_, ()>(&1))).collect();
        let [first @ .., last] = &mut calls[..] else { return };
        let mut come = [0; 4096];
        let mut come = ReadBuf::new(&mut come);
        for call in first {
            assert!(call.as_mut().poll(&mut nobody).is_pending());
        }
        assert!(Pin::new(&mut server).poll_read(&mut nobody, &mut come).is_pending(), "others may be about to ask");
        assert!(last.as_mut().poll(&mut nobody).is_pending());
        assert!(matches!(Pin::new(&mut server).poll_read(&mut nobody, &mut come), Poll::Ready(Ok(()))));
        self.told.send(come.filled().iter().filter(|byte| **byte == b'\n').count()).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_requests_of_many_are_written_before_the_last_is_made() {
    let place = Memory::new();
    let mut listener = place.listen().unwrap();
    let connection = Connection::connect(&place).await.unwrap();
    let (server, mut answers) = tokio::io::split(listener.accept().await);
    let (told, heard) = mpsc::channel();
    let crowd = Arc::new(Crowd { connection: connection.clone(), server: Mutex::default(), told });
    let waker = Waker::from(Arc::clone(&crowd));
    let mut calls: Vec<_> = (0..2).map(|_| Box::pin(connection.call::<_, ()>(&1))).collect();
    for call in &mut calls {
        assert!(call.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    }
    let mut requests = BufReader::new(server);
    let mut answer = String::new();
    for _ in &calls {
        let mut request = String::new();
        timeout(SOON, requests.read_line(&mut request)).await.expect("a request").unwrap();
        let request: serde_json::Value = serde_json::from_str(&request).unwrap();
        answer += &format!("{{\"id\":{},\"type\":\"response\"}}\n", request["id"]);
    }
    *crowd.server.lock().unwrap() = Some(requests.into_inner());
    answers.write_all(answer.as_bytes()).await.unwrap();
    let written = tokio::task::spawn_blocking(move || heard.recv_timeout(SOON)).await.unwrap();
    assert_eq!(written, Ok(16));
}
