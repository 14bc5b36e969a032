//! A client that sends what it is told, byte by byte.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long anything may take here; nothing waits for it to pass.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Client(TcpStream);

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    /// A header's values, in lower case as they are sent.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let line = self.head.lines().find_map(|line| line.split_once(": ").filter(|(key, _)| *key == name));
        line.map(|(_, value)| value)
    }
}

impl Client {
    pub(crate) async fn connect(to: SocketAddr) -> Self {
        Self(timeout(PATIENCE, TcpStream::connect(to)).await.unwrap().unwrap())
    }

    pub(crate) async fn send(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).await.unwrap();
    }

    /// Reads until `what` has come, and gives all that has.
    pub(crate) async fn until(&mut self, what: &str) -> String {
        let mut seen = String::new();
        while !seen.contains(what) {
            let mut bytes = [0; 4096];
            let read =
                timeout(PATIENCE, self.0.read(&mut bytes)).await.unwrap_or_else(|_| panic!("no {what:?} in {seen}"));
            let read = read.unwrap();
            assert_ne!(read, 0, "the end came before {what:?}: {seen}");
            seen.push_str(&String::from_utf8_lossy(&bytes[..read]));
        }
        seen
    }

    /// Reads to the end, which may be a reset.
    pub(crate) async fn rest(&mut self) -> String {
        let mut bytes = Vec::new();
        timeout(PATIENCE, self.0.read_to_end(&mut bytes)).await.unwrap().ok();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

/// Asks once, with more header lines.
pub(crate) async fn ask(to: SocketAddr, method: &str, path: &str, headers: &str) -> Answer {
    let mut client = Client::connect(to).await;
    client.send(&format!("{method} {path} HTTP/1.1\r\nConnection: close\r\n{headers}\r\n")).await;
    let text = client.rest().await;
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no head in {text:?}"));
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { status, head: head.to_owned(), body: body.to_owned() }
}

/// Asks as anybody on this machine does.
pub(crate) async fn get(to: SocketAddr, path: &str) -> Answer {
    ask(to, "GET", path, "Host: localhost\r\n").await
}
