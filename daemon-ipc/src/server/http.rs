//! What HTTP is told on a socket that does not speak it.

use daemon_core::{BoxFuture, Recognition, Upgrade, Upgraded};
use std::{io, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout,
};

/// How much of a request is read before it is answered.
const HEAD: usize = 64 * 1024;

/// How long that may take.
const PATIENCE: Duration = Duration::from_secs(5);

const TEXT: &str = "This socket speaks newline-delimited JSON, not HTTP. Send one object per line, such as\n\
    {\"id\":\"1\",\"type\":\"request\",\"payload\":{}}\n";

/// Answers every request with the status 426 and a hint.
pub(super) struct Refusal;

impl Upgrade for Refusal {
    fn recognises(&self, first: &[u8]) -> Recognition {
        Recognition::of_http(first)
    }

    fn serve(&self, connection: Upgraded) -> BoxFuture<'_, ()> {
        // Whoever hangs up before the answer does not want it.
        Box::pin(async { drop(timeout(PATIENCE, refuse(connection)).await) })
    }
}

async fn refuse(mut connection: Upgraded) -> io::Result<()> {
    let mut head = Vec::new();
    while head.len() < HEAD && !head.windows(4).any(|end| end == b"\r\n\r\n") {
        if connection.read_buf(&mut head).await? == 0 {
            break;
        }
    }
    let answer = format!(
        "HTTP/1.1 426 Upgrade Required\r\nUpgrade: daemon-ipc/1\r\nConnection: close, upgrade\r\n\
         Content-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\n\r\n{}",
        TEXT.len(),
        if head.starts_with(b"HEAD ") { "" } else { TEXT }
    );
    connection.write_all(answer.as_bytes()).await?;
    connection.shutdown().await?;
    // Closing with bytes unread would be a reset, which may overtake the answer.
    let mut rest = [0; 4096];
    while connection.read(&mut rest).await? > 0 {}
    Ok(())
}
