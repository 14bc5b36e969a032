//! Named pipes. Those of interprocess, which gives them an owner-only descriptor without unsafe code of ours.

use crate::{Peer, error::BindError};
use interprocess::{
    ConnectWaitMode,
    os::windows::{
        named_pipe::{PipeListenerOptions, pipe_mode::Bytes, tokio::DuplexPipeStream, tokio::PipeListener},
        security_descriptor::SecurityDescriptor,
    },
};
use std::{fmt, io, os::windows::ffi::OsStrExt, path::Path, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    runtime::Runtime,
    time::timeout,
};
use widestring::u16cstr;

/// One connection.
pub(super) type Pipe = DuplexPipeStream<Bytes>;

/// How much the system takes from one end before the other has read.
const BUFFER: u32 = 64 * 1024;

/// How long it is waited for an instance of the pipe, before whoever connects decides to try again.
const INSTANCE: Duration = Duration::from_millis(20);

/// The one who listens. The pipe's name is free again when it is dropped.
pub(crate) struct Listener(PipeListener<Bytes, Bytes>);

impl Listener {
    pub(super) fn new(path: &Path) -> Result<Self, BindError> {
        let failed = |source: io::Error| BindError::Io { path: path.to_owned(), source };
        check(path).map_err(failed)?;
        // All rights for its owner and for the system, and none for anybody else: not the default, by which everybody may read.
        let owner_only = SecurityDescriptor::deserialize(u16cstr!("D:P(A;;GA;;;OW)(A;;GA;;;SY)")).map_err(failed)?;
        let options = PipeListenerOptions::new()
            .path(path)
            .security_descriptor(Some(owner_only))
            .input_buffer_size_hint(BUFFER)
            .output_buffer_size_hint(BUFFER);
        match options.create_tokio_duplex() {
            Ok(listener) => Ok(Self(listener)),
            // The first instance of a pipe must be the first; see FILE_FLAG_FIRST_PIPE_INSTANCE.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                Err(BindError::Live { path: path.to_owned(), pid: None })
            }
            Err(error) => Err(failed(error)),
        }
    }

    pub(super) async fn accept(&self) -> io::Result<(Pipe, Peer)> {
        let pipe = self.0.accept().await?;
        let mut peer = Peer::default();
        peer.process = pipe.client_process_id().ok();
        Ok((pipe, peer))
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Listener")
    }
}

/// Connects: `WouldBlock` if all instances of the pipe are taken.
pub(super) async fn connect(path: &Path) -> io::Result<Pipe> {
    check(path)?;
    let connected = Pipe::connect_by_path_with_wait_mode(path, ConnectWaitMode::Timeout(INSTANCE)).await;
    connected.map_err(|error| match error.kind() {
        io::ErrorKind::TimedOut => io::ErrorKind::WouldBlock.into(),
        _ => error,
    })
}

/// interprocess panics at a path that the system could not be told.
fn check(path: &Path) -> io::Result<()> {
    if path.as_os_str().encode_wide().any(|unit| unit == 0) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "the path holds a NUL"));
    }
    Ok(())
}

/// A connection for a thread that waits. A pipe that blocks knows no time, so a small runtime waits for one that does not.
pub(crate) struct Blocking {
    runtime: Runtime,
    pipe: Pipe,
}

impl Blocking {
    /// Connects: `WouldBlock` if all instances of the pipe are taken.
    pub(crate) fn connect(path: &Path) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let pipe = runtime.block_on(connect(path))?;
        Ok(Self { runtime, pipe })
    }

    /// `TimedOut` if nothing comes in time.
    pub(crate) fn read(&mut self, to: &mut [u8], limit: Option<Duration>) -> io::Result<usize> {
        self.runtime.block_on(limited(limit, self.pipe.read(to)))
    }

    /// `TimedOut` if nothing is taken in time.
    pub(crate) fn write(&mut self, from: &[u8], limit: Option<Duration>) -> io::Result<usize> {
        self.runtime.block_on(limited(limit, self.pipe.write(from)))
    }
}

async fn limited(limit: Option<Duration>, wait: impl Future<Output = io::Result<usize>>) -> io::Result<usize> {
    match limit {
        Some(limit) => timeout(limit, wait).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())),
        None => wait.await,
    }
}

impl fmt::Debug for Blocking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Blocking")
    }
}
