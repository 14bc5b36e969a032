//! The limit: bytes that come back as they are. Nobody knows where a message ends.
//!
//! The first eight bytes say how long the messages are that are echoed as a whole, as whoever understands them must; none if bytes are
//! echoed as they come.

use std::io::{Read, Write};
use std::os::unix::net as blocking;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Instant;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use crate::contender::{Contender, InFlight, serve_each};

const BUFFER: usize = 64 * 1024;

/// A short message comes in one piece.
const SHORT: usize = 4096;

type Length = [u8; 8];

fn length(message: Option<usize>) -> Length {
    message.filter(|length| *length > SHORT).unwrap_or(0).to_le_bytes()
}

/// The buffer of a server.
fn buffer(length: Length) -> (Vec<u8>, bool) {
    match usize::from_le_bytes(length) {
        0 => (vec![0; BUFFER], false),
        length => (vec![0; length], true),
    }
}

pub struct Std {
    stream: blocking::UnixStream,
    buffer: Vec<u8>,
}

fn serve(mut stream: blocking::UnixStream) -> std::io::Result<()> {
    let mut head = Length::default();
    stream.read_exact(&mut head)?;
    let (mut buffer, whole) = buffer(head);
    loop {
        let read =
            if whole { stream.read_exact(&mut buffer).map(|()| buffer.len())? } else { stream.read(&mut buffer)? };
        if read == 0 {
            return Ok(());
        }
        stream.write_all(&buffer[..read])?;
    }
}

impl Contender for Std {
    async fn serve(place: PathBuf) {
        let listener = blocking::UnixListener::bind(place).expect("a place to listen at");
        benches::ready();
        for stream in listener.incoming().flatten() {
            thread::spawn(|| serve(stream));
        }
    }

    async fn connect(place: &Path, message: Option<usize>) -> Self {
        let mut stream = blocking::UnixStream::connect(place).expect("a server");
        stream.write_all(&length(message)).expect("a server");
        Self { stream, buffer: vec![0; message.unwrap_or(BUFFER)] }
    }

    async fn call(&mut self, data: &str) -> usize {
        self.stream.write_all(data.as_bytes()).expect("a server");
        self.stream.read_exact(&mut self.buffer[..data.len()]).expect("an answer");
        data.len()
    }

    /// As many bytes as came are sent again.
    async fn in_flight(mut self, load: InFlight) -> Option<u64> {
        let all = load.data.as_bytes().repeat(load.count);
        self.buffer.resize(all.len(), 0);
        self.stream.write_all(&all).expect("a server");
        let mut answered = 0;
        loop {
            let read = self.stream.read(&mut self.buffer).expect("an answer");
            answered += read;
            if Instant::now() >= load.until {
                return Some((answered / load.data.len()) as u64);
            }
            self.stream.write_all(&all[..read]).expect("a server");
        }
    }
}

pub struct Tokio {
    stream: UnixStream,
    buffer: Vec<u8>,
}

async fn serve_async(mut stream: UnixStream) -> std::io::Result<()> {
    let mut head = Length::default();
    stream.read_exact(&mut head).await?;
    let (mut buffer, whole) = buffer(head);
    loop {
        let read = if whole { stream.read_exact(&mut buffer).await? } else { stream.read(&mut buffer).await? };
        if read == 0 {
            return Ok(());
        }
        stream.write_all(&buffer[..read]).await?;
    }
}

impl Contender for Tokio {
    async fn serve(place: PathBuf) {
        serve_each(place, serve_async).await;
    }

    async fn connect(place: &Path, message: Option<usize>) -> Self {
        let mut stream = UnixStream::connect(place).await.expect("a server");
        stream.write_all(&length(message)).await.expect("a server");
        Self { stream, buffer: vec![0; message.unwrap_or(BUFFER)] }
    }

    async fn call(&mut self, data: &str) -> usize {
        self.stream.write_all(data.as_bytes()).await.expect("a server");
        self.stream.read_exact(&mut self.buffer[..data.len()]).await.expect("an answer")
    }

    async fn in_flight(mut self, load: InFlight) -> Option<u64> {
        let all = load.data.as_bytes().repeat(load.count);
        self.buffer.resize(all.len(), 0);
        self.stream.write_all(&all).await.expect("a server");
        let mut answered = 0;
        loop {
            let read = self.stream.read(&mut self.buffer).await.expect("an answer");
            answered += read;
            if Instant::now() >= load.until {
                return Some((answered / load.data.len()) as u64);
            }
            self.stream.write_all(&all[..read]).await.expect("a server");
        }
    }
}
