//! A process under test: start it, talk to it, signal it, wait for its end. Every wait has a deadline, and every failure shows what
//! the process said.
//!
//! Invariant: its pid stays its own until this module reaps it, so a signal never reaches a stranger. A thread waits for the end
//! without reaping; only [`Running::wait`] and drop reap.

use crate::lines::Lines;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};
use std::{
    ffi::OsStr,
    fmt, io,
    io::Write,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    process::{Child, ChildStderr, ChildStdin, Command, ExitStatus, Stdio},
    sync::mpsc::{self, Receiver},
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;
use thiserror::Error;

/// Why a test could not go on with a process.
#[derive(Error)]
#[non_exhaustive]
pub enum ProcessError {
    /// The program does not build or is not there.
    #[error("cannot build {program}:\n{says}")]
    Build {
        /// The package and its target.
        program: String,
        /// What cargo says.
        says: String,
    },
    /// It does not start, or a pipe or a signal fails.
    #[error("{doing} {program}: {source}")]
    Io {
        /// What was tried.
        doing: &'static str,
        /// The program.
        program: String,
        /// Why it failed.
        source: io::Error,
    },
    /// No line was as wanted, in the time given or until the stream ended.
    #[error("no such line from {program} on its {source:?} within {within:?}{said}", source = .from)]
    NoLine {
        /// The program.
        program: String,
        /// Where the line was expected.
        from: Source,
        /// The time given.
        within: Duration,
        /// What it did say.
        said: Said,
    },
    /// It did not end in the time given.
    #[error("{program} still runs after {within:?}{said}")]
    StillRunning {
        /// The program.
        program: String,
        /// The time given.
        within: Duration,
        /// What it said.
        said: Said,
    },
}

/// `unwrap` shows an error by `Debug`; a test's reader wants the text with its line breaks.
impl fmt::Debug for ProcessError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What a process wrote until something went wrong.
#[derive(Debug)]
pub struct Said {
    out: String,
    err: String,
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\n--- stdout\n{}\n--- stderr\n{}", self.out.trim_end(), self.err.trim_end())
    }
}

/// An output stream of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// What is to be started, and how.
#[derive(Debug)]
pub struct Program {
    path: PathBuf,
    command: Command,
    stdin: Option<OwnedFd>,
    reads_stderr: bool,
    own_runtime_dir: bool,
}

impl Program {
    /// The program at a path, such as [`built`](crate::program::built) gives, without arguments. It is the only instance in its
    /// own directory for locks and sockets, unless it is [told](Self::runtime_dir) another.
    pub fn new(path: impl AsRef<Path>) -> Self {
        let path = path.as_ref().to_owned();
        Self { command: Command::new(&path), path, stdin: None, reads_stderr: true, own_runtime_dir: true }
    }

    /// Adds arguments.
    #[must_use]
    pub fn args(mut self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.command.args(args);
        self
    }

    /// Sets a variable of its environment; the others are those of the test.
    #[must_use]
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// The directory for its lock and socket, which others may have too.
    #[must_use]
    pub fn runtime_dir(mut self, dir: impl AsRef<Path>) -> Self {
        self.own_runtime_dir = false;
        self.env("XDG_RUNTIME_DIR", dir.as_ref())
    }

    /// The directory to start it in; the test's own otherwise.
    #[must_use]
    pub fn current_dir(mut self, dir: impl AsRef<Path>) -> Self {
        self.command.current_dir(dir);
        self
    }

    /// Gives it this as standard input, in place of a pipe.
    #[must_use]
    pub fn stdin(mut self, from: OwnedFd) -> Self {
        self.stdin = Some(from);
        self
    }

    /// Leaves what it writes to standard error unread, so that the pipe fills up.
    #[must_use]
    pub fn unread_stderr(mut self) -> Self {
        self.reads_stderr = false;
        self
    }

    /// Starts it, all three streams piped.
    ///
    /// # Errors
    ///
    /// [`ProcessError::Io`] if the system refuses.
    pub fn start(mut self) -> Result<Running, ProcessError> {
        let program = self.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let failed = |source| ProcessError::Io { doing: "cannot start", program: program.clone(), source };
        self.command
            .stdin(self.stdin.take().map_or_else(Stdio::piped, Stdio::from))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        self.command.env_remove("RUNTIME_DIRECTORY");
        let runtime_dir = if self.own_runtime_dir { Some(TempDir::new().map_err(failed)?) } else { None };
        if let Some(dir) = &runtime_dir {
            self.command.env("XDG_RUNTIME_DIR", dir.path());
        }
        let mut child = self.command.spawn().map_err(failed)?;
        let (Some(out), Some(err)) = (child.stdout.take(), child.stderr.take()) else {
            return Err(failed(io::Error::other("a stream is not piped")));
        };
        let pid = Pid::from_child(&child);
        let (err, unread) =
            if self.reads_stderr { (Lines::of(err), None) } else { (Lines::of(io::empty()), Some(err)) };
        let (told, ended) = mpsc::sync_channel(1);
        thread::spawn(move || {
            while let Err(rustix::io::Errno::INTR) =
                waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT)
            {}
            told.send(()).ok();
        });
        Ok(Running {
            stdin: child.stdin.take(),
            out: Lines::of(out),
            err,
            _unread: unread,
            program,
            pid,
            child,
            ended,
            status: None,
            _runtime_dir: runtime_dir,
        })
    }
}

/// A process. Dropping it kills and reaps it.
#[derive(Debug)]
pub struct Running {
    program: String,
    pid: Pid,
    child: Child,
    stdin: Option<ChildStdin>,
    out: Lines,
    err: Lines,
    /// Held open, or the process would be told that nobody will read.
    _unread: Option<ChildStderr>,
    ended: Receiver<()>,
    /// Set once it is reaped, when its pid may become another's.
    status: Option<ExitStatus>,
    /// Removed after it was killed.
    _runtime_dir: Option<TempDir>,
}

impl Running {
    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> Pid {
        self.pid
    }

    /// Writes to its standard input. Waits while the pipe is full.
    ///
    /// # Errors
    ///
    /// [`ProcessError::Io`] if it no longer reads, or its input was closed.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), ProcessError> {
        let closed = || io::Error::from(io::ErrorKind::BrokenPipe);
        let written = match &mut self.stdin {
            Some(stdin) => stdin.write_all(bytes).and_then(|()| stdin.flush()),
            None => Err(closed()),
        };
        written.map_err(|source| ProcessError::Io { doing: "cannot write to", program: self.program.clone(), source })
    }

    /// Ends its standard input.
    pub fn close_stdin(&mut self) {
        self.stdin = None;
    }

    /// Sends it a signal. Nothing happens if it has ended and was not waited for.
    ///
    /// # Errors
    ///
    /// [`ProcessError::Io`] if it was waited for, or the system refuses.
    pub fn signal(&self, signal: Signal) -> Result<(), ProcessError> {
        let sent = match self.status {
            None => kill_process(self.pid, signal).map_err(io::Error::from),
            Some(status) => Err(io::Error::other(format!("it has ended: {status}"))),
        };
        sent.map_err(|source| ProcessError::Io { doing: "cannot signal", program: self.program.clone(), source })
    }

    /// Waits for a line and returns it. Every line since the start is looked at, so it does not matter when it was said. Bytes that
    /// are not UTF-8 show as replacement characters.
    ///
    /// # Errors
    ///
    /// [`ProcessError::NoLine`] when the time is up, or as soon as the stream has ended without it.
    pub fn wait_for_line(
        &self,
        from: Source,
        within: Duration,
        wanted: impl FnMut(&str) -> bool,
    ) -> Result<String, ProcessError> {
        self.lines(from).wait_for(within, wanted).ok_or_else(|| ProcessError::NoLine {
            program: self.program.clone(),
            from,
            within,
            said: self.said(),
        })
    }

    /// Waits for its end and for the last of what it said. Its input stays open meanwhile.
    ///
    /// # Errors
    ///
    /// [`ProcessError::StillRunning`] when the time is up; it can be waited for again.
    pub fn wait(&mut self, within: Duration) -> Result<ExitStatus, ProcessError> {
        if let Some(status) = self.status {
            return Ok(status);
        }
        let deadline = Instant::now() + within;
        if let Err(mpsc::RecvTimeoutError::Timeout) = self.ended.recv_timeout(within) {
            return Err(ProcessError::StillRunning { program: self.program.clone(), within, said: self.said() });
        }
        // A process it started may hold the streams open: its end is what was asked for, theirs is waited for within the time.
        self.out.wait_for_end(deadline);
        self.err.wait_for_end(deadline);
        let failed = |source| ProcessError::Io { doing: "cannot wait for", program: self.program.clone(), source };
        let status = self.child.wait().map_err(failed)?;
        self.status = Some(status);
        Ok(status)
    }

    /// All it wrote to a stream so far.
    #[must_use]
    pub fn bytes(&self, from: Source) -> Vec<u8> {
        self.lines(from).bytes()
    }

    /// All it wrote to a stream so far, as text; bytes that are not UTF-8 show as replacement characters.
    #[must_use]
    pub fn text(&self, from: Source) -> String {
        String::from_utf8_lossy(&self.bytes(from)).into_owned()
    }

    fn lines(&self, from: Source) -> &Lines {
        match from {
            Source::Stdout => &self.out,
            Source::Stderr => &self.err,
        }
    }

    fn said(&self) -> Said {
        Said { out: self.text(Source::Stdout), err: self.text(Source::Stderr) }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail only if it is gone, which is what is wanted.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
