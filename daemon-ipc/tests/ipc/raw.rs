//! A peer that sends and sees bytes.

use daemon_ipc::Memory;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader, DuplexStream};

pub(crate) struct Raw<S = DuplexStream>(BufReader<S>);

impl Raw {
    pub(crate) async fn connect(place: &Memory) -> Self {
        Self::over(place.connect().await.unwrap())
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Raw<S> {
    pub(crate) fn over(stream: S) -> Self {
        Self(BufReader::new(stream))
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.write_all(bytes.as_ref()).await.unwrap();
    }

    /// Sends to one who may be gone.
    pub(crate) async fn send_or_not(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.write_all(bytes.as_ref()).await.ok();
    }

    /// Sends a line.
    pub(crate) async fn say(&mut self, line: &str) {
        self.send(format!("{line}\n")).await;
    }

    /// The next line without its newline; `None` at the end.
    pub(crate) async fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        let read = self.0.read_line(&mut line).await.ok()?;
        (read > 0).then(|| line.trim_end_matches('\n').to_owned())
    }

    /// The next line as JSON.
    pub(crate) async fn json(&mut self) -> Value {
        let line = self.line().await.expect("a line and not the end");
        serde_json::from_str(&line).unwrap_or_else(|fault| panic!("{fault}: {line}"))
    }

    /// Sends a line and waits for one.
    pub(crate) async fn ask(&mut self, line: &str) -> String {
        self.say(line).await;
        self.line().await.expect("an answer and not the end")
    }

    /// Both directions, to be used side by side.
    #[cfg(unix)]
    pub(crate) fn split(self) -> (tokio::io::Lines<BufReader<tokio::io::ReadHalf<S>>>, tokio::io::WriteHalf<S>) {
        let (reader, writer) = tokio::io::split(self.0.into_inner());
        (BufReader::new(reader).lines(), writer)
    }

    pub(crate) async fn finish(&mut self) {
        self.0.shutdown().await.unwrap();
    }

    /// All that still comes.
    pub(crate) async fn rest(&mut self) -> String {
        let mut rest = Vec::new();
        // A reset after the last byte is an end, too.
        self.0.read_to_end(&mut rest).await.ok();
        String::from_utf8(rest).unwrap()
    }
}
